//! The saved pods of a real cluster, for tests.

use super::Facts;
use super::event;
use super::history::History;
use crate::manifest::{Source, newest, read, saved_at};

/// What one look at a saved pod tells.
pub(crate) fn history(name: &str) -> History {
    let path = format!("{}/tests/saved/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let source = Source {
        name: name.to_owned(),
        text: std::fs::read_to_string(path).expect("a saved pod"),
    };
    let sources = [source];
    let saved = read(&sources).expect("it reads").pods.remove(0).pod;
    let now = saved_at(&saved, newest(&saved)).expect("it has times");
    let facts = Facts::of(saved.pod, now);
    let events = event::about(&facts, &saved.events);
    History::of(facts, events)
}
