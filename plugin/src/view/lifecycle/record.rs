//! The story for programs, in the schema's version `kubectl-pod/v1`.

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::pod::history::History;
use crate::pod::next::{self, Next};
use crate::pod::runs::Run;
use crate::pod::stages::{self, Stage};
use crate::pod::timeline::Entry;
use crate::view::describe::record::API_VERSION;

/// The kind of several stories, which have `items`, and how they compare in `percentiles`.
pub const LIST_KIND: &str = "PodLifecycleList";

/// The story of one pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleRecord {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    namespace: String,
    as_of: Timestamp,
    status: String,
    phase: String,
    /// Whether the pod was watched from its creation on.
    is_whole: bool,
    timeline: Vec<Entry>,
    stages: Vec<StageRecord>,
    runs: Vec<Run>,
    next: Vec<Next>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assumed: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StageRecord {
    #[serde(flatten)]
    stage: Stage,
    /// Absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<i64>,
}

impl LifecycleRecord {
    /// Writes the story down.
    pub fn of(history: &History) -> Self {
        let facts = &history.facts;
        Self {
            api_version: API_VERSION,
            kind: "PodLifecycle",
            name: facts.name.clone(),
            namespace: facts.namespace.clone(),
            as_of: facts.now,
            status: facts.computed.status.clone(),
            phase: facts.phase.clone(),
            is_whole: history.is_whole,
            timeline: history.entries.clone(),
            stages: stages::of(history)
                .into_iter()
                .map(|stage| StageRecord {
                    milliseconds: stage.length().and_then(|length| i64::try_from(length.as_millis()).ok()),
                    stage,
                })
                .collect(),
            runs: history.runs.clone(),
            next: match history.gone {
                Some(_) => Vec::new(),
                None => next::with_events(facts, &history.events),
            },
            answers: Vec::new(),
            assumed: Vec::new(),
        }
    }

    /// The story as a value.
    pub fn value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Adds what a simulation assumed, and what it answers.
    #[must_use]
    pub fn with_answers(mut self, assumed: Vec<String>, answers: Vec<String>) -> Self {
        (self.assumed, self.answers) = (assumed, answers);
        self
    }
}
