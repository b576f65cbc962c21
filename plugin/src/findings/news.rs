//! Events that tell of trouble which no other rule has told.

use k8s_openapi::jiff::SignedDuration;

use super::command::here;
use super::message::{meaning, remedy, say};
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::condition::Condition;
use crate::pod::event::Event;

/// Older events tell of what is over.
const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// What stays of interest even where the pod is well by now.
const LASTING: [&str; 9] = [
    "DNSConfigForming",
    "ExceededGracePeriod",
    "FailedPreStopHook",
    "FailedToRetrieveImagePullSecret",
    "FailedKillPod",
    "FileSystemResizeFailed",
    "NodeNotReady",
    "ProbeWarning",
    "VolumeResizeFailed",
];

/// Finds the warnings that nothing else has quoted.
pub(super) fn rule(facts: &Facts, events: &[Event], found: &[Finding]) -> Vec<Finding> {
    if facts.is_over() {
        return Vec::new();
    }
    let is_quoted = |event: &Event| {
        found.iter().any(|finding| {
            let by_event = format!("event {}", event.reason);
            finding
                .evidence
                .iter()
                .any(|evidence| evidence.place == by_event || evidence.quote.contains(&event.message))
        })
    };
    let is_well = facts.condition("Ready").is_some_and(Condition::is_true);
    let is_explained = found.iter().any(|finding| finding.severity >= Severity::Warning);
    let mut told: Vec<Finding> = events
        .iter()
        .rev()
        .filter(|event| event.last.is_none_or(|last| facts.now.duration_since(last) <= RECENT))
        .filter(|event| !is_quoted(event))
        .filter_map(|event| {
            let is_lasting = LASTING.contains(&event.reason.as_str());
            let severity = if event.is_warning() && !is_well && !is_explained {
                Severity::Warning
            } else if event.is_warning() && is_lasting {
                Severity::Note
            } else if event.reason == "SandboxChanged" && event.count >= 3 {
                Severity::Warning
            } else {
                return None;
            };
            // Probes that failed before the container got ready are no news.
            if event.reason == "Unhealthy" && is_well {
                return None;
            }
            let what = say("news.event").with("reason", event.reason.as_str());
            let finding = Finding::new(severity, event.reason.as_str(), what)
                .told_by(Some(event))
                .because(meaning(&event.reason).unwrap_or_else(|| say("news.cause")));
            let finding = match event.container() {
                Some(container) => finding.about(container),
                None => finding,
            };
            let finding = match remedy(&event.reason) {
                Some(remedy) => finding.then(remedy),
                None => finding,
            };
            Some(finding.run(here(
                facts,
                &[
                    "get",
                    "events",
                    "--field-selector",
                    &format!("involvedObject.name={}", facts.name),
                ],
            )))
        })
        .collect();
    let mut seen = Vec::new();
    told.retain(|finding| {
        let is_new = !seen.contains(&finding.topic);
        seen.push(finding.topic.clone());
        is_new
    });
    told
}
