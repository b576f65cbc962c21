//! What is assumed of a life that nobody lives: what containers do, and what is done to the pod.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use crate::runtime::scripted::{Play, Termination};

/// A pod and all that is assumed of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The pod, as its manifest has it.
    pub pod: Value,
    /// What it refers to: ConfigMaps, Secrets, service accounts.
    pub companions: Vec<Value>,
    /// What its containers do, by name; one that is not named runs until it is stopped.
    pub containers: BTreeMap<String, Behaviour>,
    /// What is done to the pod, and when.
    pub deeds: Vec<(Duration, Deed)>,
    /// What the node has of a resource; of all others it has what any pod asks for.
    pub room: BTreeMap<String, String>,
    /// When the pod is created.
    pub start: Timestamp,
    /// How long is looked ahead.
    pub horizon: Duration,
}

/// Something that somebody does to the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Deletes it, with a grace period of its own or the pod's.
    Delete {
        /// In seconds.
        grace: Option<i64>,
    },
    /// Sets a condition: what a readiness gate waits for.
    Condition {
        /// Its type.
        kind: String,
        /// Its status.
        status: bool,
    },
    /// Removes a scheduling gate.
    OpenGate {
        /// Its name.
        name: String,
    },
}

/// What one container does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Its runs, the first one first; the last of these for all that follow.
    pub runs: Vec<Run>,
    /// How long its image takes to be pulled; it is on the node already where this is absent.
    pub pull: Option<Duration>,
    /// Its image can't be had.
    pub pull_fails: bool,
    /// How long its preStop hook takes, where it does not say so itself.
    pub pre_stop: Duration,
    /// How long its postStart hook takes.
    pub post_start: Duration,
    /// Its postStart hook fails.
    pub post_start_fails: bool,
}

/// What one run of a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// It can't be started, and why.
    pub fails_to_start: Option<String>,
    /// After how long it ends by itself.
    pub lasts: Option<Duration>,
    /// How it ends then.
    pub ends: Termination,
    /// How long it takes to end once it is asked to; for ever where it does not listen.
    pub stops_after: Option<Duration>,
    /// How it ends when it is asked to.
    pub stops: Termination,
    /// How long it takes to start up: until then, no probe succeeds.
    pub starts_after: Duration,
    /// From when on it can serve: until then, its readiness probe fails.
    pub ready_after: Duration,
    /// From when on it does not answer any more: no probe succeeds.
    pub hangs_after: Option<Duration>,
}

impl Default for Run {
    /// Runs until it is asked to stop, and then stops at once.
    fn default() -> Self {
        Self {
            fails_to_start: None,
            lasts: None,
            ends: Termination::exit(0),
            stops_after: Some(Duration::ZERO),
            stops: Termination::exit(0),
            starts_after: Duration::ZERO,
            ready_after: Duration::ZERO,
            hangs_after: None,
        }
    }
}

impl Behaviour {
    /// What the `attempt`-th run does.
    pub(super) fn run(&self, attempt: u32) -> Run {
        let last = self.runs.len().saturating_sub(1);
        let index = usize::try_from(attempt).unwrap_or(usize::MAX).min(last);
        self.runs.get(index).cloned().unwrap_or_default()
    }

    pub(super) fn plays(&self) -> Vec<Play> {
        self.runs
            .iter()
            .map(|run| match &run.fails_to_start {
                Some(why) => Play::FailsToStart(why.clone()),
                None => Play::Runs {
                    lasts: run.lasts,
                    termination: run.ends.clone(),
                    on_term: run.stops_after.map(|after| (after, run.stops.clone())),
                },
            })
            .collect()
    }
}
