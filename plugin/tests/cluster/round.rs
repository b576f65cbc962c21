//! Requests that have to be made at once.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Holds requests until so many have come: were they not made at once, nobody would ever be answered.
#[derive(Clone)]
pub(crate) struct Round(Arc<(Mutex<usize>, Condvar)>, usize);

impl Round {
    pub(crate) fn of(count: usize) -> Self {
        Self(Arc::default(), count)
    }

    pub(crate) fn wait_for_all(&self) {
        let (come, all) = &*self.0;
        let mut come = come.lock().unwrap();
        *come += 1;
        all.notify_all();
        let waited = all
            .wait_timeout_while(come, Duration::from_secs(120), |come| *come < self.1)
            .unwrap()
            .1;
        assert!(
            !waited.timed_out(),
            "requests that belong together were made one after the other"
        );
    }
}
