//! The whole status of a pod: phase, conditions and container statuses, put into the object.

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, PodStatus};
use serde_json::{Map, Value, json};

use super::{
    conditions::{Condition, OWNED, all_restarting, conditions, is_owned},
    container_status::{Sources, Statuses, lost, seconds, state, terminated},
    phase::{Phase, phase},
    pod::{Kind, Pod},
    qos::qos_class,
    seen::Seen,
};
use crate::{features::Feature, quantity};

/// The message of a pod whose node goes down.
pub(super) const NODE_SHUTDOWN: &str = "Pod was terminated in response to imminent node shutdown.";

/// Why the kubelet itself ends a pod: it becomes Failed with this reason and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `status.reason`.
    pub reason: String,
    /// `status.message`.
    pub message: String,
    /// The grace period of its containers, where it is not the pod's own.
    pub grace: Option<i64>,
}

impl Verdict {
    /// A verdict.
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            grace: None,
        }
    }

    /// What a pod gets that takes more of the node than it may: its containers have hardly any time to end.
    pub fn evicted(message: String) -> Self {
        Self {
            grace: Some(1),
            ..Self::new("Evicted", message)
        }
    }

    /// What a pod gets whose node goes down (`pkg/kubelet/nodeshutdown`).
    pub fn node_shutdown(grace: i64) -> Self {
        Self {
            grace: Some(grace),
            ..Self::new("Terminated", NODE_SHUTDOWN)
        }
    }

    /// What a pod that outlives its `activeDeadlineSeconds` gets.
    pub fn deadline_exceeded() -> Self {
        Self::new(
            "DeadlineExceeded",
            "Pod was active on the node longer than the specified deadline",
        )
    }
}

/// How far the pod's life on the node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// Containers may run, and be started.
    Running,
    /// Its containers are being worked on: until that is done, only their readiness is news.
    Busy,
    /// No container runs or will run.
    Ended,
    /// The same, and this is the last word.
    Settled,
}

/// A pod's status, computed.
#[derive(Clone, Debug)]
pub struct Computed {
    /// The phase that the containers come to; a terminal one is not shown while any may still run.
    pub phase: Phase,
    /// The phase that is shown.
    shown: Phase,
    verdict: Option<Verdict>,
    statuses: Statuses,
    conditions: Vec<Condition>,
    /// What becomes of a resize; first of all conditions.
    resize: Vec<Condition>,
    pod_ips: Vec<IpAddr>,
    life: Life,
    /// It is told whether the sandbox stands.
    shows_sandbox: bool,
}

/// Computes the status. `host_ips` are the node's addresses.
pub fn compute(sources: &Sources<'_>, verdict: Option<&Verdict>, life: Life, host_ips: &[IpAddr]) -> Computed {
    let Sources {
        pod, seen, previous, ..
    } = sources;
    let mut statuses = match life {
        Life::Busy => sources.told_with_findings(),
        _ => sources.statuses(),
    };
    let before = previous.phase.as_deref().and_then(Phase::parse).unwrap_or_default();
    let mut now = phase(pod, &statuses, seen.has_begun(pod), life >= Life::Ended);
    if before.is_terminal() {
        now = before;
    }
    if verdict.is_some() {
        now = Phase::Failed;
    }
    // The last word changes no conditions: those of a pod that ends before it ever ran stay as they were
    // (`status_manager.go`, `TerminatePod`).
    let mut conditions = conditions(pod, seen, &statuses, now, previous);
    conditions.extend(all_restarting(pod, seen, now, previous));
    if life == Life::Settled {
        settle(sources.was_initialized, &mut statuses);
        if !now.is_terminal() && !pod.is_static {
            now = Phase::Failed;
        }
    }
    let hold_back = now.is_terminal() && !before.is_terminal() && life < Life::Ended;
    if life >= Life::Ended && now.is_terminal() {
        // The sandbox has been stopped, or never was.
        conditions[0].holds = false;
    }
    Computed {
        phase: now,
        resize: sources.resize.to_vec(),
        shown: if hold_back { before } else { now },
        verdict: verdict.cloned().filter(|_| !hold_back),
        conditions,
        pod_ips: pod_ips(pod, seen, host_ips),
        statuses,
        life,
        shows_sandbox: sources.features.has(Feature::PodReadyToStartContainersCondition),
    }
}

/// Whether a pod's init containers have done their work, as far as its status tells (`status_manager.go`, `hasPodInitialized`).
pub(super) fn has_initialized(pod: &Pod, status: &PodStatus) -> bool {
    let ended_well = |state: Option<&ContainerState>| {
        state
            .and_then(|state| state.terminated.as_ref())
            .is_some_and(|ended| ended.exit_code == 0)
    };
    let Some(last) = pod.init().next_back() else {
        return true;
    };
    if status.container_statuses.iter().flatten().any(has_begun) {
        return true;
    }
    let mut init = status.init_container_statuses.iter().flatten();
    init.find(|status| status.name == last.name())
        .is_some_and(|status| match last.kind {
            Kind::Sidecar => state(status).running.is_some() && status.started == Some(true),
            _ => ended_well(status.state.as_ref()) || ended_well(status.last_state.as_ref()),
        })
}

fn has_begun(status: &ContainerStatus) -> bool {
    let last_ended = status.last_state.as_ref().is_some_and(|last| last.terminated.is_some());
    state(status).waiting.is_none() || last_ended
}

/// Containers of which no end is known get one, once the pod is over (`status_manager.go`, `TerminatePod`).
fn settle(was_initialized: bool, statuses: &mut Statuses) {
    // All init containers up to the last one that was ever started, and the first in any case.
    let init_begun = statuses.init.iter().rposition(has_begun).map_or(1, |index| index + 1);
    let init = statuses.init.iter_mut().take(init_begun);
    let regular = statuses.regular.iter_mut().filter(|_| was_initialized);
    for status in init.chain(regular) {
        if state(status).terminated.is_none() {
            status.state = Some(terminated(lost(None)));
            status.ready = false;
            status.started = Some(false);
        }
    }
}

fn pod_ips(pod: &Pod, seen: &Seen, host_ips: &[IpAddr]) -> Vec<IpAddr> {
    match seen.sandbox() {
        Some(_) if pod.host_network() => host_ips.to_vec(),
        Some(sandbox) => sandbox.ips.clone(),
        None => Vec::new(),
    }
}

impl Computed {
    /// Writes it into the object's status; what others own there stays.
    pub fn write(&self, pod: &Pod, status: &mut Value, host_ips: &[IpAddr], now: Timestamp) {
        if !status.is_object() {
            *status = json!({});
        }
        let now = json!(seconds(now));
        let conditions = self.merged_conditions(pod, &status["conditions"], &now);
        let Some(fields) = status.as_object_mut() else { return };
        fields.insert("conditions".into(), conditions);
        for (name, list) in [
            ("containerStatuses", &self.statuses.regular),
            ("initContainerStatuses", &self.statuses.init),
            ("ephemeralContainerStatuses", &self.statuses.ephemeral),
        ] {
            set(fields, name, (!list.is_empty()).then(|| json!(list)));
        }
        if self.shown.as_str() != fields.get("phase").and_then(Value::as_str).unwrap_or_default()
            || self.verdict.is_some()
        {
            // Reason and message belong to the phase that they came with.
            let verdict = self.verdict.as_ref();
            set(fields, "reason", verdict.map(|verdict| json!(verdict.reason)));
            set(fields, "message", verdict.map(|verdict| json!(verdict.message)));
        }
        fields.insert("phase".into(), json!(self.shown.as_str()));
        set(
            fields,
            "observedGeneration",
            pod.generation.map(|generation| json!(generation)),
        );
        set_addresses(fields, "hostIP", "hostIPs", host_ips);
        if !self.pod_ips.is_empty() {
            set_addresses(fields, "podIP", "podIPs", &self.pod_ips);
        }
        fields.entry("qosClass").or_insert_with(|| json!(qos_class(pod)));
        fields.entry("startTime").or_insert(now);
        let (requests, limits) = quantity::of_pod(&pod.spec);
        set(
            fields,
            "allocatedResources",
            (!requests.is_empty()).then(|| json!(requests)),
        );
        let mut resources = Map::new();
        set(&mut resources, "limits", (!limits.is_empty()).then(|| json!(limits)));
        set(
            &mut resources,
            "requests",
            (!requests.is_empty()).then(|| json!(requests)),
        );
        fields.insert("resources".into(), Value::Object(resources));
    }

    fn merged_conditions(&self, pod: &Pod, current: &Value, now: &Value) -> Value {
        let current: Vec<&Value> = current.as_array().into_iter().flatten().collect();
        let kind = |condition: &Value| condition["type"].as_str().unwrap_or_default().to_owned();
        let others = current.iter().filter(|condition| !is_owned(&kind(condition)));
        let mut merged: Vec<Value> = others.map(|condition| Value::clone(condition)).collect();
        for condition in self
            .resize
            .iter()
            .chain(&self.conditions)
            .filter(|condition| self.is_shown(condition))
        {
            let status = if condition.holds { "True" } else { "False" };
            let before = current
                .iter()
                .find(|before| kind(before) == condition.kind && before["status"] == status);
            let since = before.map_or(now, |before| &before["lastTransitionTime"]);
            let mut fields = Map::new();
            fields.insert("lastProbeTime".into(), Value::Null);
            fields.insert("lastTransitionTime".into(), since.clone());
            let text = |text: &str| (!text.is_empty()).then(|| json!(text));
            set(&mut fields, "message", text(&condition.message));
            set(
                &mut fields,
                "observedGeneration",
                pod.generation.map(|generation| json!(generation)),
            );
            set(&mut fields, "reason", text(condition.reason));
            fields.insert("status".into(), json!(status));
            fields.insert("type".into(), json!(condition.kind));
            merged.push(Value::Object(fields));
        }
        Value::Array(merged)
    }

    fn is_shown(&self, condition: &Condition) -> bool {
        condition.kind != OWNED[0] || self.shows_sandbox
    }

    /// Whether no container runs or will run.
    pub fn is_over(&self) -> bool {
        self.life >= Life::Ended
    }

    /// Whether the pod's sandbox stands.
    pub fn sandbox_is_ready(&self) -> bool {
        self.conditions
            .iter()
            .any(|condition| condition.kind == OWNED[0] && condition.holds)
    }

    /// The statuses.
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }
}

fn set(fields: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => fields.insert(name.to_owned(), value),
        None => fields.shift_remove(name),
    };
}

fn set_addresses(fields: &mut Map<String, Value>, one: &str, all: &str, addresses: &[IpAddr]) {
    let Some(first) = addresses.first() else { return };
    fields.insert(one.into(), json!(first.to_string()));
    let list: Vec<Value> = addresses
        .iter()
        .map(|address| json!({"ip": address.to_string()}))
        .collect();
    fields.insert(all.into(), Value::Array(list));
}

/// The status that a pod gets which the node refuses to run.
pub fn refused(pod: &Pod, verdict: &Verdict, status: &mut Value, now: Timestamp) {
    let start_time = status["startTime"].clone();
    *status = json!({
        "message": format!("Pod was rejected: {}", verdict.message),
        "observedGeneration": pod.generation,
        "phase": Phase::Failed.as_str(),
        "qosClass": qos_class(pod),
        "reason": verdict.reason,
        "startTime": if start_time.is_null() { json!(seconds(now)) } else { start_time },
    });
}

/// What the status says of the sidecars and containers that a prober asks about.
pub fn started(previous: &PodStatus, pod: &Pod, name: &str) -> bool {
    let list = match pod.container(name).map(|declared| declared.kind) {
        Some(Kind::Init | Kind::Sidecar) => &previous.init_container_statuses,
        _ => &previous.container_statuses,
    };
    let status = list.iter().flatten().find(|status| status.name == name);
    status.is_some_and(|status| status.started == Some(true))
}
