//! What happened to the pod as a whole.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{Entry, Mood, rank};
use crate::pod::Facts;
use crate::pod::age;
use crate::pod::container::{Container, Role, State};
use crate::pod::event::Event;

/// API servers keep events for an hour (`--event-ttl`).
const EVENT_TTL: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn entries(facts: &Facts, events: &[Event], entries: &mut Vec<Entry>) {
    if let Some(created) = facts.created() {
        entries.push(Entry::new(Some(created), rank::CREATED, "created", "created"));
        if events.is_empty() && !facts.is_manifest() && facts.now.duration_since(created) > EVENT_TTL {
            let what = "what events told of the start: API servers keep events for an hour";
            let expired = Entry::new(None, rank::PULL, "expired/events", what);
            entries.push(expired.expired_before(Some(created.as_second())));
        }
    }
    let node = facts.spec().and_then(|spec| spec.node_name.as_deref());
    let scheduled = events.iter().find(|event| event.reason == "Scheduled");
    let bound = facts.condition("PodScheduled").filter(|condition| condition.is_true());
    let scheduled_at = scheduled
        .and_then(|event| event.first)
        .or(bound.and_then(|condition| condition.since));
    if let (Some(at), Some(node)) = (scheduled_at, node) {
        let what = format!("scheduled to node {node}");
        entries.push(Entry::new(Some(at), rank::SCHEDULED, "scheduled", what).mood(Mood::Good));
    }
    let ready_for_containers = facts
        .condition("PodReadyToStartContainers")
        .or_else(|| facts.condition("PodHasNetwork"))
        .filter(|condition| condition.is_true());
    if let Some(condition) = ready_for_containers {
        let address = facts.status().and_then(|status| status.pod_ip.as_deref());
        let what = match address {
            Some(address) => format!("sandbox ready, pod IP {address}"),
            None => "sandbox ready".to_owned(),
        };
        entries.push(Entry::new(condition.since, rank::SANDBOX, "sandbox", what).mood(Mood::Good));
    }
    if let Some(ready) = facts.condition("Ready") {
        let since = ready.since.map(|since| since.to_string()).unwrap_or_default();
        if ready.is_true() {
            let key = format!("ready/{since}");
            entries.push(Entry::new(ready.since, rank::READY, key, "Ready").mood(Mood::Good));
        } else if was_ready_before(facts, ready.since) {
            let why = ready
                .message
                .as_deref()
                .or(ready.reason.as_deref())
                .unwrap_or("no reason given");
            let what = format!("no longer Ready: {why}");
            let was = Entry::new(
                None,
                rank::UNREADY - 1,
                format!("expired/ready/{since}"),
                "Ready for a while",
            );
            entries.push(
                was.expired_before(ready.since.map(Timestamp::as_second))
                    .mood(Mood::Good),
            );
            entries.push(Entry::new(ready.since, rank::UNREADY, format!("unready/{since}"), what).mood(Mood::Bad));
        }
    }
    if facts.is_over() {
        let ends = facts
            .containers
            .iter()
            .filter_map(Container::newest_end)
            .filter_map(|ended| ended.finished);
        let (what, mood) = match facts.phase.as_str() {
            "Succeeded" => ("Succeeded: all containers ended well".to_owned(), Mood::Good),
            _ => (failed_words(facts), Mood::Bad),
        };
        let at = ends
            .max()
            .or_else(|| facts.condition("Ready").and_then(|ready| ready.since));
        entries.push(Entry::new(at, rank::OVER, "over", what).mood(mood).inferred());
    }
    if let Some(termination) = &facts.termination {
        let grace = termination
            .grace
            .map(|grace| format!(" with a grace of {}", age::human(grace)));
        let what = format!("deletion asked for{}", grace.unwrap_or_default());
        entries.push(Entry::new(termination.requested(), rank::DELETION, "deletion", what).inferred());
    }
}

/// A condition that turned False later than the pod began was True in between: it starts out as False.
fn was_ready_before(facts: &Facts, since: Option<Timestamp>) -> bool {
    let start = facts
        .status()
        .and_then(|status| status.start_time.as_ref())
        .map(|time| time.0);
    let has_run = facts.with_role(Role::Regular).any(|container| {
        matches!(container.state, State::Running { .. } | State::Ended(_)) || container.last.is_some()
    });
    let is_end = facts
        .condition("Ready")
        .is_some_and(|ready| matches!(ready.reason.as_deref(), Some("PodCompleted" | "PodFailed")));
    has_run && !is_end && !facts.is_over() && since.zip(start).is_some_and(|(since, start)| since > start)
}

fn failed_words(facts: &Facts) -> String {
    let status = facts.status();
    let given = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
    let reason = given(status.and_then(|status| status.reason.as_ref()));
    let message = given(status.and_then(|status| status.message.as_ref()));
    match (reason, message) {
        (Some(reason), Some(message)) => format!("Failed: {reason}: {message}"),
        (Some(reason), None) => format!("Failed: {reason}"),
        _ => "Failed: a container did not end well".to_owned(),
    }
}
