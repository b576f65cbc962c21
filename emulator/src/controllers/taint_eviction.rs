//! `NoExecute` taints of a node: pods that do not tolerate them go, at once or when their `tolerationSeconds` are over
//! (`pkg/controller/tainteviction`).

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use crate::{
    api::{condition::Condition, deletion},
    clock::Clock,
    events::{EventType, Recorder},
    scheduler::fit::toleration,
    store::{Resource, Store},
};

const COMPONENT: &str = "taint-eviction-controller";

/// What a pod says of itself that has to go.
const CONDITION: Condition = Condition {
    kind: "DisruptionTarget",
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
};

/// Looks after the pods of every node; never ends.
pub(super) async fn run(store: &Store, clock: &Clock, recorder: &Recorder) {
    let mut tolerating = Tolerating::default();
    loop {
        let mut nodes = store.watch(Resource::Nodes, None, store.version());
        let mut pods = store.watch(Resource::Pods, None, store.version());
        loop {
            let next = tolerating.sweep(store, recorder, clock.now());
            let wait = async {
                match next {
                    Some(next) => tokio::time::sleep(next).await,
                    None => std::future::pending().await,
                }
            };
            let is_kept = tokio::select! {
                event = nodes.next() => event.is_ok(),
                event = pods.next() => event.is_ok(),
                () = wait => true,
            };
            // Too far behind: what there is now is looked at anyway.
            if !is_kept {
                break;
            }
        }
    }
}

/// Since when pods tolerate what they do not tolerate for ever, by UID.
#[derive(Default)]
struct Tolerating(HashMap<String, Timestamp>);

impl Tolerating {
    /// Has those go whose time is over; returns how long it is until the next.
    fn sweep(&mut self, store: &Store, recorder: &Recorder, now: Timestamp) -> Option<Duration> {
        let (nodes, _) = store.list(Resource::Nodes, None);
        let tainted: Vec<(&Value, Vec<&Value>)> = nodes
            .iter()
            .map(|node| (&node["metadata"]["name"], no_execute(node)))
            .filter(|(_, taints)| !taints.is_empty())
            .collect();
        if tainted.is_empty() && self.0.is_empty() {
            return None;
        }
        let mut next: Option<Duration> = None;
        let mut still = HashMap::new();
        for pod in store.list(Resource::Pods, None).0 {
            let uid = text(&pod, "uid");
            if pod["metadata"]["deletionTimestamp"].is_string() {
                continue;
            }
            let taints = tainted.iter().find(|(name, _)| pod["spec"]["nodeName"] == **name);
            let stay = taints.map_or(Stay::Always, |(_, taints)| stay(&pod, taints));
            let before = self.0.get(uid).copied();
            let Stay::For(time) = stay else {
                if before.is_some() {
                    say(recorder, &pod, "Cancelling deletion of");
                }
                continue;
            };
            let since = before.unwrap_or(now);
            let left = time.saturating_sub(now.duration_since(since));
            if left.is_positive() {
                let left = left.unsigned_abs();
                next = Some(next.map_or(left, |next| next.min(left)));
                still.insert(uid.to_owned(), since);
            } else {
                say(recorder, &pod, "Marking for deletion");
                let set = |pod: &mut Value| CONDITION.set(pod, now);
                // What the disk does not take is tried again with the next change.
                drop(deletion::carry_out(store, Resource::Pods, &pod, None, now, set));
            }
        }
        self.0 = still;
        next
    }
}

fn text<'a>(pod: &'a Value, field: &str) -> &'a str {
    pod["metadata"][field].as_str().unwrap_or_default()
}

fn no_execute(node: &Value) -> Vec<&Value> {
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.filter(|taint| taint["effect"] == "NoExecute").collect()
}

/// How long a pod may stay.
#[derive(Debug, PartialEq, Eq)]
enum Stay {
    Always,
    For(SignedDuration),
}

/// The shortest time of the tolerations that let it stay; none where one of the taints is not tolerated.
fn stay(pod: &Value, taints: &[&Value]) -> Stay {
    let spec: PodSpec = serde_json::from_value(pod["spec"].clone()).unwrap_or_default();
    let mut shortest: Option<i64> = None;
    for taint in taints {
        let field = |field: &str| taint[field].as_str().unwrap_or_default();
        let Some(toleration) = toleration(&spec, field("key"), field("value"), "NoExecute") else {
            return Stay::For(SignedDuration::ZERO);
        };
        if let Some(seconds) = toleration.toleration_seconds {
            shortest = Some(shortest.map_or(seconds, |shortest| shortest.min(seconds)));
        }
    }
    shortest.map_or(Stay::Always, |seconds| {
        Stay::For(SignedDuration::from_secs(seconds.max(0)))
    })
}

fn say(recorder: &Recorder, pod: &Value, what: &str) {
    let message = format!("{what} Pod {}/{}", text(pod, "namespace"), text(pod, "name"));
    recorder.controller_event(COMPONENT, pod, EventType::Normal, "TaintManagerEviction", &message);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{Key, StoreError};

    fn toleration(seconds: Option<i64>) -> Value {
        json!({"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds})
    }

    #[test]
    fn the_shortest_toleration_counts_and_every_taint_needs_one() {
        let (taint, other) = (json!({"key": "k"}), json!({"key": "other"}));
        let pod = |tolerations: &[Value]| json!({"spec": {"containers": [], "tolerations": tolerations}});
        assert_eq!(stay(&pod(&[]), &[&taint]), Stay::For(SignedDuration::ZERO));
        assert_eq!(stay(&pod(&[toleration(None)]), &[&taint]), Stay::Always);
        assert_eq!(
            stay(&pod(&[toleration(None)]), &[&taint, &other]),
            Stay::For(SignedDuration::ZERO)
        );
        let any = json!({"operator": "Exists", "tolerationSeconds": 5});
        assert_eq!(
            stay(&pod(&[toleration(Some(60)), any]), &[&taint, &other]),
            Stay::For(SignedDuration::from_secs(5))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn pods_go_when_their_time_is_over_and_stay_where_the_taint_goes_first() {
        let clock = Clock::scripted("2026-01-01T00:00:00Z".parse().unwrap());
        let store = Store::in_memory();
        crate::controllers::namespaces::ensure_built_in(&store, clock.now());
        let recorder = Recorder::new(store.clone(), clock.clone(), "n");
        let node = Key::new(Resource::Nodes, "", "n");
        store
            .create(node.clone(), json!({"metadata": {"name": "n"}, "spec": {}}))
            .unwrap();
        for (name, tolerations) in [
            ("short", toleration(Some(10))),
            ("long", toleration(Some(60))),
            ("none", json!({})),
        ] {
            let pod = json!({"metadata": {"name": name, "namespace": "default", "uid": name,
                "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"nodeName": "n", "containers": [], "tolerations": [tolerations]}, "status": {}});
            store.create(Key::new(Resource::Pods, "default", name), pod).unwrap();
        }
        let taints = |taints: Value| {
            let written = store.modify(&node, |node| {
                node["spec"]["taints"] = taints.clone();
                Ok::<_, StoreError>(())
            });
            written.unwrap();
        };
        let going = || -> Vec<String> {
            let pods = store.list(Resource::Pods, None).0;
            let going = pods
                .iter()
                .filter(|pod| pod["metadata"]["deletionTimestamp"].is_string());
            going.map(|pod| text(pod, "name").to_owned()).collect()
        };
        let watching = run(&store, &clock, &recorder);
        let story = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            taints(json!([{"key": "k", "effect": "NoExecute"}]));
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(going(), ["none"]);
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(going(), ["none", "short"]);
            taints(json!([]));
            tokio::time::sleep(Duration::from_secs(100)).await;
            assert_eq!(going(), ["none", "short"]);
        };
        tokio::select! {
            () = watching => {}
            () = story => {}
        }
        let mut said: Vec<String> = store
            .list(Resource::Events, None)
            .0
            .iter()
            .map(|event| event["message"].to_string())
            .collect();
        said.sort();
        assert_eq!(
            said,
            [
                "\"Cancelling deletion of Pod default/long\"",
                "\"Marking for deletion Pod default/none\"",
                "\"Marking for deletion Pod default/short\"",
            ]
        );
        let pod = store.get(&Key::new(Resource::Pods, "default", "none")).unwrap();
        assert_eq!(pod["status"]["conditions"][0]["reason"], "DeletionByTaintManager");
    }
}
