//! The resolver's configuration of a pod (`network/dns/dns.go`).

use std::fs;

use k8s_openapi::api::core::v1::PodDNSConfig;

use crate::kubelet::pod::Pod;

/// The domain of cluster DNS.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// The most nameservers, and the most domains and characters of the line that completes names.
const MOST: (usize, usize, usize) = (3, 32, 2048);

/// The file, and what there was no room for in it.
pub struct ResolvConf {
    /// As it is written.
    pub text: String,
    /// A sentence for each line that was cut.
    pub omitted: Vec<String>,
}

/// The file of a pod on this machine.
pub fn of_pod(pod: &Pod) -> ResolvConf {
    resolv_conf(
        &pod.namespace,
        policy(pod),
        pod.spec.dns_config.as_ref(),
        &fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
    )
}

/// The policy that counts: with the node's network `ClusterFirst` is `Default` (`getPodDNSType`).
fn policy(pod: &Pod) -> &str {
    match pod.spec.dns_policy.as_deref().unwrap_or("ClusterFirst") {
        "ClusterFirst" if pod.host_network() => "Default",
        policy => policy,
    }
}

/// The emulator has no cluster DNS: with `ClusterFirst` names are completed as in every cluster, and the node's own
/// servers are asked.
fn resolv_conf(namespace: &str, policy: &str, config: Option<&PodDNSConfig>, node: &str) -> ResolvConf {
    let mut servers: Vec<String> = Vec::new();
    let mut searches: Vec<String> = Vec::new();
    let mut options: Vec<String> = Vec::new();
    if policy != "None" {
        for line in node.lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("nameserver") => servers.extend(words.take(1)),
                Some("search") => searches = words.collect(),
                Some("options") => options = words.collect(),
                _ => {}
            }
        }
    }
    if policy.starts_with("ClusterFirst") {
        let of_cluster = [
            format!("{namespace}.svc.{CLUSTER_DOMAIN}"),
            format!("svc.{CLUSTER_DOMAIN}"),
            CLUSTER_DOMAIN.to_owned(),
        ];
        searches.splice(0..0, of_cluster);
        options = vec!["ndots:5".to_owned()];
    }
    if let Some(config) = config {
        servers.extend(config.nameservers.iter().flatten().cloned());
        searches.extend(config.searches.iter().flatten().cloned());
        for option in config.options.iter().flatten() {
            let name = option.name.as_deref().unwrap_or_default();
            let text = match &option.value {
                Some(value) => format!("{name}:{value}"),
                None => name.to_owned(),
            };
            options.retain(|known| known.split(':').next() != Some(name));
            options.push(text);
        }
    }
    unique(&mut servers);
    unique(&mut searches);
    let mut omitted = Vec::new();
    if servers.len() > MOST.0 {
        servers.truncate(MOST.0);
        omitted.push(format!(
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: {}",
            servers.join(" ")
        ));
    }
    if shorten(&mut searches) {
        omitted.push(format!(
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: {}",
            searches.join(" ")
        ));
    }
    let mut text = String::new();
    if !searches.is_empty() {
        text.push_str(&format!("search {}\n", searches.join(" ")));
    }
    for server in &servers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    ResolvConf { text, omitted }
}

fn unique(list: &mut Vec<String>) {
    let mut seen = Vec::new();
    list.retain(|one| {
        !seen.contains(one) && {
            seen.push(one.clone());
            true
        }
    });
}

/// Leaves out the last domains that there is no room for; whether there were any.
fn shorten(searches: &mut Vec<String>) -> bool {
    let before = searches.len();
    searches.truncate(MOST.1);
    while searches.join(" ").len() > MOST.2 {
        searches.pop();
    }
    searches.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::PodDNSConfigOption;

    #[test]
    fn names_are_completed_as_in_a_cluster_and_the_nodes_servers_are_asked() {
        let node = "search a b\nnameserver 1.1.1.1\noptions ndots:1\n";
        let text = |policy: &str, config: Option<&PodDNSConfig>| {
            let made = resolv_conf("n", policy, config, node);
            assert!(made.omitted.is_empty());
            made.text
        };
        assert_eq!(
            text("ClusterFirst", None),
            "search n.svc.cluster.local svc.cluster.local cluster.local a b\nnameserver 1.1.1.1\noptions ndots:5\n"
        );
        let config = PodDNSConfig {
            nameservers: Some(vec!["9.9.9.9".to_owned()]),
            searches: Some(vec!["a".to_owned()]),
            options: Some(vec![PodDNSConfigOption {
                name: Some("ndots".to_owned()),
                value: Some("5".to_owned()),
            }]),
        };
        assert_eq!(
            text("None", Some(&config)),
            "search a\nnameserver 9.9.9.9\noptions ndots:5\n"
        );
        assert_eq!(
            text("Default", Some(&config)),
            "search a b\nnameserver 1.1.1.1\nnameserver 9.9.9.9\noptions ndots:5\n"
        );
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out_and_said() {
        let node = "nameserver 1.1.1.1\nnameserver 1.1.1.2\n";
        let many = |count: usize, length: usize| -> Vec<String> {
            (0..count).map(|number| format!("{number:0length$}")).collect()
        };
        let config = PodDNSConfig {
            nameservers: Some(vec!["9.9.9.8".to_owned(), "9.9.9.9".to_owned()]),
            searches: Some(many(30, 4)),
            options: None,
        };
        let made = resolv_conf("n", "ClusterFirst", Some(&config), node);
        assert_eq!(made.omitted.len(), 2);
        assert_eq!(
            made.omitted[0],
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: \
             1.1.1.1 1.1.1.2 9.9.9.8"
        );
        assert!(made.omitted[1].ends_with(
            "svc.cluster.local cluster.local 0000 0001 0002 0003 0004 0005 0006 0007 0008 \
             0009 0010 0011 0012 0013 0014 0015 0016 0017 0018 0019 0020 0021 0022 0023 0024 0025 0026 0027 0028"
        ));
        let line = |text: &str| text.lines().next().unwrap().to_owned();
        assert_eq!(line(&made.text).split(' ').count(), 33);
        let config = PodDNSConfig {
            searches: Some(many(10, 250)),
            ..PodDNSConfig::default()
        };
        let made = resolv_conf("n", "None", Some(&config), node);
        assert_eq!(line(&made.text).split(' ').count(), 9);
        assert_eq!(made.omitted.len(), 1);
    }
}
