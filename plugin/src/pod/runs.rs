//! The runs of containers: from each start to the end that followed, as far as they are known.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Facts;
use super::condition::Condition;
use super::container::{Container, Ended, Role, State};
use super::event::Event;

/// One instance of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its container.
    pub container: String,
    /// How many there were before it: the restart count at its start.
    pub number: i32,
    /// When it started; unknown where it never did, or nobody kept it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it ended, in the status' one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it became ready, and stopped being so, in turns.
    pub ready: Vec<Timestamp>,
    /// Whether it has ended, for all that is known: a later one has begun.
    pub is_over: bool,
}

impl Run {
    /// Whether it ended well; nothing where it has not ended, or nobody knows how.
    pub fn ended_well(&self) -> Option<bool> {
        self.exit_code.map(|code| code == 0)
    }

    fn new(container: &Container, number: i32) -> Self {
        Self {
            container: container.name.clone(),
            number,
            started: None,
            finished: None,
            exit_code: None,
            reason: None,
            ready: Vec::new(),
            is_over: false,
        }
    }
}

/// Takes what one look at the pod tells about its containers' runs; `seen` is the moment of a look that followed others.
pub(super) fn take(runs: &mut Vec<Run>, facts: &Facts, events: &[Event], seen: Option<Timestamp>) {
    for container in &facts.containers {
        let restarts = container.restarts();
        if let Some(last) = &container.last {
            let number = match &container.state {
                State::Waiting { .. } | State::Unreported => restarts,
                State::Running { .. } | State::Ended(_) => restarts - 1,
            };
            end(run(runs, container, number), last, seen);
        }
        match &container.state {
            State::Running { since } => {
                let run = run(runs, container, restarts);
                run.started = run.started.or(since.map(|since| finer(since, seen)));
                readiness(run, facts, container, seen);
            }
            State::Ended(ended) => end(run(runs, container, restarts), ended, seen),
            State::Waiting { .. } | State::Unreported => {}
        }
        first_start(runs, container, events);
    }
    runs.sort_by_key(|run| {
        let place = facts.containers.iter().position(|one| one.name == run.container);
        (place, run.number)
    });
    for index in 1..runs.len() {
        if runs[index - 1].container == runs[index].container {
            runs[index - 1].is_over = true;
        }
    }
}

fn run<'a>(runs: &'a mut Vec<Run>, container: &Container, number: i32) -> &'a mut Run {
    let found = runs
        .iter()
        .position(|run| run.container == container.name && run.number == number);
    let index = found.unwrap_or_else(|| {
        runs.push(Run::new(container, number));
        runs.len() - 1
    });
    &mut runs[index]
}

fn end(run: &mut Run, ended: &Ended, seen: Option<Timestamp>) {
    run.started = run.started.or(ended.started);
    if run.exit_code.is_none() {
        run.finished = ended.finished.map(|finished| finer(finished, seen));
        run.exit_code = Some(ended.exit_code);
        run.reason = Some(ended.reason.clone()).filter(|reason| !reason.is_empty());
    }
    // A run of less than a second, seen when it was over, ends before it starts otherwise.
    run.started = run
        .started
        .map(|started| run.finished.map_or(started, |end| started.min(end)));
    run.is_over = true;
}

/// Notes a change of readiness: at the moment of the look, or, of the first one, as the conditions have it.
fn readiness(run: &mut Run, facts: &Facts, container: &Container, seen: Option<Timestamp>) {
    let was_ready = run.ready.len() % 2 == 1;
    if container.is_ready() == was_ready {
        return;
    }
    let known = facts
        .condition("ContainersReady")
        .or_else(|| facts.condition("Ready"))
        .filter(|condition| condition.is_true() == container.is_ready())
        .and_then(|condition: &Condition| condition.since);
    let at = match seen {
        Some(seen) => Some(seen),
        None if !container.is_ready() => None,
        // A container without a probe is ready from its start on.
        None if container.spec.readiness_probe.is_none() && container.spec.startup_probe.is_none() => run.started,
        None => known.or(run.started),
    };
    if let Some(at) = at {
        run.ready.push(run.started.map_or(at, |started| at.max(started)));
    }
}

/// Of the first run of several, an event may know the start.
fn first_start(runs: &mut Vec<Run>, container: &Container, events: &[Event]) {
    let event = events
        .iter()
        .find(|event| event.reason == "Started" && event.container() == Some(container.name.as_str()));
    let Some(first) = event.and_then(|event| event.first) else {
        return;
    };
    let known = runs.iter().filter(|run| run.container == container.name);
    let earliest = known.clone().filter_map(|run| run.started).min();
    let has_first = known.clone().any(|run| run.number == 0);
    match earliest {
        Some(earliest) if !has_first && first.as_second() <= earliest.as_second() => {
            let first_run = run(runs, container, 0);
            first_run.started = Some(first);
            first_run.is_over = true;
        }
        // The status has whole seconds, the event's name has more.
        Some(earliest) if has_first && is_same_second(earliest, first) => {
            let first_run = run(runs, container, 0);
            let end = first_run.finished;
            first_run.started = Some(end.map_or(first, |end| first.min(end.max(earliest))));
        }
        _ => {}
    }
}

fn is_same_second(whole: Timestamp, fine: Timestamp) -> bool {
    whole.subsec_nanosecond() == 0 && whole.as_second() == fine.as_second()
}

/// What is recorded in whole seconds and was seen right after, happened when it was seen.
pub(super) fn finer(recorded: Timestamp, seen: Option<Timestamp>) -> Timestamp {
    let Some(seen) = seen else { return recorded };
    let late = seen.duration_since(recorded);
    let is_close = late >= SignedDuration::ZERO && late < SignedDuration::from_millis(1_500);
    if recorded.subsec_nanosecond() == 0 && is_close {
        seen
    } else {
        recorded
    }
}

/// How many runs of a container came before the first that is known.
pub fn unknown(runs: &[Run], container: &Container) -> i32 {
    let known = runs.iter().filter(|run| run.container == container.name).count();
    let total = match &container.state {
        State::Unreported => 0,
        State::Waiting { .. } if container.last.is_none() => 0,
        _ => container.restarts() + 1,
    };
    (total - i32::try_from(known).unwrap_or(i32::MAX)).max(0)
}

/// The first start of all app containers together: when the last of them had started for the first time.
pub fn all_started(facts: &Facts, runs: &[Run]) -> Option<Timestamp> {
    facts
        .with_role(Role::Regular)
        .map(|container| {
            let first = runs.iter().find(|run| run.container == container.name);
            first.filter(|run| run.number == 0).and_then(|run| run.started)
        })
        .collect::<Option<Vec<_>>>()
        .and_then(|starts| starts.into_iter().max())
}
