//! Events that tell of trouble which no other rule has told.

use super::command::here;
use super::message::{Message, meaning, say};
use super::{Finding, Severity};
use crate::knowledge::handbook;
use crate::pod::Facts;
use crate::pod::condition::Condition;
use crate::pod::container::State;
use crate::pod::event::Event;

/// What stays of interest even where the pod is well by now.
const LASTING: [&str; 10] = [
    "DNSConfigForming",
    "ExceededGracePeriod",
    "FailedPreStopHook",
    "FailedToRetrieveImagePullSecret",
    "FailedKillPod",
    "FileSystemResizeFailed",
    "InvalidEnvironmentVariableNames",
    "NodeNotReady",
    "ProbeWarning",
    "VolumeResizeFailed",
];

/// Whether what an event says is over: its container runs since, or, where it is about the pod as a whole, any of them.
fn is_over(facts: &Facts, event: &Event) -> bool {
    let about = event.container();
    let mut containers = facts
        .containers
        .iter()
        .filter(|container| about.is_none_or(|name| name == container.name));
    let is_of_start = about.is_some() || event.reason.starts_with("Failed") || event.reason == "NetworkNotReady";
    let is_lasting = LASTING.contains(&event.reason.as_str());
    is_of_start
        && !is_lasting
        && containers.any(|container| match &container.state {
            State::Running { since } => event.last.is_some() && *since > event.last,
            _ => false,
        })
}

/// What the catalogue knows of an event. A phase may have the same name: `Failed`.
fn meaning_of_event(reason: &str) -> Option<Message> {
    if reason == "InvalidEnvironmentVariableNames" {
        return Some(say("news.env-names"));
    }
    let page = handbook::find(reason)?;
    (page.kind != "phase").then(|| meaning(reason)).flatten()
}

/// Finds the warnings that nothing else has quoted.
pub(super) fn rule(facts: &Facts, events: &[Event], found: &[Finding]) -> Vec<Finding> {
    if facts.is_over() {
        return Vec::new();
    }
    let is_quoted = |event: &Event| {
        found.iter().any(|finding| {
            let by_event = format!("event {}", event.reason);
            finding.evidence.iter().any(|evidence| {
                let place = evidence.place.split(',').next().unwrap_or_default();
                place == by_event || evidence.quote.contains(&event.message)
            })
        })
    };
    let is_well = facts.condition("Ready").is_some_and(Condition::is_true);
    let is_explained = found.iter().any(|finding| finding.severity >= Severity::Warning);
    let mut told: Vec<Finding> = events
        .iter()
        .rev()
        .filter(|event| !is_over(facts, event))
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
                .told_at(facts, Some(event))
                .because(meaning_of_event(&event.reason).unwrap_or_else(|| say("news.cause")));
            let finding = match event.container() {
                Some(container) => finding.about(container),
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
