//! The description for programs: a documented, versioned schema.
//!
//! `apiVersion` is `kubectl-pod/v1`. Fields are only ever added to it; what has no value is left out. Times are RFC 3339,
//! durations whole seconds. Secret values are in none of it.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::findings::reading::Reading;
use crate::findings::{Finding, Verdict as Judgement};
use crate::pod::condition::{Condition, Verdict};
use crate::pod::container::{Container, Ended, Role, State};
use crate::pod::event::Event;
use crate::pod::probe;

/// The version of the schema.
pub const API_VERSION: &str = "kubectl-pod/v1";

/// One pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRecord {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
    /// The moment that everything relative is measured against.
    as_of: Timestamp,
    /// STATUS of `kubectl get`, which is computed.
    status: String,
    /// `status.phase`.
    phase: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    ready: usize,
    containers_total: usize,
    restarts: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pod_ips: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qos_class: Option<String>,
    restart_policy: String,
    grace_period_seconds: i64,
    is_static: bool,
    /// Where a static pod comes from.
    #[serde(rename = "static", skip_serializing_if = "Option::is_none")]
    static_pod: Option<StaticRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    owners: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    readiness_gates: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scheduling_gates: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination: Option<TerminationRecord>,
    labels: BTreeMap<String, String>,
    conditions: Vec<ConditionRecord>,
    containers: Vec<ContainerRecord>,
    events: Vec<EventRecord>,
    /// Why there are no events, where they could not be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    events_error: Option<String>,
    /// What could not be looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
    /// `healthy`, `done`, `onItsWay`, `unknown`, `atRisk` or `broken`.
    verdict: Judgement,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StaticRecord {
    /// `file` or `http`.
    source: String,
    /// The UID that the pod's events carry.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror_uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TerminationRecord {
    deadline: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<Timestamp>,
    remaining_seconds: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    finalizers: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConditionRecord {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    /// `good`, `bad` or `open`: whether the status is the one to wish for.
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerRecord {
    name: String,
    /// `init`, `sidecar`, `regular` or `ephemeral`.
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// `unreported`, `waiting`, `running` or `terminated`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<EndedRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ended: Option<EndedRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_restart: Option<Timestamp>,
    ready: bool,
    started: bool,
    restarts: i32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    probes: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EndedRecord {
    exit_code: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Timestamp>,
}

/// One event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    #[serde(rename = "type")]
    kind: String,
    reason: String,
    message: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    count: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
}

/// The kind of several pods, which have `items`.
pub const LIST_KIND: &str = "PodDescriptionList";

/// A pod, written down.
pub fn of(reading: &Reading) -> Value {
    serde_json::to_value(PodRecord::of(reading)).unwrap_or_default()
}

impl PodRecord {
    /// Writes the facts down.
    pub fn of(reading: &Reading) -> Self {
        let facts = &reading.facts;
        let (spec, status) = (facts.spec(), facts.status());
        let given = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
        Self {
            api_version: API_VERSION,
            kind: "PodDescription",
            name: facts.name.clone(),
            namespace: facts.namespace.clone(),
            uid: facts.uid.clone(),
            as_of: facts.now,
            status: facts.computed.status.clone(),
            phase: facts.phase.clone(),
            reason: given(status.and_then(|status| status.reason.as_ref())),
            message: given(status.and_then(|status| status.message.as_ref())),
            ready: facts.computed.ready,
            containers_total: facts.computed.total,
            restarts: facts.computed.restarts,
            created: facts.created(),
            started: status.and_then(|status| status.start_time.as_ref()).map(|time| time.0),
            node: given(spec.and_then(|spec| spec.node_name.as_ref())),
            pod_ips: status
                .iter()
                .flat_map(|status| status.pod_ips.iter().flatten())
                .map(|ip| ip.ip.clone())
                .collect(),
            qos_class: given(status.and_then(|status| status.qos_class.as_ref())),
            restart_policy: facts.restart_policy().to_owned(),
            grace_period_seconds: facts.grace_seconds(),
            is_static: facts.static_pod.is_some(),
            static_pod: facts.static_pod.as_ref().map(|pod| StaticRecord {
                source: pod.source.clone(),
                mirror_uid: pod.mirror.clone(),
                node: pod.node.clone(),
            }),
            owners: facts
                .pod
                .metadata
                .owner_references
                .iter()
                .flatten()
                .map(|owner| format!("{}/{}", owner.kind, owner.name))
                .collect(),
            readiness_gates: spec
                .iter()
                .flat_map(|spec| spec.readiness_gates.iter().flatten())
                .map(|gate| gate.condition_type.clone())
                .collect(),
            scheduling_gates: spec
                .iter()
                .flat_map(|spec| spec.scheduling_gates.iter().flatten())
                .map(|gate| gate.name.clone())
                .collect(),
            termination: facts.termination.as_ref().map(|termination| TerminationRecord {
                deadline: termination.deadline,
                requested: termination.requested(),
                remaining_seconds: termination.remaining(facts.now).as_secs(),
                finalizers: termination.finalizers.clone(),
            }),
            labels: facts.pod.metadata.labels.clone().unwrap_or_default(),
            conditions: facts.conditions.iter().map(condition).collect(),
            containers: facts.containers.iter().map(container).collect(),
            events: reading.events.iter().map(EventRecord::of).collect(),
            events_error: reading.events_error.clone(),
            unread: reading.around.unread.clone(),
            verdict: reading.verdict,
            findings: reading.findings.clone(),
        }
    }
}

impl EventRecord {
    /// Writes an event down.
    pub fn of(event: &Event) -> Self {
        Self {
            kind: event.kind.clone(),
            reason: event.reason.clone(),
            message: event.message.clone(),
            source: event.source.clone(),
            container: event.container().map(str::to_owned),
            count: event.count,
            first: event.first,
            last: event.last,
        }
    }
}

fn condition(condition: &Condition) -> ConditionRecord {
    ConditionRecord {
        kind: condition.kind.clone(),
        status: condition.status.clone(),
        verdict: match condition.verdict() {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Open => "open",
        },
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: condition.since,
    }
}

fn container(container: &Container) -> ContainerRecord {
    let (state, reason, message, running_since, ended) = match &container.state {
        State::Unreported => ("unreported", None, None, None, None),
        State::Waiting { reason, message } => ("waiting", Some(reason.clone()), Some(message.clone()), None, None),
        State::Running { since } => ("running", None, None, *since, None),
        State::Ended(ended) => ("terminated", None, None, None, Some(record(ended))),
    };
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    ContainerRecord {
        name: container.name.clone(),
        role: match container.role {
            Role::Init => "init",
            Role::Sidecar => "sidecar",
            Role::Regular => "regular",
            Role::Ephemeral => "ephemeral",
        },
        image: container.spec.image.clone(),
        state,
        reason: given(reason),
        message: given(message),
        running_since,
        ended,
        last_ended: container.last.as_ref().map(record),
        next_restart: container.next_restart.as_ref().and_then(|next| next.at),
        ready: container.is_ready(),
        started: container.is_started(),
        restarts: container.restarts(),
        probes: container
            .probes()
            .map(|(kind, probe)| (kind, probe::line(probe)))
            .collect(),
    }
}

fn record(ended: &Ended) -> EndedRecord {
    EndedRecord {
        exit_code: ended.exit_code,
        signal: ended.signal,
        reason: ended.reason.clone(),
        message: ended.message.clone(),
        started: ended.started,
        finished: ended.finished,
    }
}
