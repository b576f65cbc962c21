//! The facts of one pod: pure functions of its object, its events, and a moment in time.
//!
//! Spec and status are merged in the order of the spec, so that a container without a status (a gated pod has none) is
//! still there. Nothing here judges: that is what findings do.

pub mod age;
pub mod axis;
pub mod budget;
pub mod chart;
pub mod condition;
pub mod container;
pub mod event;
pub mod history;
pub mod next;
pub mod outcome;
pub mod percentiles;
pub mod probe;
pub mod qos;
pub mod quantity;
pub mod reference;
pub mod requests;
pub mod restart;
pub mod runs;
#[cfg(test)]
pub(crate) mod saved;
pub mod stages;
pub mod static_pod;
pub mod status;
pub mod surroundings;
pub mod termination;
pub mod timeline;
pub mod watched;

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;

use condition::Condition;
use container::{Container, Role};
use static_pod::StaticPod;
use status::Computed;
use termination::Termination;

/// What is known of a pod at one moment.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The object itself, as the API or a file gave it.
    pub pod: Pod,
    /// The moment that ages, deadlines and back-offs are measured against.
    pub now: Timestamp,
    /// Whether `now` is only the newest time that a file tells: the pod may have been saved long after that.
    pub is_saved: bool,
    /// The newest time that a file tells of anything that has happened; nothing for a pod that was fetched.
    pub newest: Option<Timestamp>,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`; `default` where a file leaves it out.
    pub namespace: String,
    /// `metadata.uid`; empty for a manifest.
    pub uid: String,
    /// `status.phase`; empty for a manifest.
    pub phase: String,
    /// READY, STATUS and RESTARTS as `kubectl get pods` shows them.
    pub computed: Computed,
    /// Init containers and sidecars in order, then regular ones, then ephemeral ones.
    pub containers: Vec<Container>,
    /// The conditions in the order of the status.
    pub conditions: Vec<Condition>,
    /// The clock that runs once deletion was asked for.
    pub termination: Option<Termination>,
    /// Where the pod comes from, if a kubelet read it from a file.
    pub static_pod: Option<StaticPod>,
}

impl Facts {
    /// Reads the pod as of `now`.
    pub fn of(pod: Pod, now: Timestamp) -> Self {
        let spec = pod.spec.clone().unwrap_or_default();
        let status = pod.status.clone().unwrap_or_default();
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            namespace: pod.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            phase: status.phase.clone().unwrap_or_default(),
            computed: Computed::of(&pod),
            containers: container::merge(&spec, &status),
            conditions: status.conditions.iter().flatten().map(Condition::of).collect(),
            termination: Termination::of(&pod.metadata),
            static_pod: StaticPod::of(&pod.metadata),
            pod,
            now,
            is_saved: false,
            newest: None,
        }
    }

    /// What was asked for.
    pub fn spec(&self) -> Option<&PodSpec> {
        self.pod.spec.as_ref()
    }

    /// What was reported.
    pub fn status(&self) -> Option<&PodStatus> {
        self.pod.status.as_ref()
    }

    /// Whether this is a manifest that no API server has seen: it has no status to judge.
    pub fn is_manifest(&self) -> bool {
        self.uid.is_empty() && self.phase.is_empty()
    }

    /// The containers that play a role.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(move |container| container.role == role)
    }

    /// A container by its name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// A condition by its type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// A condition that is True.
    pub fn true_condition(&self, kind: &str) -> Option<&Condition> {
        self.condition(kind).filter(|condition| condition.is_true())
    }

    /// Who makes the pod, and makes it anew.
    pub fn controller(&self) -> Option<&OwnerReference> {
        let mut owners = self.pod.metadata.owner_references.iter().flatten();
        owners.find(|owner| owner.controller == Some(true))
    }

    /// The account that the pod runs as; `default` where none is given.
    pub fn service_account(&self) -> &str {
        let account = self.spec().and_then(|spec| spec.service_account_name.as_deref());
        account.unwrap_or("default")
    }

    /// The names of the gates that keep the scheduler from looking at the pod.
    pub fn scheduling_gates(&self) -> impl Iterator<Item = &str> {
        let gates = self
            .spec()
            .into_iter()
            .flat_map(|spec| spec.scheduling_gates.iter().flatten());
        gates.map(|gate| gate.name.as_str())
    }

    /// When the object was created.
    pub fn created(&self) -> Option<Timestamp> {
        self.pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
    }

    /// The pod's restart policy; `Always` where none is given.
    pub fn restart_policy(&self) -> &str {
        self.spec()
            .and_then(|spec| spec.restart_policy.as_deref())
            .unwrap_or("Always")
    }

    /// The seconds that the pod gets to end by itself; 30 where none are given.
    pub fn grace_seconds(&self) -> i64 {
        self.spec()
            .and_then(|spec| spec.termination_grace_period_seconds)
            .unwrap_or(30)
    }

    /// Whether the node has stopped reporting: the pod is marked as lost, or as not ready while its containers are ready.
    pub fn is_node_silent(&self) -> bool {
        let is_lost = self.status().and_then(|status| status.reason.as_deref()) == Some("NodeLost");
        let has_unmet_gate = self
            .spec()
            .into_iter()
            .flat_map(|spec| spec.readiness_gates.iter().flatten())
            .any(|gate| self.true_condition(&gate.condition_type).is_none());
        let containers_are_ready = self.true_condition("ContainersReady").is_some();
        let ready = self.condition("Ready").map_or("", |ready| ready.status.as_str());
        let is_marked = ready == "False" && containers_are_ready && !has_unmet_gate && self.phase == "Running";
        is_lost || ready == "Unknown" || is_marked || self.phase == "Unknown"
    }

    /// Whether nobody knows how long ago deletion was asked for: the pod is of a file in which nothing is newer.
    pub fn is_deletion_undated(&self) -> bool {
        self.is_saved
            && self.termination.as_ref().is_some_and(|termination| {
                let requested = termination.requested().unwrap_or(termination.deadline);
                self.newest.is_none_or(|newest| newest < requested)
            })
    }

    /// Whether the pod has ended for good.
    pub fn is_over(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}
