//! Volumes that cannot be had.

use super::{Finding, Severity, event};
use crate::pod::Facts;
use crate::pod::container::State;
use crate::pod::event::Event;

/// Finds volumes that keep containers from being created.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let is_waiting = facts
        .containers
        .iter()
        .any(|container| matches!(&container.state, State::Waiting { reason, .. } if reason == "ContainerCreating" || reason == "PodInitializing"));
    let has_begun = facts
        .containers
        .iter()
        .any(|container| matches!(container.state, State::Running { .. } | State::Ended(_)));
    if !is_waiting || has_begun {
        return None;
    }
    let told = event(events, "FailedMount", None)
        .or_else(|| event(events, "FailedAttachVolume", None))
        .or_else(|| event(events, "FailedMapVolume", None))?;
    let message = &told.message;
    let cause = if message.contains("not found") {
        "what the volume is made of does not exist in this namespace"
    } else if message.contains("Multi-Attach") {
        "the volume is still attached to another node, and can be to one only"
    } else if message.contains("timed out") {
        "the volume has not come in time"
    } else {
        "the node cannot set the volume up"
    };
    Some(
        Finding::new(
            Severity::Error,
            told.reason.as_str(),
            "a volume of the pod cannot be set up: no container starts before",
        )
        .told_by(Some(told))
        .because(cause)
        .then(format!("kubectl get configmaps,secrets,pvc -n {}", facts.namespace)),
    )
}
