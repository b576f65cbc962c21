//! What has to be looked at around a pod to explain its state: no more is fetched than that.

use super::{Finding, Severity, Verdict};
use crate::pod::Facts;
use crate::pod::container::State;
use crate::pod::reference::{self, Reference};

/// What to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The node of this name.
    pub node: Option<String>,
    /// Whether these are there.
    pub references: Vec<Reference>,
    /// The Services that select the pod, and how many endpoints they have left.
    pub services: bool,
    /// The disruption budgets that select the pod.
    pub budgets: bool,
    /// The controller of this kind and name.
    pub owner: Option<(String, String)>,
    /// What the pod's containers use.
    pub usage: bool,
}

impl Needs {
    /// What the findings so far leave open. Nothing for a pod that is well, or has ended well.
    pub fn of(facts: &Facts, found: &[Finding], verdict: Verdict) -> Self {
        if matches!(verdict, Verdict::Healthy | Verdict::Done) {
            return Self::default();
        }
        let topic = |names: &[&str]| found.iter().any(|finding| names.contains(&finding.topic.as_str()));
        let is_broken = found.iter().any(|finding| finding.severity == Severity::Error);
        let node = facts
            .spec()
            .and_then(|spec| spec.node_name.clone())
            .filter(|name| !name.is_empty());
        let lacks_node_news = topic(&[
            "NodeLost",
            "Terminating",
            "Unknown",
            "ContainerCreating",
            "DisruptionTarget",
            "Evicted",
            "NodeShutdown",
            "Terminated",
            "FailedCreatePodSandBox",
            "NetworkNotReady",
        ]);
        // No kubelet has taken the pod up: is there a node at all?
        let is_untaken = facts.phase == "Pending" && facts.status().is_none_or(|status| status.start_time.is_none());
        let waits = facts
            .containers
            .iter()
            .any(|container| matches!(container.state, State::Waiting { .. } | State::Unreported));
        let lacks_objects = facts.phase == "Pending"
            && waits
            && facts.termination.is_none()
            && (is_broken || topic(&["ContainerCreating", "FailedMount"]));
        let has_run = facts.phase == "Running";
        let owner = facts
            .controller()
            .map(|owner| (owner.kind.clone(), owner.name.clone()))
            .filter(|(kind, _)| {
                matches!(
                    kind.as_str(),
                    "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController"
                )
            });
        Self {
            node: node.filter(|_| lacks_node_news || is_untaken),
            references: match facts.spec() {
                Some(spec) if lacks_objects => reference::of(spec),
                _ => Vec::new(),
            },
            services: has_run && is_broken && facts.pod.metadata.labels.is_some(),
            budgets: facts.pod.metadata.labels.is_some() && (has_run && is_broken || topic(&["DisruptionTarget"])),
            owner: owner.filter(|_| is_broken),
            usage: topic(&[
                "OOMKilled",
                "137",
                "CrashLoopBackOff",
                "livenessProbe",
                "readinessProbe",
                "startupProbe",
            ]) && has_limited(facts),
        }
    }

    /// Whether nothing is to be fetched.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a container runs that has a limit to reach.
fn has_limited(facts: &Facts) -> bool {
    facts.containers.iter().any(|container| {
        let resources = container.spec.resources.as_ref();
        matches!(container.state, State::Running { .. })
            && resources.is_some_and(|resources| resources.limits.as_ref().is_some_and(|limits| !limits.is_empty()))
    })
}
