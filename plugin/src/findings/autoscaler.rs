//! What the cluster autoscaler and Karpenter say of a pod without a node, in events of the pod itself.

use k8s_openapi::jiff::SignedDuration;

use super::Finding;
use super::message::{Message, say};
use crate::pod::event::Event;
use crate::pod::{Facts, age};

/// Clouds take minutes for a machine; after this time it does not count as being on its way.
const PROVISIONING: SignedDuration = SignedDuration::from_mins(15);

/// Whether Karpenter sent an event. Its reasons are also those of the scheduler.
pub(super) fn is_of_karpenter(event: &Event) -> bool {
    event.source.contains("karpenter") || event.message.starts_with("Failed to schedule pod, ")
}

/// The newest word of an autoscaler: that it adds a node, or why it does not.
fn newest(events: &[Event]) -> Option<&Event> {
    events.iter().rfind(|event| {
        matches!(
            event.reason.as_str(),
            "TriggeredScaleUp" | "NotTriggerScaleUp" | "Nominated"
        ) || event.reason == "FailedScheduling" && is_of_karpenter(event)
    })
}

/// The event that says that a node is on its way, while it may still come.
pub(super) fn node_on_its_way<'a>(facts: &Facts, events: &'a [Event]) -> Option<&'a Event> {
    let told = newest(events).filter(|event| matches!(event.reason.as_str(), "TriggeredScaleUp" | "Nominated"))?;
    let is_recent = told
        .last
        .is_some_and(|last| facts.now.duration_since(last) <= PROVISIONING);
    is_recent.then_some(told)
}

/// Adds what an autoscaler does about the pod.
pub(super) fn told(facts: &Facts, events: &[Event], finding: Finding, coming: Option<&Event>) -> Finding {
    if let Some(event) = coming {
        let waited = event.last.map(|last| age::between(last, facts.now)).unwrap_or_default();
        return finding
            .told_by(Some(event))
            .because(say("scheduling.node-coming").with("waited", waited));
    }
    let Some(event) = newest(events) else {
        return finding;
    };
    let finding = finding.told_at(facts, Some(event));
    match event.reason.as_str() {
        "TriggeredScaleUp" | "Nominated" => finding.because(say("scheduling.node-late")),
        "NotTriggerScaleUp" => causes_of_autoscaler(&event.message)
            .into_iter()
            .fold(finding, Finding::because),
        _ => finding.because(cause_of_karpenter(&event.message)),
    }
}

/// Why the cluster autoscaler adds no node: `pod didn't trigger scale-up: 1 max node group size reached, 2 Insufficient cpu`.
fn causes_of_autoscaler(message: &str) -> Vec<Message> {
    let says = |words: &str| message.contains(words);
    let known = [
        (says("max node group size reached"), "scheduling.autoscaler-max"),
        (says("limit reached"), "scheduling.autoscaler-limit"),
        (says("backoff after failed scale-up"), "scheduling.autoscaler-backoff"),
        (says("not ready for scale-up"), "scheduling.autoscaler-not-ready"),
        (says("it wouldn't fit"), "scheduling.autoscaler-no-fit"),
    ];
    let mut causes: Vec<Message> = known
        .into_iter()
        .filter(|(is_said, _)| *is_said)
        .map(|(_, key)| Message::Sentence {
            key,
            values: Vec::new(),
        })
        .collect();
    if causes.is_empty() {
        causes.push(say("scheduling.autoscaler-no-fit"));
    }
    causes
}

/// Why Karpenter adds no node (`pkg/controllers/provisioning/scheduling`).
fn cause_of_karpenter(message: &str) -> Message {
    let says = |words: &str| message.contains(words);
    match () {
        () if says("exceed limits for nodepool") || says("limits for provisioner") => {
            say("scheduling.karpenter-limits")
        }
        () if says("did not tolerate") => say("scheduling.karpenter-taint"),
        () if says("incompatible requirements") => say("scheduling.karpenter-requirements"),
        () if says("no instance type") => say("scheduling.karpenter-instance-type"),
        () => say("scheduling.karpenter"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_autoscalers_words_are_told_apart() {
        assert_eq!(
            causes_of_autoscaler(
                "pod didn't trigger scale-up: 1 max node group size reached, 2 in backoff after failed scale-up"
            ),
            [say("scheduling.autoscaler-max"), say("scheduling.autoscaler-backoff")]
        );
        assert_eq!(
            causes_of_autoscaler("pod didn't trigger scale-up (it wouldn't fit if a new node is added)"),
            [say("scheduling.autoscaler-no-fit")]
        );
        assert_eq!(
            cause_of_karpenter(
                "Failed to schedule pod, incompatible with nodepool \"default\", daemonset overhead={}, no instance type satisfied \
                 resources {\"cpu\":\"500\"} and requirements"
            ),
            say("scheduling.karpenter-instance-type")
        );
        assert_eq!(
            cause_of_karpenter(
                "Failed to schedule pod, all available instance types exceed limits for nodepool: \"default\""
            ),
            say("scheduling.karpenter-limits")
        );
    }
}
