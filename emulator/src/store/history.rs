//! The recent changes, which watches read from.

use std::collections::VecDeque;

use super::WatchEvent;

/// How many changes are kept. A watch that asks for an older version is told to list again (410 Gone).
const KEPT: usize = 4096;

/// A watch asked for changes that are no longer kept.
#[derive(Debug, thiserror::Error)]
#[error("too old resource version: {asked} ({oldest})")]
pub struct Expired {
    /// The version asked for.
    pub asked: u64,
    /// The oldest version that a watch can start from.
    pub oldest: u64,
}

/// The newest changes, oldest first.
#[derive(Default)]
pub(super) struct History {
    events: VecDeque<WatchEvent>,
    /// A watch can start from this version.
    start: u64,
}

impl History {
    /// Nothing is known of changes up to `version`.
    pub(super) fn restart(&mut self, version: u64) {
        self.events.clear();
        self.start = version;
    }

    pub(super) fn push(&mut self, event: WatchEvent) {
        if self.events.len() == KEPT
            && let Some(dropped) = self.events.pop_front()
        {
            self.start = dropped.version;
        }
        self.events.push_back(event);
    }

    /// The first change after `version` that `wanted` takes.
    pub(super) fn next(
        &self,
        version: u64,
        wanted: impl Fn(&WatchEvent) -> bool,
    ) -> Result<Option<WatchEvent>, Expired> {
        if version < self.start {
            return Err(Expired {
                asked: version,
                oldest: self.start,
            });
        }
        let from = self.events.partition_point(|event| event.version <= version);
        Ok(self.events.range(from..).find(|event| wanted(event)).cloned())
    }
}
