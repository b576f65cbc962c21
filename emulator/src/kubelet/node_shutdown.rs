//! Ends the node's pods when the node itself goes down (`pkg/kubelet/nodeshutdown`).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::Value;

use super::{
    node::{Node, RoomFor},
    preemption::CRITICAL,
};
use crate::{
    events::EventType,
    runtime::{ContainerState, PodRef},
    store::{Key, Resource},
};

/// How often the pods are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long killing a pod and writing its last status may take beyond its grace period.
const SETTLE: Duration = Duration::from_secs(2);

/// Ends the pods of one node.
pub struct NodeShutdown(pub(super) Arc<Node>);

impl NodeShutdown {
    /// Ends all pods, critical ones after the others: preStop hooks run and processes get their stop signal within each
    /// pod's grace period. After `timeout` it returns, whether or not all have ended. No pod is admitted from now on.
    pub async fn end_pods(&self, timeout: Duration) {
        let node = &self.0;
        node.is_shutting_down.store(true, Ordering::Relaxed);
        let message = "Shutdown manager detected shutdown event";
        node.own_event(EventType::Normal, "Shutdown", message);
        let pods = node.store.list(Resource::Pods, None).0.into_iter();
        let pods = pods.filter(|pod| pod["spec"]["nodeName"] == node.name.as_str() && !is_finished(pod));
        for group in groups(pods.collect(), timeout) {
            for pod in &group.pods {
                // Without a receiver there is no kubelet any more.
                drop(
                    node.make_room
                        .send((PodRef::of(pod).uid, RoomFor::Shutdown(group.grace_period(pod)))),
                );
            }
            let ended = async {
                for pod in &group.pods {
                    while !self.has_ended(pod).await {
                        tokio::time::sleep(LOOK).await;
                    }
                }
            };
            drop(tokio::time::timeout(group.time + SETTLE, ended).await);
        }
    }

    /// Whether nothing of the pod runs and its last status is written.
    async fn has_ended(&self, pod: &Value) -> bool {
        let Ok(status) = self.0.runtime.pod_status(&PodRef::of(pod)).await else {
            return false;
        };
        let mut containers = status.containers.iter();
        let runs = containers.any(|container| container.state == ContainerState::Running)
            || status.sandboxes.iter().any(|sandbox| sandbox.ready);
        let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
        let key = Key::new(Resource::Pods, text("namespace"), text("name"));
        let is_over = |now: Arc<Value>| is_finished(&now) || now["metadata"]["uid"] != pod["metadata"]["uid"];
        !runs && self.0.store.get(&key).is_none_or(is_over)
    }
}

/// Pods that end together.
struct Group {
    pods: Vec<Arc<Value>>,
    time: Duration,
}

impl Group {
    /// The pod's own grace period, in seconds, as far as the group's time allows it.
    fn grace_period(&self, pod: &Value) -> i64 {
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
        own.min(i64::try_from(self.time.as_secs()).unwrap_or(i64::MAX))
    }
}

/// Returns the pods in the order in which they end. Of the time, critical pods get a third where there are others.
fn groups(pods: Vec<Arc<Value>>, timeout: Duration) -> Vec<Group> {
    let is_critical = |pod: &Arc<Value>| pod["spec"]["priority"].as_i64().is_some_and(|own| own >= CRITICAL);
    let (critical, usual): (Vec<_>, Vec<_>) = pods.into_iter().partition(is_critical);
    let share = if usual.is_empty() { timeout } else { timeout / 3 };
    let rest = if critical.is_empty() { timeout } else { timeout - share };
    [(usual, rest), (critical, share)]
        .into_iter()
        .filter(|(pods, _)| !pods.is_empty())
        .map(|(pods, time)| Group { pods, time })
        .collect()
}

fn is_finished(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn critical_pods_end_last_with_a_third_of_the_time() {
        let pod = |name: &str, priority: i64, grace: i64| {
            Arc::new(json!({"metadata": {"name": name},
                "spec": {"priority": priority, "terminationGracePeriodSeconds": grace}}))
        };
        let (dns, web, job) = (pod("dns", CRITICAL, 30), pod("web", 0, 30), pod("job", 9, 5));
        let shown = |pods: Vec<Arc<Value>>| -> Vec<(u64, Vec<(String, i64)>)> {
            let groups = groups(pods, Duration::from_secs(30)).into_iter();
            groups
                .map(|group| {
                    let pods = group.pods.iter();
                    let pods = pods.map(|pod| (pod["metadata"]["name"].to_string(), group.grace_period(pod)));
                    (group.time.as_secs(), pods.collect())
                })
                .collect()
        };
        let name = |name: &str| format!("\"{name}\"");
        assert_eq!(
            shown(vec![dns.clone(), web.clone(), job]),
            [
                (20, vec![(name("web"), 20), (name("job"), 5)]),
                (10, vec![(name("dns"), 10)])
            ]
        );
        assert_eq!(shown(vec![web]), [(30, vec![(name("web"), 30)])]);
        assert_eq!(shown(vec![dns]), [(30, vec![(name("dns"), 30)])]);
    }
}
