//! How long a container has until one of its probes kills it, or takes it out of its Services.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::Facts;
use super::age;
use super::container::{Container, State};
use super::event::Event;
use super::next::{Next, title};
use super::probe::Timing;
use crate::findings::message::say;

/// What liveness probes that fail are about to do, or are doing.
pub fn failing(facts: &Facts, events: &[Event]) -> Vec<Next> {
    running(facts)
        .filter_map(|(container, since)| {
            killed(facts, container, since, events).or_else(|| failing_liveness(facts, container, since, events))
        })
        .collect()
}

/// What those do that are well, once they are not.
pub fn possible(facts: &Facts, events: &[Event]) -> Vec<Next> {
    running(facts)
        .filter(|(container, since)| {
            killed(facts, container, *since, events).is_none()
                && failing_liveness(facts, container, *since, events).is_none()
        })
        .filter_map(|(container, _)| possible_kill(facts, container))
        .collect()
}

/// The containers that run, of a pod that is to go on, and since when.
fn running(facts: &Facts) -> impl Iterator<Item = (&Container, Option<Timestamp>)> {
    let goes_on = facts.termination.is_none() && !facts.is_over();
    let containers = facts.containers.iter().filter(move |_| goes_on);
    containers.filter_map(|container| match &container.state {
        State::Running { since } => Some((container, *since)),
        _ => None,
    })
}

/// A container whose probe has had its say: it has its grace to end by itself.
fn killed(facts: &Facts, container: &Container, since: Option<Timestamp>, events: &[Event]) -> Option<Next> {
    let event = events.iter().rfind(|event| {
        event.reason == "Killing"
            && event.container() == Some(container.name.as_str())
            && event.message.contains(" probe")
    })?;
    let at = event.last.filter(|last| since.is_none_or(|since| *last >= since))?;
    let probe = match event.message.contains("startup probe") {
        true => container.spec.startup_probe.as_ref(),
        false => container.spec.liveness_probe.as_ref(),
    };
    let own = probe.and_then(|probe| probe.termination_grace_period_seconds);
    let grace = SignedDuration::from_secs(own.unwrap_or(facts.grace_seconds()));
    Some(Next {
        at: at.checked_add(grace).ok(),
        what: say("next.probe-kill")
            .with("container", title(facts, container))
            .with("grace", age::human(grace)),
    })
}

/// A liveness probe that has failed so lately that no try since can have succeeded.
fn failing_liveness(facts: &Facts, container: &Container, since: Option<Timestamp>, events: &[Event]) -> Option<Next> {
    let probe = container
        .spec
        .liveness_probe
        .as_ref()
        .filter(|_| container.is_started())?;
    let timing = Timing::of(probe);
    let own = |event: &&Event| {
        event.reason == "Unhealthy"
            && event.container() == Some(container.name.as_str())
            && event.message.starts_with("Liveness probe failed")
    };
    let newest = events.iter().filter(own).max_by_key(|event| event.last)?;
    let last = newest.last.filter(|last| since.is_none_or(|since| *last >= since))?;
    let period = SignedDuration::from_secs(i64::from(timing.period));
    let slack = SignedDuration::from_secs(i64::from(timing.timeout) + 1);
    if facts.now.duration_since(last) > period + slack {
        return None;
    }
    let in_a_row = in_a_row(newest, since, period);
    let left = (timing.failures - in_a_row).max(1);
    let at = last.checked_add(period * left).ok();
    let what = if left == 1 {
        say("next.liveness-last")
    } else {
        say("next.liveness")
    };
    Some(Next {
        at,
        what: what
            .with("container", title(facts, container))
            .with("count", in_a_row.to_string())
            .with("failures", timing.failures.to_string()),
    })
}

/// How many failures came one after the other, as far as the event's two times and its count tell.
fn in_a_row(event: &Event, since: Option<Timestamp>, period: SignedDuration) -> i32 {
    let (Some(first), Some(last)) = (event.first, event.last) else {
        return 1;
    };
    let of_this_run = since.is_none_or(|since| first.as_second() >= since.as_second());
    let expected = period * (event.count - 1);
    let lasted = SignedDuration::from_secs(last.as_second() - first.as_second());
    let is_dense = (lasted - expected).abs() <= SignedDuration::from_secs(2);
    if of_this_run && is_dense { event.count } else { 1 }
}

fn possible_kill(facts: &Facts, container: &Container) -> Option<Next> {
    let probe = container
        .spec
        .liveness_probe
        .as_ref()
        .filter(|_| container.is_started())?;
    let timing = Timing::of(probe);
    Some(Next {
        at: None,
        what: match timing.failures {
            1 => say("next.possible-one"),
            several => say("next.possible").with("failures", several.to_string()),
        }
        .with("container", title(facts, container))
        .with("patience", age::human(timing.patience()))
        .with(
            "period",
            age::human(SignedDuration::from_secs(i64::from(timing.period))),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Event as Recorded, Pod};

    fn pod() -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web"},
            "spec": {"nodeName": "n", "containers": [{"name": "app", "livenessProbe": {"exec": {}, "periodSeconds": 5}}]},
            "status": {"phase": "Running", "containerStatuses": [{
                "name": "app", "ready": true, "started": true, "restartCount": 0, "image": "", "imageID": "",
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }]},
        }))
        .unwrap()
    }

    fn said(now: &str, count: i32, first: &str, last: &str) -> (Option<Timestamp>, String) {
        let event: Recorded = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web.1"}, "reason": "Unhealthy", "type": "Warning", "count": count,
            "message": "Liveness probe failed: no", "involvedObject": {"kind": "Pod", "fieldPath": "spec.containers{app}"},
            "firstTimestamp": first, "lastTimestamp": last,
        }))
        .unwrap();
        let facts = Facts::of(pod(), now.parse().unwrap());
        let events = [Event::of(&event)];
        let mut all = failing(&facts, &events);
        all.extend(possible(&facts, &events));
        let next = all.remove(0);
        (next.at, next.what.to_string())
    }

    #[test]
    fn the_kill_comes_with_the_last_failure_of_the_row() {
        let (at, what) = said(
            "2026-01-01T00:01:06Z",
            2,
            "2026-01-01T00:01:00Z",
            "2026-01-01T00:01:05Z",
        );
        assert_eq!(at, "2026-01-01T00:01:10Z".parse().ok());
        assert!(what.contains("once more: 2 of 3 failures"), "{what}");
    }

    #[test]
    fn a_container_that_is_being_killed_has_its_grace() {
        let facts = Facts::of(pod(), "2026-01-01T00:01:12Z".parse().unwrap());
        let killing: Recorded = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web.2"}, "reason": "Killing", "type": "Normal", "count": 1,
            "message": "Container app failed liveness probe, will be restarted",
            "involvedObject": {"kind": "Pod", "fieldPath": "spec.containers{app}"},
            "firstTimestamp": "2026-01-01T00:01:10Z", "lastTimestamp": "2026-01-01T00:01:10Z",
        }))
        .unwrap();
        let events = [Event::of(&killing)];
        assert_eq!(failing(&facts, &events)[0].at, "2026-01-01T00:01:40Z".parse().ok());
        assert!(possible(&facts, &events).is_empty());
    }

    #[test]
    fn old_failures_do_not_count() {
        let (at, what) = said(
            "2026-01-01T01:00:00Z",
            2,
            "2026-01-01T00:01:00Z",
            "2026-01-01T00:01:05Z",
        );
        assert_eq!(at, None);
        assert!(what.contains("within 16s of becoming unhealthy"), "{what}");
    }

    #[test]
    fn failures_with_successes_between_are_no_row() {
        let (_, what) = said(
            "2026-01-01T00:09:06Z",
            2,
            "2026-01-01T00:01:00Z",
            "2026-01-01T00:09:05Z",
        );
        assert!(what.contains("fails on: 1 of 3"), "{what}");
    }
}
