//! Everything that is known of a pod, in lines: what `kubectl describe pod` prints, and what it leaves out.

pub mod conditions;
pub mod container;
pub mod environment;
pub mod events;
pub mod header;
pub mod infra;
pub mod placement;
pub mod record;
pub mod security;
pub mod state;
pub mod volumes;

use super::text::Line;
use crate::findings::reading::Reading;
use crate::knowledge::language::Language;
use crate::pod::container::Role;

/// Describes a pod, with this many of its newest events, or all; the verdict and the findings in a language, and in the
/// columns of a terminal. All else has the names of kubectl.
pub fn lines(reading: &Reading, events_limit: Option<usize>, language: Language, columns: Option<usize>) -> Vec<Line> {
    let facts = &reading.facts;
    let mut lines = header::lines(facts);
    if !facts.is_manifest() {
        lines.extend(super::findings::lines_in(
            language,
            reading.verdict,
            &reading.findings,
            &reading.around.unread,
            columns,
        ));
    }
    lines.extend(header::identity_lines(facts));
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
    lines.extend(infra::lines(reading));
    lines.extend(events::lines(reading, events_limit));
    lines
}
