//! Metrics as objects and as rows.

use serde_json::{Value, json};

use super::GROUP_VERSION;
use super::measure::{Rate, Reading};
use crate::api::shape::Shape;
use crate::api::status::Status;
use crate::api::time::seconds;
use crate::runtime::PodRef;
use crate::store::Key;

/// Of what the metrics are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    Node,
    Pod,
}

impl Measured {
    fn kind(self) -> &'static str {
        match self {
            Self::Node => "NodeMetrics",
            Self::Pod => "PodMetrics",
        }
    }

    /// Nothing was measured of that object, in metrics-server's words.
    pub(super) fn not_found(self, key: &Key) -> Status {
        let name = match self {
            Self::Node => key.name.clone(),
            Self::Pod => format!("{}/{}", key.namespace, key.name),
        };
        let plural = self.kind().to_lowercase();
        Status::not_found_in(&format!("{plural}.metrics.k8s.io"), &name)
    }

    /// What was measured of an object.
    pub(super) fn metrics(self, object: &Value, reading: &Reading) -> Option<Value> {
        let mut metrics = json!({"kind": self.kind(), "apiVersion": GROUP_VERSION, "metadata": {}});
        for field in ["name", "namespace", "labels"] {
            if !object["metadata"][field].is_null() {
                metrics["metadata"][field] = object["metadata"][field].clone();
            }
        }
        metrics["metadata"]["creationTimestamp"] = seconds(reading.at).into();
        metrics["timestamp"] = seconds(reading.at).into();
        metrics["window"] = go_duration(reading.window).into();
        match self {
            Self::Node => metrics["usage"] = usage(reading.node?),
            Self::Pod => metrics["containers"] = containers(object, reading)?,
        }
        Some(metrics)
    }

    /// A single answer.
    pub(super) fn one(self, item: Value, shape: Shape) -> Value {
        match table_version(shape) {
            Some(version) => table(&[item], version),
            None => item,
        }
    }

    /// A list.
    pub(super) fn list(self, items: Vec<Value>, shape: Shape) -> Value {
        if let Some(version) = table_version(shape) {
            return table(&items, version);
        }
        let kind = format!("{}List", self.kind());
        json!({"kind": kind, "apiVersion": GROUP_VERSION, "metadata": {}, "items": items})
    }
}

/// What each running container of a pod uses; nothing where none was measured.
fn containers(pod: &Value, reading: &Reading) -> Option<Value> {
    let pod_ref = PodRef::of(pod);
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let names = lists
        .iter()
        .flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    let containers: Vec<Value> = names
        .filter_map(|container| {
            let name = container["name"].as_str()?.to_owned();
            let rate = reading.containers.get(&(pod_ref.clone(), name.clone()))?;
            Some(json!({"name": name, "usage": usage(*rate)}))
        })
        .collect();
    (!containers.is_empty()).then_some(Value::Array(containers))
}

fn usage(rate: Rate) -> Value {
    json!({"cpu": format!("{}n", rate.cpu_nanocores), "memory": format!("{}Ki", rate.memory / 1024)})
}

/// As Go writes a duration: `15.023s`.
fn go_duration(duration: jiff::SignedDuration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

fn table_version(shape: Shape) -> Option<&'static str> {
    match shape {
        Shape::Table(wish) => Some(wish.version),
        Shape::Whole | Shape::NewEvents | Shape::Metadata(_) => None,
    }
}

/// The rows that `kubectl get podmetrics` shows.
fn table(items: &[Value], version: &str) -> Value {
    let column = |name: &str, format: &str| json!({"name": name, "type": "string", "format": format, "description": "", "priority": 0});
    let rows: Vec<Value> = items
        .iter()
        .map(|item| {
            let object = json!({"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": item["metadata"]});
            let cells = json!([
                item["metadata"]["name"],
                format!("{}n", total(item, "cpu", "n")),
                format!("{}Ki", total(item, "memory", "Ki")),
                item["window"],
            ]);
            json!({"cells": cells, "object": object})
        })
        .collect();
    let columns = [
        column("Name", "name"),
        column("CPU", ""),
        column("Memory", ""),
        column("Window", ""),
    ];
    json!({"kind": "Table", "apiVersion": version, "metadata": {}, "columnDefinitions": columns, "rows": rows})
}

fn total(item: &Value, resource: &str, unit: &str) -> u64 {
    let of_containers = item["containers"].as_array().into_iter().flatten();
    let usages = of_containers
        .map(|container| &container["usage"])
        .chain([&item["usage"]]);
    let numbers = usages.filter_map(|usage| usage[resource].as_str()?.strip_suffix(unit)?.parse::<u64>().ok());
    numbers.sum()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn reading() -> Reading {
        let pod = PodRef {
            namespace: "n".into(),
            name: "p".into(),
            uid: "u".into(),
        };
        let rate = Rate {
            cpu_nanocores: 1500,
            memory: 4096,
        };
        Reading {
            at: Timestamp::UNIX_EPOCH,
            window: SignedDuration::from_millis(12_340),
            node: Some(rate),
            containers: HashMap::from([((pod.clone(), "a".into()), rate), ((pod, "b".into()), rate)]),
            unmeasured: None,
        }
    }

    #[test]
    fn a_pod_uses_what_its_containers_use() {
        let pod = json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"x": "y"}},
            "spec": {"containers": [{"name": "a"}, {"name": "b"}, {"name": "waits"}]},
        });
        let metrics = Measured::Pod.metrics(&pod, &reading()).unwrap();
        assert_eq!(metrics["window"], "12.34s");
        assert_eq!(metrics["metadata"]["labels"], json!({"x": "y"}));
        assert_eq!(
            metrics["containers"][1],
            json!({"name": "b", "usage": {"cpu": "1500n", "memory": "4Ki"}})
        );
        let table = table(&[metrics], "meta.k8s.io/v1");
        assert_eq!(table["rows"][0]["cells"], json!(["p", "3000n", "8Ki", "12.34s"]));
    }

    #[test]
    fn what_was_not_measured_is_not_zero() {
        let pod =
            json!({"metadata": {"name": "q", "namespace": "n", "uid": "v"}, "spec": {"containers": [{"name": "a"}]}});
        assert_eq!(Measured::Pod.metrics(&pod, &reading()), None);
        let status = Measured::Pod.not_found(&Key::new(crate::store::Resource::Pods, "n", "q"));
        assert_eq!(status.message, "podmetrics.metrics.k8s.io \"n/q\" not found");
    }
}
