//! The one source of "now": the machine's clock, or virtual time in a scripted run.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time to everything that does I/O; decisions get `now` as an argument.
#[derive(Clone, Debug)]
pub struct Clock {
    /// In virtual time: the moment that tokio's (paused) clock stood for when the run began.
    epoch: Option<(Timestamp, Instant)>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { epoch: None }
    }

    /// Virtual time: starts at `start` and moves with tokio's paused clock.
    pub fn scripted(start: Timestamp) -> Self {
        Self {
            epoch: Some((start, Instant::now())),
        }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match self.epoch {
            None => Timestamp::now(),
            Some((start, began)) => SignedDuration::try_from(began.elapsed())
                .ok()
                .and_then(|passed| start.checked_add(passed).ok())
                .unwrap_or(Timestamp::MAX),
        }
    }
}
