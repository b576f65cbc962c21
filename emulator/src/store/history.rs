//! The recent changes, which watches read from.

use std::collections::VecDeque;

use super::WatchEvent;

/// How many changes are kept at most. A watch that asks for an older version is told to list again (410 Gone).
const MOST: usize = 4096;
/// How many are kept however large they are: enough for every watch that is awake.
const LEAST: usize = 64;
/// How much JSON the others may hold together: what nobody reads any more is not to fill the memory.
const SIZE: usize = 1 << 20;

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
    /// With the length of the object's JSON.
    events: VecDeque<(WatchEvent, usize)>,
    size: usize,
    /// A watch can start from this version.
    start: u64,
}

impl History {
    /// Nothing is known of changes up to `version`.
    pub(super) fn restart(&mut self, version: u64) {
        self.events.clear();
        self.size = 0;
        self.start = version;
    }

    /// Adds the newest change, whose object has `size` bytes of JSON.
    pub(super) fn push(&mut self, event: WatchEvent, size: usize) {
        self.events.push_back((event, size));
        self.size += size;
        while self.events.len() > MOST || (self.size > SIZE && self.events.len() > LEAST) {
            let Some((dropped, size)) = self.events.pop_front() else {
                return;
            };
            self.start = dropped.version;
            self.size -= size;
        }
    }

    /// Every change after `version`, the oldest first.
    pub(super) fn since(&self, version: u64) -> Result<impl DoubleEndedIterator<Item = &WatchEvent>, Expired> {
        if version < self.start {
            return Err(Expired {
                asked: version,
                oldest: self.start,
            });
        }
        let from = self.events.partition_point(|(event, _)| event.version <= version);
        Ok(self.events.range(from..).map(|(event, _)| event))
    }

    /// The first change after `version` that `wanted` takes.
    pub(super) fn next(
        &self,
        version: u64,
        wanted: impl Fn(&WatchEvent) -> bool,
    ) -> Result<Option<WatchEvent>, Expired> {
        Ok(self.since(version)?.find(|event| wanted(event)).cloned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::{Change, Key, Resource};

    fn history(changes: u64, size: usize) -> History {
        let mut history = History::default();
        for version in 1..=changes {
            let event = WatchEvent {
                change: Change::Modified,
                version,
                key: Key::new(Resource::Pods, "default", "a"),
                object: Arc::default(),
                previous: None,
            };
            history.push(event, size);
        }
        history
    }

    #[test]
    fn many_small_changes_are_kept_and_few_large_ones() {
        assert_eq!(history(5000, 100).start, 5000 - 4096);
        assert_eq!(history(500, 10_000).start, 500 - 104);
        assert_eq!(history(500, 1 << 20).start, 500 - 64);
    }

    #[test]
    fn what_is_no_longer_kept_has_expired() {
        let history = history(500, 1 << 20);
        assert!(history.next(435, |_| true).is_err());
        assert_eq!(history.next(436, |_| true).unwrap().unwrap().version, 437);
        assert!(history.next(500, |_| true).unwrap().is_none());
    }
}
