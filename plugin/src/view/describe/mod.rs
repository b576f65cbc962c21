//! Everything that is known of a pod, in lines: what `kubectl describe pod` prints, and what it leaves out.

pub mod conditions;
pub mod container;
pub mod environment;
pub mod events;
pub mod header;
pub mod placement;
pub mod record;
pub mod security;
pub mod state;
pub mod volumes;

use super::text::Line;
use crate::pod::Facts;
use crate::pod::container::Role;
use crate::pod::event::Event;

/// What goes into a description besides the facts.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// What was found to be wrong, already in lines.
    pub findings: Vec<Line>,
    /// The events about the pod, merged and in order.
    pub events: Vec<Event>,
    /// Why there are none, where they could not be fetched.
    pub events_error: Option<String>,
    /// How many of the newest events to show; all where absent.
    pub events_limit: Option<usize>,
}

/// Describes a pod.
pub fn lines(facts: &Facts, parts: &Parts) -> Vec<Line> {
    let mut lines = header::lines(facts);
    lines.extend(parts.findings.iter().cloned());
    lines.extend(conditions::lines(facts));
    for (role, title) in [
        (Role::Init, "Init Containers:"),
        (Role::Regular, "Containers:"),
        (Role::Ephemeral, "Ephemeral Containers:"),
    ] {
        // Init containers and sidecars are one list of the spec, and their order is what matters about them.
        let listed: Vec<_> = facts
            .containers
            .iter()
            .filter(|container| container.role == role || (role == Role::Init && container.role == Role::Sidecar))
            .collect();
        if !listed.is_empty() {
            lines.push(container::title(title));
            lines.extend(
                listed
                    .into_iter()
                    .flat_map(|container| container::lines(facts, container)),
            );
        }
    }
    lines.extend(volumes::lines(facts));
    lines.extend(placement::lines(facts));
    lines.extend(security::lines(facts));
    lines.extend(events::lines(facts, parts));
    lines
}
