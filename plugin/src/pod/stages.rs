//! How long each stage of a pod's life took.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Facts;
use super::container::{Container, Role, State};
use super::event::Event;

/// A stretch of time with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// `schedule`, `sandbox`, `pull NAME`, `init NAME`, `start`, `ready`.
    pub name: String,
    /// Its begin.
    pub from: Timestamp,
    /// Its end; it still goes on where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl Stage {
    /// How long it took, or takes by now. Times in whole seconds allow no finer answer than that.
    pub fn words(&self, now: Timestamp) -> String {
        let to = self.to.unwrap_or(now);
        let lasted = to.duration_since(self.from);
        let is_fine = |time: Timestamp| time.subsec_nanosecond() != 0;
        // A whole second may lie before the finer time that caused it.
        if is_fine(self.from) && is_fine(to) {
            super::age::precise(lasted)
        } else if lasted < SignedDuration::from_secs(1) {
            "<1s".to_owned()
        } else {
            super::age::between(self.from, to)
        }
    }
}

/// The stages that have begun, in order.
pub fn of(facts: &Facts, events: &[Event]) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut add = |name: String, from: Option<Timestamp>, to: Option<Timestamp>| {
        if let Some(from) = from {
            stages.push(Stage { name, from, to });
        }
    };
    let since = |kind: &str| {
        facts
            .condition(kind)
            .filter(|condition| condition.is_true())
            .and_then(|one| one.since)
    };
    let scheduled = events
        .iter()
        .find(|event| event.reason == "Scheduled")
        .and_then(|event| event.first)
        .or_else(|| since("PodScheduled"));
    add("schedule".to_owned(), facts.created(), scheduled);
    let sandbox = since("PodReadyToStartContainers").or_else(|| since("PodHasNetwork"));
    let first_container = facts.containers.iter().filter_map(first_start).min();
    let sandbox = sandbox.or(first_container);
    if !facts.is_over() || sandbox.is_some() {
        add("sandbox".to_owned(), scheduled, sandbox);
    }
    for event in events.iter().filter(|event| event.reason == "Pulling") {
        let pulled = events
            .iter()
            .find(|other| other.reason == "Pulled" && other.field_path == event.field_path);
        let container = event.container().unwrap_or_default();
        add(
            format!("pull {container}"),
            event.first,
            pulled.and_then(|event| event.first),
        );
    }
    for container in facts.with_role(Role::Init) {
        let (from, to) = match &container.state {
            State::Running { since } => (*since, None),
            State::Ended(ended) => (ended.started, ended.finished),
            State::Waiting { .. } | State::Unreported => (None, None),
        };
        let first = container.last.as_ref().and_then(|last| last.started).or(from);
        add(format!("init {}", container.name), first, to);
    }
    let initialized = facts
        .with_role(Role::Init)
        .filter_map(Container::newest_end)
        .filter_map(|ended| ended.finished)
        .max();
    let before = initialized.or(sandbox);
    let started = facts.with_role(Role::Regular).filter_map(first_start).max();
    if started.is_some() || since("Initialized").is_some() {
        add("start".to_owned(), before, started);
    }
    let has_probe = facts
        .with_role(Role::Regular)
        .any(|container| container.probes().next().is_some());
    let ready = since("Ready");
    if ready.is_some() || (has_probe && !facts.is_over()) {
        add("ready".to_owned(), started, ready);
    }
    let last_end = stages.iter().rposition(|stage| stage.to.is_some()).unwrap_or(0);
    let mut number = 0;
    // A stage whose end nobody recorded is over all the same once a later one is, or the pod is Ready.
    stages.retain(|stage| {
        number += 1;
        stage.to.is_some() || (number > last_end && ready.is_none())
    });
    stages
}

fn first_start(container: &Container) -> Option<Timestamp> {
    let last = container.last.as_ref().and_then(|last| last.started);
    last.or(match &container.state {
        State::Running { since } => *since,
        State::Ended(ended) => ended.started,
        State::Waiting { .. } | State::Unreported => None,
    })
}
