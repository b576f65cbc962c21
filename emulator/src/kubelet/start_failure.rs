//! Why a container could not be started: what its Waiting state says.

use std::{collections::HashMap, time::Duration};

/// The last failed attempt to start one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFailure {
    /// The Waiting reason.
    pub reason: String,
    /// The Waiting message.
    pub message: String,
    /// For back-offs: how long until the next try.
    pub retry_in: Option<Duration>,
}

impl StartFailure {
    /// A failure that is tried again with the pod's next sync.
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            retry_in: None,
        }
    }

    /// A back-off with `left` to go.
    pub fn back_off(reason: &str, message: impl Into<String>, left: Duration) -> Self {
        Self {
            retry_in: Some(left),
            ..Self::new(reason, message)
        }
    }
}

/// The failures of one pod by container; a start that succeeds takes the entry out.
#[derive(Clone, Debug, Default)]
pub struct StartFailures(HashMap<String, StartFailure>);

impl StartFailures {
    /// The last attempt's failure, if it failed.
    pub fn of(&self, container: &str) -> Option<&StartFailure> {
        self.0.get(container)
    }

    /// Keeps the outcome of an attempt.
    pub fn record(&mut self, container: &str, outcome: Result<(), StartFailure>) {
        match outcome {
            Ok(()) => self.0.remove(container),
            Err(failure) => self.0.insert(container.to_owned(), failure),
        };
    }
}
