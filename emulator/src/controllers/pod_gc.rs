//! Removes pods that no kubelet removes: those of nodes that do not exist, those that are deleted and were never bound,
//! and the oldest finished ones above a threshold (`pkg/controller/podgc`).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    api::{condition::Condition, deletion},
    clock::Clock,
    store::{Resource, Store},
};

/// The time between two sweeps.
const PERIOD: Duration = Duration::from_secs(20);

/// How long a node has to be missing before its pods are removed.
const QUARANTINE: SignedDuration = SignedDuration::from_secs(40);

/// How many finished pods are kept (`--terminated-pod-gc-threshold` of kube-controller-manager).
const THRESHOLD: usize = 12_500;

/// The condition of a pod whose node does not exist.
const ORPHANED: Condition = Condition {
    kind: "DisruptionTarget",
    reason: "DeletionByPodGC",
    message: "PodGC: node no longer exists",
};

/// Sweeps while a missing node is in quarantine, and after each change of pods or nodes; never ends.
pub(super) async fn run(store: &Store, clock: &Clock) {
    let mut collector = Collector::default();
    loop {
        let mut pods = store.watch(Resource::Pods, None, store.version());
        let mut nodes = store.watch(Resource::Nodes, None, store.version());
        collector.sweep(store, THRESHOLD, clock.now());
        let next = Instant::now() + PERIOD;
        if collector.missing_since.is_empty() {
            // An error means that changes were missed, which is as good as a change.
            tokio::select! {
                _ = pods.next() => {}
                _ = nodes.next() => {}
            }
        }
        tokio::time::sleep_until(next).await;
    }
}

/// The pod garbage collector.
#[derive(Default)]
struct Collector {
    /// Since when each node that pods are bound to is missing.
    missing_since: HashMap<String, Timestamp>,
}

impl Collector {
    fn sweep(&mut self, store: &Store, threshold: usize, now: Timestamp) {
        let (pods, _) = store.list(Resource::Pods, None);
        let (nodes, _) = store.list(Resource::Nodes, None);
        let remove = |pod: &Value, condition: Option<Condition>| {
            let removed = deletion::carry_out(store, Resource::Pods, pod, Some(0), now, |pod| {
                if !is_finished(pod) {
                    pod["status"]["phase"] = json!("Failed");
                    if let Some(condition) = condition {
                        condition.set(pod, now);
                    }
                }
            });
            drop(removed); // A full disk, or it has changed: the next sweep tries again.
        };
        for pod in excess(&pods, threshold) {
            remove(pod, None);
        }
        let out_of_service: HashSet<&str> = nodes.iter().filter(|node| is_out_of_service(node)).map(name).collect();
        let missing = self.missing(&pods, &nodes, now);
        for pod in &pods {
            let node = node_of(pod);
            let is_deleted = pod["metadata"]["deletionTimestamp"].is_string();
            if missing.contains(node) {
                remove(pod, Some(ORPHANED));
            } else if is_deleted && (node.is_empty() || out_of_service.contains(node)) {
                remove(pod, None);
            }
        }
    }

    /// Returns the nodes that have been missing for long enough.
    fn missing(&mut self, pods: &[Arc<Value>], nodes: &[Arc<Value>], now: Timestamp) -> HashSet<String> {
        let existing: HashSet<&str> = nodes.iter().map(name).collect();
        let is_missing = |node: &str| !node.is_empty() && !existing.contains(node);
        for node in pods.iter().map(|pod| node_of(pod)).filter(|node| is_missing(node)) {
            self.missing_since.entry(node.to_owned()).or_insert(now);
        }
        let is_due = |since: &Timestamp| now.duration_since(*since) >= QUARANTINE;
        let due = self.missing_since.iter().filter(|(_, since)| is_due(since));
        let missing = due.filter(|(node, _)| is_missing(node)).map(|(node, _)| node.clone());
        let missing = missing.collect();
        self.missing_since.retain(|_, since| !is_due(since));
        missing
    }
}

/// Returns the finished pods above the threshold: evicted ones first, then the oldest.
fn excess(pods: &[Arc<Value>], threshold: usize) -> Vec<&Arc<Value>> {
    let mut finished: Vec<&Arc<Value>> = pods.iter().filter(|pod| is_finished(pod)).collect();
    let excess = finished.len().saturating_sub(threshold);
    if excess > 0 {
        finished.sort_by_cached_key(|pod| {
            let is_evicted = pod["status"]["phase"] == "Failed" && pod["status"]["reason"] == "Evicted";
            let created = pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
            (!is_evicted, created.to_owned(), name(pod).to_owned())
        });
    }
    finished.truncate(excess);
    finished
}

fn is_finished(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

/// Whether an administrator has said that a node that is not ready will not come back.
fn is_out_of_service(node: &Value) -> bool {
    let any = |list: &Value, test: fn(&Value) -> bool| list.as_array().into_iter().flatten().any(test);
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    let is_taint = |taint: &Value| taint["key"] == "node.kubernetes.io/out-of-service";
    !any(&node["status"]["conditions"], is_ready) && any(&node["spec"]["taints"], is_taint)
}

fn name(object: &Arc<Value>) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn node_of(pod: &Value) -> &str {
    pod["spec"]["nodeName"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Key;

    fn create(store: &Store, resource: Resource, object: Value) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let key = Key::new(resource, text("namespace"), text("name"));
        store.create(key, object).unwrap();
    }

    fn pod(store: &Store, name: &str, node: Option<&str>, phase: &str) {
        let pod = json!({"metadata": {"name": name, "namespace": "default", "uid": name,
            "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"nodeName": node}, "status": {"phase": phase}});
        create(store, Resource::Pods, pod);
    }

    fn change(store: &Store, name: &str, change: impl Fn(&mut Value)) {
        let changed = store.modify(&Key::new(Resource::Pods, "default", name), |pod| {
            change(pod);
            Ok::<_, crate::store::StoreError>(())
        });
        changed.unwrap();
    }

    fn names(store: &Store) -> Vec<String> {
        let pods = store.list(Resource::Pods, None).0;
        pods.iter().map(|pod| name(pod).to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn pod_of_missing_node_goes_after_40_to_60_seconds() {
        let clock = Clock::scripted("2026-01-01T00:00:00Z".parse().unwrap());
        let store = Store::in_memory();
        create(&store, Resource::Nodes, json!({"metadata": {"name": "there"}}));
        let mut seen = store.watch(Resource::Pods, None, 0);
        let story = async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            for (name, node) in [
                ("a", Some("gone")),
                ("b", Some("there")),
                ("c", Some("late")),
                ("d", None),
            ] {
                pod(&store, name, node, "Running");
            }
            tokio::time::sleep(Duration::from_secs(39)).await;
            create(&store, Resource::Nodes, json!({"metadata": {"name": "late"}}));
            assert_eq!(names(&store), ["a", "b", "c", "d"]);
            tokio::time::sleep(Duration::from_secs(21)).await;
            assert_eq!(names(&store), ["b", "c", "d"]);
            tokio::time::sleep(Duration::from_secs(300)).await;
            assert_eq!(names(&store), ["b", "c", "d"]);
        };
        tokio::select! {
            () = run(&store, &clock) => {}
            () = story => {}
        }
        let last = loop {
            let event = seen.next().await.unwrap();
            if event.change == crate::store::Change::Deleted {
                break event.object;
            }
        };
        assert_eq!(last["status"]["phase"], "Failed");
        let condition = &last["status"]["conditions"][0];
        assert_eq!(condition["reason"], "DeletionByPodGC");
        assert_eq!(condition["message"], "PodGC: node no longer exists");
    }

    #[test]
    fn finished_pods_above_the_threshold_go_evicted_ones_first() {
        let store = Store::in_memory();
        create(&store, Resource::Nodes, json!({"metadata": {"name": "n"}}));
        for name in ["a", "b", "c", "d", "e"] {
            pod(&store, name, Some("n"), if name == "e" { "Running" } else { "Failed" });
        }
        change(&store, "d", |pod| pod["status"]["reason"] = json!("Evicted"));
        change(&store, "c", |pod| {
            pod["metadata"]["creationTimestamp"] = json!("2025-12-31T00:00:00Z");
        });
        let mut collector = Collector::default();
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        collector.sweep(&store, 3, now);
        assert_eq!(names(&store), ["a", "b", "c", "e"]);
        collector.sweep(&store, 2, now);
        assert_eq!(names(&store), ["a", "b", "e"]);
    }

    #[test]
    fn deleted_pod_without_a_working_node_goes_at_once() {
        let store = Store::in_memory();
        create(&store, Resource::Nodes, json!({"metadata": {"name": "well"}}));
        let taints = json!([{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}]);
        let broken = json!({"metadata": {"name": "broken"}, "spec": {"taints": taints}});
        create(&store, Resource::Nodes, broken);
        for (name, node) in [("a", None), ("b", Some("broken")), ("c", Some("well"))] {
            pod(&store, name, node, "Running");
            change(&store, name, |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:30Z");
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
            });
        }
        pod(&store, "d", Some("broken"), "Running");
        Collector::default().sweep(&store, THRESHOLD, "2026-01-01T00:00:01Z".parse().unwrap());
        assert_eq!(names(&store), ["c", "d"]);
    }
}
