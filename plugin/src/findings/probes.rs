//! Probes that fail now, or can never succeed.

use k8s_openapi::jiff::SignedDuration;

use super::{Finding, Severity, logs};
use crate::pod::Facts;
use crate::pod::container::{Container, State};
use crate::pod::event::Event;
use crate::pod::probe::{Timing, handler};

/// A failure that is older than this many periods of its probe is over.
const PERIODS: i64 = 3;

/// Finds the probes of a running container that fail.
pub(super) fn rule(facts: &Facts, container: &Container, events: &[Event]) -> Vec<Finding> {
    let State::Running { since } = &container.state else {
        return Vec::new();
    };
    if facts.termination.is_some() {
        return Vec::new();
    }
    container
        .probes()
        .filter_map(|(kind, probe)| {
            // Once started, the startup probe is over; once ready, so is what kept the container from it.
            let is_over = match kind {
                "Startup" => container.is_started(),
                "Readiness" => container.is_ready(),
                _ => false,
            };
            let event = events.iter().rev().find(|event| {
                event.reason == "Unhealthy"
                    && event.container() == Some(container.name.as_str())
                    && event.message.starts_with(kind)
                    // What failed before this instance began is the last one's story.
                    && event.last >= *since
            })?;
            let period = i64::from(Timing::of(probe).period) * PERIODS;
            let is_recent = event
                .last
                .is_some_and(|last| facts.now.duration_since(last) <= SignedDuration::from_secs(period.max(5)));
            if is_over || (kind == "Liveness" && !is_recent) {
                return None;
            }
            let severity = match kind {
                "Startup" => Severity::Warning,
                _ => Severity::Error,
            };
            let name = &container.name;
            let what = match kind {
                "Readiness" => format!("container {name} is not ready: its readiness probe fails"),
                "Startup" => format!("container {name} has not started yet: its startup probe fails so far"),
                _ => format!("the liveness probe of container {name} fails: it is restarted soon"),
            };
            let topic = format!("{}Probe", kind.to_lowercase());
            Some(
                Finding::new(severity, topic, what)
                    .about(name)
                    .told_by(Some(event))
                    .because(format!("the probe does {}, and that does not succeed", handler(probe)))
                    .then(logs(facts, name, false)),
            )
        })
        .collect()
}
