//! Warnings about ports that the containers of a pod have in common.

use std::collections::HashMap;

use serde_json::Value;

use super::{Warnings, items, text, visit_containers};

/// A port of the pod, and the port of the node that leads to it.
#[derive(Clone, Debug)]
struct Port<'a> {
    path: String,
    host_ip: &'a str,
    host_port: i64,
}

/// The ports with the same number and protocol that were seen so far, indexed by what makes them conflict.
#[derive(Default)]
struct Same<'a> {
    all: Vec<Port<'a>>,
    without_host_port: Vec<usize>,
    by_host_port: HashMap<i64, Vec<usize>>,
    by_host: HashMap<(&'a str, i64), Vec<usize>>,
}

impl<'a> Same<'a> {
    /// The earlier ports that a further one conflicts with, in their order.
    fn conflicts(&self, port: &Port<'a>) -> Vec<&Port<'a>> {
        let of = |found: Option<&Vec<usize>>| found.cloned().unwrap_or_default();
        let mut found = match (port.host_port, port.host_ip) {
            (0, _) => (0..self.all.len()).collect(),
            (number, "") => of(self.by_host_port.get(&number)),
            (number, ip) => [of(self.by_host.get(&(ip, number))), of(self.by_host.get(&("", number)))].concat(),
        };
        if port.host_port != 0 {
            found.extend(&self.without_host_port);
        }
        found.sort_unstable();
        found.iter().filter_map(|index| self.all.get(*index)).collect()
    }

    fn add(&mut self, port: Port<'a>) {
        let index = self.all.len();
        match port.host_port {
            0 => self.without_host_port.push(index),
            number => {
                self.by_host_port.entry(number).or_default().push(index);
                self.by_host.entry((port.host_ip, number)).or_default().push(index);
            }
        }
        self.all.push(port);
    }
}

pub(super) fn check(spec: &Value, warnings: &mut Warnings) {
    let mut seen: HashMap<(i64, &str), Same<'_>> = HashMap::new();
    for (path, port) in ports(spec) {
        if warnings.is_full() {
            return;
        }
        let number = |field: &str| port[field].as_i64().unwrap_or_default();
        let (host_ip, host_port) = (text(port, "hostIP"), number("hostPort"));
        let (container_port, protocol) = (number("containerPort"), text(port, "protocol"));
        if !host_ip.is_empty() && host_port == 0 {
            let message = format_args!(
                "hostIP set without hostPort: {{Name:{} HostPort:0 ContainerPort:{container_port} Protocol:{protocol} \
                 HostIP:{host_ip}}}",
                text(port, "name")
            );
            warnings.add(path.clone(), message);
        }
        let same = seen.entry((container_port, protocol)).or_default();
        let port = Port {
            path,
            host_ip,
            host_port,
        };
        for other in same.conflicts(&port) {
            let what = if other.host_ip == host_ip && other.host_port == host_port {
                "duplicate"
            } else if host_port == 0 || other.host_port == 0 {
                "overlapping"
            } else {
                "dangerously ambiguous"
            };
            warnings.add(
                port.path.clone(),
                format_args!("{what} port definition with {}", other.path),
            );
            if warnings.is_full() {
                return;
            }
        }
        same.add(port);
    }
    names(spec, warnings);
}

/// Ports of one name: the first is found by it.
fn names(spec: &Value, warnings: &mut Warnings) {
    let mut seen: HashMap<&str, String> = HashMap::new();
    for (path, port) in ports(spec) {
        let name = text(port, "name");
        match seen.get(name) {
            _ if name.is_empty() => {}
            Some(first) => {
                let message = format_args!(
                    "duplicate port name {name:?} with {first}, services and probes that select ports by name will use {first}"
                );
                warnings.add(path, message);
            }
            None => drop(seen.insert(name, path)),
        }
    }
}

fn ports(spec: &Value) -> impl Iterator<Item = (String, &Value)> {
    visit_containers(spec).flat_map(|(path, container)| items(&container["ports"], &format!("{path}.ports")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::admission::warnings::texts;

    fn port(host_port: i64, host_ip: &str) -> Value {
        json!({"containerPort": 80, "protocol": "UDP", "hostPort": host_port, "hostIP": host_ip})
    }

    /// What is said of two ports, in one container and in two.
    fn conflict(one: &Value, other: &Value) -> Vec<String> {
        let shared = texts(&json!({"spec": {"containers": [{"ports": [one, other]}]}}));
        let apart = texts(&json!({"spec": {"containers": [{"ports": [one]}, {"ports": [other]}]}}));
        let renamed: Vec<String> = shared
            .iter()
            .map(|text| text.replacen("spec.containers[0].ports[1]: ", "spec.containers[1].ports[0]: ", 1))
            .collect();
        assert_eq!(apart, renamed);
        shared
    }

    #[test]
    fn conflicting_ports_are_warned_of() {
        let at = "spec.containers[0].ports[1]";
        let said = |what: &str| vec![format!("{at}: {what} port definition with spec.containers[0].ports[0]")];
        let none: Vec<String> = Vec::new();
        for (one, other, expected) in [
            (port(0, ""), port(0, ""), said("duplicate")),
            (port(80, ""), port(80, ""), said("duplicate")),
            (port(80, "10.0.0.1"), port(80, "10.0.0.1"), said("duplicate")),
            (port(80, ""), port(0, ""), said("overlapping")),
            (port(0, ""), port(80, ""), said("overlapping")),
            (port(80, "10.0.0.1"), port(80, ""), said("dangerously ambiguous")),
            (port(80, ""), port(80, "10.0.0.1"), said("dangerously ambiguous")),
            (port(80, ""), port(81, ""), none.clone()),
            (port(80, "10.0.0.1"), port(80, "10.0.0.2"), none.clone()),
            (
                json!({"containerPort": 80, "protocol": "TCP"}),
                port(0, ""),
                none.clone(),
            ),
            (json!({"containerPort": 81, "protocol": "UDP"}), port(0, ""), none),
        ] {
            assert_eq!(conflict(&one, &other), expected, "{one} {other}");
        }
    }

    #[test]
    fn every_earlier_conflicting_port_is_named() {
        let ports = |list: &[Value]| json!({"ports": list});
        let (a, b) = (
            port(80, ""),
            json!({"containerPort": 180, "protocol": "UDP", "hostPort": 80}),
        );
        let pod = json!({"spec": {"containers": [ports(&[a.clone(), b, a.clone()]), ports(&[a.clone(), a])]}});
        let at = |container: usize, port: usize| format!("spec.containers[{container}].ports[{port}]");
        let pairs = [
            (at(0, 2), at(0, 0)),
            (at(1, 0), at(0, 0)),
            (at(1, 0), at(0, 2)),
            (at(1, 1), at(0, 0)),
            (at(1, 1), at(0, 2)),
            (at(1, 1), at(1, 0)),
        ];
        let expected = pairs.map(|(one, other)| format!("{one}: duplicate port definition with {other}"));
        assert_eq!(texts(&pod), expected);
    }

    #[test]
    fn host_ip_without_host_port_is_warned_of() {
        let pod = json!({"spec": {"containers": [{"ports": [
            {"containerPort": 80, "protocol": "UDP", "hostIP": "10.0.0.1"}]}]}});
        let expected = "spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 \
                        Protocol:UDP HostIP:10.0.0.1}";
        assert_eq!(texts(&pod), [expected]);
    }

    #[test]
    fn ports_of_one_name_are_warned_of() {
        let port = |number: i64| json!({"containerPort": number, "protocol": "TCP", "name": "test"});
        let pod = json!({"spec": {
            "initContainers": [{"ports": [port(80)]}], "containers": [{"ports": [port(8090)]}]}});
        let first = "spec.initContainers[0].ports[0]";
        let expected = format!(
            "spec.containers[0].ports[0]: duplicate port name \"test\" with {first}, services and probes that select ports by \
             name will use {first}"
        );
        assert_eq!(texts(&pod), [expected]);
    }
}
