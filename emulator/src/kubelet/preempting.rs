//! Making room for a critical pod that the node has to run: its admission ends others and waits for that.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    admission::{self, lacking},
    node::{Node, RoomFor},
    pod::Pod,
    pod_status::{NODE_SHUTDOWN, Verdict},
    preemption::{is_critical, victims},
    worker::Worker,
};
use crate::{
    events::EventType,
    runtime::PodRef,
    store::{Key, Resource, StoreError},
};

/// How often it is looked whether the others have gone.
const LOOK: Duration = Duration::from_millis(100);

/// Takes the pod, after others have made room for it where it is critical, or says why not.
pub(super) async fn admit(node: &Node, pod: &Pod) -> Result<(), Verdict> {
    let Err(refused) = admission::admit(node, pod) else {
        return Ok(());
    };
    let short = lacking(node, pod);
    if short.is_empty() || !is_critical(&pod.object) {
        return Err(refused);
    }
    let others = others(node, pod);
    let others: Vec<&Value> = others.iter().map(AsRef::as_ref).collect();
    let victims = victims(&pod.object, &short, &others).map_err(|why| {
        let what = "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt";
        Verdict::new("UnexpectedAdmissionError", format!("{what}: {why}"))
    })?;
    let keys: Vec<Key> = victims.iter().map(|victim| key(victim)).collect();
    for victim in &victims {
        // Without a receiver the node itself is going down.
        drop(node.make_room.send((PodRef::of(victim).uid, RoomFor::Pod)));
    }
    while keys
        .iter()
        .any(|key| node.store.get(key).is_some_and(|pod| !is_over(&pod)))
    {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn others(node: &Node, pod: &Pod) -> Vec<Arc<Value>> {
    let all = node.store.list(Resource::Pods, None).0.into_iter();
    all.filter(|other| other["spec"]["nodeName"] == node.name.as_str())
        .filter(|other| PodRef::of(other).uid != pod.uid && !is_over(other))
        .collect()
}

fn is_over(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

fn key(pod: &Value) -> Key {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
    Key::new(Resource::Pods, text("namespace"), text("name"))
}

impl Worker {
    /// Ends for a critical pod, or for the node: says so, on the pod too.
    pub(super) fn make_room(&mut self, room: &RoomFor) {
        let (verdict, why) = match room {
            RoomFor::Pod => (
                Verdict::new("Preempting", "Preempted in order to admit critical pod"),
                "Pod was preempted by Kubelet to accommodate a critical pod.",
            ),
            RoomFor::Node(message) => (Verdict::evicted(message.clone()), message.as_str()),
            RoomFor::Shutdown(grace) => (Verdict::node_shutdown(*grace), NODE_SHUTDOWN),
        };
        if !matches!(room, RoomFor::Shutdown(_)) {
            self.node
                .pod_event(&self.pod, EventType::Warning, &verdict.reason, &verdict.message);
        }
        let now = super::container_status::seconds(self.node.clock.now());
        let marked = self.node.store.modify(&key(&self.pod.object), |object| {
            let condition = serde_json::json!({
                "lastProbeTime": null,
                "lastTransitionTime": now,
                "message": why,
                "observedGeneration": object["metadata"]["generation"],
                "reason": "TerminationByKubelet",
                "status": "True",
                "type": "DisruptionTarget",
            });
            let mut conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.retain(|other| other["type"] != "DisruptionTarget");
            conditions.insert(0, condition);
            object["status"]["conditions"] = Value::Array(conditions);
            Ok::<_, StoreError>(())
        });
        if let Ok(object) = marked {
            self.publisher
                .take_conditions(&self.pod, &object["status"]["conditions"]);
        }
        self.verdict = Some(verdict);
    }
}
