//! The saved pods of a real cluster, for tests.

use super::Facts;
use super::event;
use super::history::History;
use crate::manifest::{Source, pods, saved_at};

/// What one look at a saved pod tells.
pub(crate) fn history(name: &str) -> History {
    let path = format!("{}/tests/saved/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let source = Source {
        name: name.to_owned(),
        text: std::fs::read_to_string(path).expect("a saved pod"),
    };
    let saved = pods(&[source]).expect("it reads").remove(0);
    let now = saved_at(&saved).expect("it has times");
    let facts = Facts::of(saved.pod, now);
    let events = event::about(&facts, &saved.events);
    History::of(facts, events)
}
