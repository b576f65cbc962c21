//! What happened to a pod and when, put together from spec, status and events.
//!
//! The API keeps states, not a history: each entry says whether its moment was recorded, follows from what was recorded,
//! or whether what happened has left no trace but a number.

mod container;
mod entry;
mod event;
mod pod;
mod rank;

pub use entry::{Entry, Mood, Source};

use k8s_openapi::jiff::Timestamp;

use super::Facts;
use super::container::{Container, Role};
use super::event::Event;

/// Puts the timeline together, oldest first.
pub fn of(facts: &Facts, events: &[Event]) -> Vec<Entry> {
    let mut entries = Vec::new();
    pod::entries(facts, events, &mut entries);
    for container in &facts.containers {
        container::entries(facts, container, events, &mut entries);
    }
    entries.extend(events.iter().filter_map(|event| event::entry(facts, event)));
    // Whole seconds and finer times stand side by side: within a second, causes come before effects.
    entries.sort_by_key(|entry| {
        let second = entry.at.or(facts.created()).map(|at| at.as_second());
        (entry.place.or(second), entry.rank, entry.at)
    });
    entries
}

/// The end of the object.
pub fn deleted(seen: Timestamp) -> Entry {
    let mut entry = Entry::new(Some(seen), rank::EXPIRED, "deleted", "deleted");
    entry.seen = Some(seen);
    entry
}

/// `init container 1/2 setup`, `container app`.
pub fn title(facts: &Facts, container: &Container) -> String {
    match container.role {
        Role::Init => {
            let total = facts
                .spec()
                .and_then(|spec| spec.init_containers.as_ref())
                .map_or(0, Vec::len);
            format!("init container {}/{total} {}", container.position + 1, container.name)
        }
        Role::Sidecar => format!("sidecar {}", container.name),
        Role::Regular => format!("container {}", container.name),
        Role::Ephemeral => format!("ephemeral container {}", container.name),
    }
}

#[cfg(test)]
mod tests {
    use crate::pod::saved;

    fn timeline(name: &str) -> Vec<String> {
        saved::history(name)
            .entries
            .into_iter()
            .map(|entry| entry.what)
            .collect()
    }

    #[test]
    fn init_containers_come_one_after_the_other_and_then_the_app() {
        let told = timeline("seed-init");
        let places: Vec<usize> = [
            "created",
            "scheduled",
            "sandbox",
            "init container 1/2",
            "init container 2/2",
            "container ",
            "Ready",
        ]
        .iter()
        .map(|begin| {
            told.iter()
                .position(|what| what.starts_with(begin))
                .unwrap_or_else(|| panic!("{begin}: {told:?}"))
        })
        .collect();
        assert!(places.is_sorted(), "{told:?}");
    }

    #[test]
    fn a_crash_loop_shows_the_runs_that_are_known() {
        let told = timeline("crashloop");
        let ends = told
            .iter()
            .filter(|what| what.contains("ended with exit code 1"))
            .count();
        assert_eq!(ends, 2, "{told:?}");
        assert!(
            told.iter().any(|what| what.contains("started again (restart 2)")),
            "{told:?}"
        );
    }

    #[test]
    fn a_liveness_kill_is_told() {
        let told = timeline("liveness-http");
        assert!(
            told.iter()
                .any(|what| what.contains("failed liveness probe, will be restarted")),
            "{told:?}"
        );
        assert!(
            told.iter().any(|what| what.contains("ended with exit code 137")),
            "{told:?}"
        );
    }

    #[test]
    fn a_pod_that_ended_says_how() {
        assert!(timeline("completes-never").last().unwrap().starts_with("Succeeded"));
        assert!(
            timeline("deadline")
                .iter()
                .any(|what| what.starts_with("Failed: DeadlineExceeded"))
        );
    }
}
