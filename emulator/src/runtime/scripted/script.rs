//! What happens to each container of a scripted life.

use std::{collections::HashMap, time::Duration};

/// How a container's first process ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Termination {
    /// The exit code.
    pub code: i32,
    /// `OOMKilled`, or empty.
    pub reason: String,
}

impl Termination {
    /// It exits by itself.
    pub fn exit(code: i32) -> Self {
        Self {
            code,
            reason: String::new(),
        }
    }

    /// A signal ends it.
    pub fn signal(signal: i32) -> Self {
        Self::exit(128 + signal)
    }

    /// It had used more memory than its limit.
    pub fn oom() -> Self {
        Self {
            code: 137,
            reason: "OOMKilled".to_owned(),
        }
    }
}

/// What one instance of a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Play {
    /// The runtime can't start it; its words.
    FailsToStart(String),
    /// It runs.
    Runs {
        /// For how long, if it ends by itself.
        lasts: Option<Duration>,
        /// How it ends then.
        termination: Termination,
        /// How long after its stop signal it ends, and how; not at all where it ignores the signal.
        on_term: Option<(Duration, Termination)>,
    },
}

impl Play {
    /// Runs until it is stopped, and obeys its stop signal at once.
    pub fn forever() -> Self {
        Self::Runs {
            lasts: None,
            termination: Termination::default(),
            on_term: Some((Duration::ZERO, Termination::exit(0))),
        }
    }

    /// Runs until it is killed.
    pub fn stubborn() -> Self {
        Self::Runs {
            lasts: None,
            termination: Termination::default(),
            on_term: None,
        }
    }

    /// Runs for `seconds`, then ends like this.
    pub fn ends(seconds: u64, termination: Termination) -> Self {
        Self::Runs {
            lasts: Some(Duration::from_secs(seconds)),
            termination,
            on_term: Some((Duration::ZERO, Termination::signal(15))),
        }
    }
}

/// What each container does; one that is not named runs until it is stopped.
#[derive(Clone, Debug, Default)]
pub struct Script {
    plays: HashMap<String, Vec<Play>>,
}

impl Script {
    /// Says what a container does: its first instance the first of these, and so on, the last one for all that follow.
    #[must_use]
    pub fn with(mut self, container: &str, plays: impl IntoIterator<Item = Play>) -> Self {
        self.plays.insert(container.to_owned(), plays.into_iter().collect());
        self
    }

    /// What that instance does.
    pub(super) fn play(&self, container: &str, attempt: u32) -> Play {
        let plays = self.plays.get(container).map(Vec::as_slice).unwrap_or_default();
        let index = usize::try_from(attempt)
            .unwrap_or(usize::MAX)
            .min(plays.len().saturating_sub(1));
        plays.get(index).cloned().unwrap_or_else(Play::forever)
    }
}
