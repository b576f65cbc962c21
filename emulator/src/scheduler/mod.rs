//! Places pods on the one node.

pub mod fit;
mod pod_affinity;
mod preemption;
pub mod schedule;
mod selector;
mod topology_spread;

use std::{borrow::Cow, future::Future, sync::Arc};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::{
    pod_affinity::with_selected_namespaces,
    schedule::{Decision, schedule},
};
use crate::{
    api::deletion,
    clock::Clock,
    events::{EventType, Recorder},
    store::{Change, Key, Resource, Store, StoreError, WatchEvent},
};

/// The scheduler that pods get where they name none.
const NAME: &str = "default-scheduler";

/// Binds pods to the node.
pub struct Scheduler {
    store: Store,
    clock: Clock,
    recorder: Recorder,
    node: String,
}

#[derive(Debug, thiserror::Error)]
enum BindError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the pod has changed meanwhile")]
    Changed,
}

impl Scheduler {
    /// A scheduler for the node of that name.
    pub fn new(store: Store, clock: Clock, recorder: Recorder, node: &str) -> Self {
        Self {
            store,
            clock,
            recorder,
            node: node.to_owned(),
        }
    }

    /// Places pods as they come, and those that wait as things change, until `shutdown`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = self.serve() => {}
            () = shutdown => {}
        }
    }

    async fn serve(&self) {
        loop {
            let (_, version) = self.store.list(Resource::Pods, None);
            self.retry();
            let mut pods = self.store.watch(Resource::Pods, None, version);
            let mut nodes = self.store.watch(Resource::Nodes, None, version);
            loop {
                let event = tokio::select! {
                    event = pods.next() => event,
                    event = nodes.next() => event,
                };
                match event {
                    Ok(event) => self.take(&event),
                    // Too far behind: look at everything afresh.
                    Err(_) => break,
                }
            }
        }
    }

    fn take(&self, event: &WatchEvent) {
        if event.key.resource == Resource::Nodes {
            self.retry();
            return;
        }
        let gave_room = event.change == Change::Deleted
            || (is_over(&event.object) && event.previous.as_deref().is_some_and(|previous| !is_over(previous)));
        if gave_room {
            self.retry();
            return;
        }
        let spec_changed = event
            .previous
            .as_deref()
            .is_none_or(|previous| previous["spec"] != event.object["spec"]);
        if spec_changed && is_ours(&event.object) {
            self.place(&event.object);
        }
    }

    fn retry(&self) {
        for pod in self.store.list(Resource::Pods, None).0 {
            if is_ours(&pod) {
                self.place(&pod);
            }
        }
    }

    fn place(&self, pod: &Arc<Value>) {
        let node = self.store.get(&Key::new(Resource::Nodes, "", &self.node));
        let there: Vec<Arc<Value>> = self
            .store
            .list(Resource::Pods, None)
            .0
            .into_iter()
            .filter(|other| other["spec"]["nodeName"] == self.node.as_str())
            .collect();
        let (namespaces, _) = self.store.list(Resource::Namespaces, None);
        let settled: Vec<Cow<'_, Value>> = there
            .iter()
            .map(|other| with_selected_namespaces(other, &namespaces))
            .collect();
        let there: Vec<&Value> = settled.iter().map(AsRef::as_ref).collect();
        let wanted = with_selected_namespaces(pod, &namespaces);
        let (reason, message) = match schedule(&wanted, node.as_deref(), &there) {
            Decision::Bind => return self.bind(pod),
            Decision::Gated => (
                "SchedulingGated",
                "Scheduling is blocked due to non-empty scheduling gates".to_owned(),
            ),
            Decision::Unschedulable(message) => ("Unschedulable", message),
            Decision::Preempts(victims, message) => return self.preempt(pod, &victims, &message),
            Decision::Waits => return,
        };
        let before = condition(pod);
        if before.is_some_and(|before| before["reason"] == reason && before["message"] == message.as_str()) {
            return;
        }
        let now = self.clock.now();
        let written = self.store.modify(&key(pod), |object| {
            still(object, pod)?;
            let generation = (reason != "SchedulingGated").then(|| object["metadata"]["generation"].clone());
            set_condition(object, "False", Some((reason, &message)), generation.as_ref(), now);
            Ok::<_, BindError>(())
        });
        if written.is_ok() && reason == "Unschedulable" {
            self.recorder
                .scheduler_event(pod, "Scheduling", EventType::Warning, "FailedScheduling", &message);
        }
    }

    /// Has others go for a pod, which waits for them.
    fn preempt(&self, pod: &Arc<Value>, victims: &[Value], message: &str) {
        let now = self.clock.now();
        let written = self.store.modify(&key(pod), |object| {
            still(object, pod)?;
            let generation = object["metadata"]["generation"].clone();
            set_condition(
                object,
                "False",
                Some(("Unschedulable", message)),
                Some(&generation),
                now,
            );
            object["status"]["nominatedNodeName"] = json!(self.node);
            Ok::<_, BindError>(())
        });
        if written.is_err() {
            // It has changed meanwhile, and comes again.
            return;
        }
        self.recorder
            .scheduler_event(pod, "Scheduling", EventType::Warning, "FailedScheduling", message);
        for victim in victims {
            let disrupt = |pod: &mut Value| disrupt(pod, now);
            if deletion::carry_out(&self.store, Resource::Pods, victim, None, now, disrupt).is_ok() {
                let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
                let message = format!("Preempted by pod {uid} on node {}", self.node);
                self.recorder
                    .scheduler_event(victim, "Preempting", EventType::Normal, "Preempted", &message);
            }
        }
    }

    fn bind(&self, pod: &Arc<Value>) {
        let now = self.clock.now();
        let bound = self.store.modify(&key(pod), |object| {
            still(object, pod)?;
            object["spec"]["nodeName"] = json!(self.node);
            if let Some(status) = object["status"].as_object_mut() {
                status.shift_remove("nominatedNodeName");
            }
            let generation = object["metadata"]["generation"].clone();
            set_condition(object, "True", None, Some(&generation), now);
            Ok::<_, BindError>(())
        });
        // A pod that has changed comes again; a full disk keeps it waiting.
        if bound.is_ok() {
            let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
            let message = format!(
                "Successfully assigned {}/{} to {}",
                text("namespace"),
                text("name"),
                self.node
            );
            self.recorder
                .scheduler_event(pod, "Binding", EventType::Normal, "Scheduled", &message);
        }
    }
}

fn key(pod: &Value) -> Key {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
    Key::new(Resource::Pods, text("namespace"), text("name"))
}

/// Whether the pod has ended: it holds nothing any more.
fn is_over(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

/// Whether the pod waits for this scheduler.
fn is_ours(pod: &Value) -> bool {
    let unbound = pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty();
    let named = pod["spec"]["schedulerName"].as_str().is_none_or(|name| name == NAME);
    unbound && named && !is_over(pod) && !pod["metadata"]["deletionTimestamp"].is_string()
}

fn still(object: &Value, pod: &Value) -> Result<(), BindError> {
    let same = object["metadata"]["uid"] == pod["metadata"]["uid"] && object["spec"] == pod["spec"] && is_ours(object);
    if same { Ok(()) } else { Err(BindError::Changed) }
}

/// Says on a pod why it goes.
fn disrupt(pod: &mut Value, now: Timestamp) {
    let mut conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "DisruptionTarget");
    conditions.push(json!({
        "lastProbeTime": null,
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "message": "default-scheduler: preempting to accommodate a higher priority pod",
        "observedGeneration": pod["metadata"]["generation"],
        "reason": "PreemptionByScheduler",
        "status": "True",
        "type": "DisruptionTarget",
    }));
    pod["status"]["conditions"] = Value::Array(conditions);
}

fn condition(pod: &Value) -> Option<&Value> {
    let mut all = pod["status"]["conditions"].as_array()?.iter();
    all.find(|condition| condition["type"] == "PodScheduled")
}

fn set_condition(
    object: &mut Value,
    status: &str,
    why: Option<(&str, &str)>,
    generation: Option<&Value>,
    now: Timestamp,
) {
    let before = condition(object).filter(|before| before["status"] == status);
    let since = before.map_or_else(
        || json!(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        |before| before["lastTransitionTime"].clone(),
    );
    let mut fields = Map::new();
    fields.insert("lastProbeTime".into(), Value::Null);
    fields.insert("lastTransitionTime".into(), since);
    if let Some((_, message)) = why {
        fields.insert("message".into(), json!(message));
    }
    if let Some(generation) = generation.filter(|generation| !generation.is_null()) {
        fields.insert("observedGeneration".into(), generation.clone());
    }
    if let Some((reason, _)) = why {
        fields.insert("reason".into(), json!(reason));
    }
    fields.insert("status".into(), json!(status));
    fields.insert("type".into(), json!("PodScheduled"));
    let mut conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(Value::Object(fields));
    object["status"]["conditions"] = Value::Array(conditions);
}
