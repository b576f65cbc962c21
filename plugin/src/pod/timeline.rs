//! What happened to a pod and when, put together from spec, status and events.
//!
//! The API keeps states, not a history: each entry says whether its moment was recorded, follows from what was recorded,
//! or whether what happened has left no trace but a number.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Facts;
use super::container::{Container, Ended, Role, State};
use super::event::Event;

/// How an entry is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The status or an event says so.
    Recorded,
    /// It follows from what is recorded.
    Inferred,
    /// It happened, and its record is gone.
    Expired,
}

/// Whether what happened is welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mood {
    /// A step forward.
    Good,
    /// Neither.
    Neutral,
    /// A step back.
    Bad,
}

/// The place of an entry among those of its second.
type Rank = i32;

/// Ranks: an init container's start and end follow those of the one before it, a restart follows the end before it.
mod rank {
    use super::{Container, Rank, Role};

    pub(super) const CREATED: Rank = 0;
    pub(super) const SCHEDULED: Rank = 1;
    pub(super) const SANDBOX: Rank = 2;
    pub(super) const PULL: Rank = 3;
    const INIT: Rank = 10;
    const REGULAR: Rank = 100_000;
    pub(super) const READY: Rank = REGULAR + 1;
    pub(super) const EVENT: Rank = REGULAR + 2;
    pub(super) const UNREADY: Rank = Rank::MAX - 3;
    pub(super) const DELETION: Rank = Rank::MAX - 2;
    pub(super) const OVER: Rank = Rank::MAX - 1;

    /// A container's start in its n-th run; its end is 3 later, what it waits for then 4.
    pub(super) fn start(container: &Container, run: i32) -> Rank {
        let runs = run.clamp(0, 1_000_000) * 5;
        match container.role {
            Role::Init | Role::Sidecar => {
                INIT + Rank::try_from(container.position).unwrap_or(0) * 1_000 + runs.min(990)
            }
            Role::Regular | Role::Ephemeral => REGULAR + runs,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When; nobody knows of what has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How it is known.
    pub source: Source,
    /// Whether it is welcome.
    pub mood: Mood,
    /// The container that it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What happened.
    pub what: String,
    /// Tells this entry from all others, so that a live view says everything once.
    #[serde(skip)]
    pub key: String,
    /// Among entries of one second: what causes the others comes first.
    #[serde(skip)]
    rank: Rank,
    /// The second to stand at, for what has no time.
    #[serde(skip)]
    place: Option<i64>,
}

impl Entry {
    fn new(at: Option<Timestamp>, rank: Rank, key: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            at,
            source: if at.is_some() {
                Source::Recorded
            } else {
                Source::Expired
            },
            mood: Mood::Neutral,
            container: None,
            what: what.into(),
            key: key.into(),
            rank,
            place: None,
        }
    }

    fn mood(mut self, mood: Mood) -> Self {
        self.mood = mood;
        self
    }

    fn inferred(mut self) -> Self {
        self.source = Source::Inferred;
        self
    }
}

/// Puts the timeline together, oldest first.
pub fn of(facts: &Facts, events: &[Event]) -> Vec<Entry> {
    let mut entries = Vec::new();
    pod_entries(facts, events, &mut entries);
    for container in &facts.containers {
        container_entries(facts, container, events, &mut entries);
    }
    for event in events {
        entries.extend(event_entry(facts, event));
    }
    // Whole seconds and finer times stand side by side: within a second, causes come before effects.
    entries.sort_by_key(|entry| {
        let second = entry.at.or(facts.created()).map(|at| at.as_second());
        (entry.place.or(second), entry.rank, entry.at)
    });
    entries
}

fn pod_entries(facts: &Facts, events: &[Event], entries: &mut Vec<Entry>) {
    if let Some(created) = facts.created() {
        entries.push(Entry::new(Some(created), rank::CREATED, "created", "created"));
    }
    let node = facts.spec().and_then(|spec| spec.node_name.as_deref());
    let scheduled = events.iter().find(|event| event.reason == "Scheduled");
    let bound = facts.condition("PodScheduled").filter(|condition| condition.is_true());
    let scheduled_at = scheduled
        .and_then(|event| event.first)
        .or(bound.and_then(|condition| condition.since));
    if let (Some(at), Some(node)) = (scheduled_at, node) {
        let what = format!("scheduled to node {node}");
        entries.push(Entry::new(Some(at), rank::SCHEDULED, "scheduled", what).mood(Mood::Good));
    }
    let ready_for_containers = facts
        .condition("PodReadyToStartContainers")
        .or_else(|| facts.condition("PodHasNetwork"))
        .filter(|condition| condition.is_true());
    if let Some(condition) = ready_for_containers {
        let address = facts.status().and_then(|status| status.pod_ip.as_deref());
        let what = match address {
            Some(address) => format!("sandbox ready, pod IP {address}"),
            None => "sandbox ready".to_owned(),
        };
        entries.push(Entry::new(condition.since, rank::SANDBOX, "sandbox", what).mood(Mood::Good));
    }
    if let Some(ready) = facts.condition("Ready") {
        let since = ready.since.map(|since| since.to_string()).unwrap_or_default();
        if ready.is_true() {
            let key = format!("ready/{since}");
            entries.push(Entry::new(ready.since, rank::READY, key, "Ready").mood(Mood::Good));
        } else if was_ready_before(facts, ready.since) {
            let why = ready
                .message
                .as_deref()
                .or(ready.reason.as_deref())
                .unwrap_or("no reason given");
            let what = format!("no longer Ready: {why}");
            entries.push(Entry::new(ready.since, rank::UNREADY, format!("unready/{since}"), what).mood(Mood::Bad));
        }
    }
    if facts.is_over() {
        let ends = facts
            .containers
            .iter()
            .filter_map(Container::newest_end)
            .filter_map(|ended| ended.finished);
        let (what, mood) = match facts.phase.as_str() {
            "Succeeded" => ("Succeeded: all containers ended well".to_owned(), Mood::Good),
            _ => (failed_words(facts), Mood::Bad),
        };
        let at = ends
            .max()
            .or_else(|| facts.condition("Ready").and_then(|ready| ready.since));
        entries.push(Entry::new(at, rank::OVER, "over", what).mood(mood).inferred());
    }
    if let Some(termination) = &facts.termination {
        let grace = termination
            .grace
            .map(|grace| format!(" with a grace of {}", super::age::human(grace)));
        let what = format!("deletion asked for{}", grace.unwrap_or_default());
        entries.push(Entry::new(termination.requested(), rank::DELETION, "deletion", what).inferred());
    }
}

/// A condition that turned False later than the pod began was True in between: it starts out as False.
fn was_ready_before(facts: &Facts, since: Option<Timestamp>) -> bool {
    let start = facts
        .status()
        .and_then(|status| status.start_time.as_ref())
        .map(|time| time.0);
    let has_run = facts.with_role(Role::Regular).any(|container| {
        matches!(container.state, State::Running { .. } | State::Ended(_)) || container.last.is_some()
    });
    let is_end = facts
        .condition("Ready")
        .is_some_and(|ready| matches!(ready.reason.as_deref(), Some("PodCompleted" | "PodFailed")));
    has_run && !is_end && !facts.is_over() && since.zip(start).is_some_and(|(since, start)| since > start)
}

fn failed_words(facts: &Facts) -> String {
    let status = facts.status();
    let given = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
    let reason = given(status.and_then(|status| status.reason.as_ref()));
    let message = given(status.and_then(|status| status.message.as_ref()));
    match (reason, message) {
        (Some(reason), Some(message)) => format!("Failed: {reason}: {message}"),
        (Some(reason), None) => format!("Failed: {reason}"),
        _ => "Failed: a container did not end well".to_owned(),
    }
}

/// `init container 1/2 setup`, `container app`.
pub fn title(facts: &Facts, container: &Container) -> String {
    match container.role {
        Role::Init => {
            let total = facts
                .spec()
                .and_then(|spec| spec.init_containers.as_ref())
                .map_or(0, Vec::len);
            format!("init container {}/{total} {}", container.position + 1, container.name)
        }
        Role::Sidecar => format!("sidecar {}", container.name),
        Role::Regular => format!("container {}", container.name),
        Role::Ephemeral => format!("ephemeral container {}", container.name),
    }
}

fn container_entries(facts: &Facts, container: &Container, events: &[Event], entries: &mut Vec<Entry>) {
    let title = title(facts, container);
    let started = events
        .iter()
        .find(|event| event.reason == "Started" && event.container() == Some(container.name.as_str()));
    let told = Telling {
        container,
        title: &title,
        started,
    };
    let restarts = container.restarts();
    let mut known_starts = Vec::new();
    if let Some(last) = &container.last {
        known_starts.extend(last.started);
        // Whether the present state has an instance of its own decides which run the last one was.
        let run = match &container.state {
            State::Waiting { .. } | State::Unreported => restarts,
            State::Running { .. } | State::Ended(_) => restarts - 1,
        };
        told.instance(last, run, entries);
    }
    match &container.state {
        State::Running { since } => {
            known_starts.extend(*since);
            entries.push(told.start(*since, restarts));
        }
        State::Ended(ended) => {
            known_starts.extend(ended.started);
            told.instance(ended, restarts, entries);
        }
        State::Waiting { reason, message } => entries.extend(told.waiting(reason, message, events)),
        State::Unreported => {}
    }
    told.earlier_runs(&known_starts, entries);
}

/// Tells what happened to one container.
struct Telling<'a> {
    container: &'a Container,
    title: &'a str,
    /// The event that counts its starts.
    started: Option<&'a Event>,
}

impl Telling<'_> {
    fn entry(&self, at: Option<Timestamp>, rank: Rank, key: &str, what: String) -> Entry {
        let mut entry = Entry::new(at, rank, format!("{}/{key}", self.container.name), what);
        entry.container = Some(self.container.name.clone());
        entry
    }

    fn start(&self, at: Option<Timestamp>, run: i32) -> Entry {
        let again = if run > 0 {
            format!(" again (restart {run})")
        } else {
            String::new()
        };
        let key = format!("start/{}", stamp(at));
        let rank = rank::start(self.container, run);
        self.entry(
            refined(at, self.started),
            rank,
            &key,
            format!("{} started{again}", self.title),
        )
        .mood(Mood::Good)
    }

    /// The start and end of one instance.
    fn instance(&self, ended: &Ended, run: i32, entries: &mut Vec<Entry>) {
        let title = self.title;
        if ended.started.is_some() {
            entries.push(self.start(ended.started, run));
        }
        let lasted = ended
            .started
            .zip(ended.finished)
            .map(|(started, finished)| format!(" after {}", super::age::between(started, finished)));
        let (what, mood) = if ended.never_started {
            let why = if ended.message.is_empty() {
                ended.reason.as_str()
            } else {
                ended.message.as_str()
            };
            (format!("{title} could not be started: {why}"), Mood::Bad)
        } else if ended.exit_code == 0 {
            (format!("{title} ended well{}", lasted.unwrap_or_default()), Mood::Good)
        } else {
            let reason = match ended.reason.as_str() {
                "" | "Error" => String::new(),
                reason => format!(" ({reason})"),
            };
            let lasted = lasted.unwrap_or_default();
            (
                format!("{title} ended with exit code {}{reason}{lasted}", ended.exit_code),
                Mood::Bad,
            )
        };
        let key = format!("end/{}/{}", stamp(ended.finished), ended.container_id);
        let rank = rank::start(self.container, run) + 3;
        entries.push(self.entry(ended.finished, rank, &key, what).mood(mood));
    }

    fn waiting(&self, reason: &str, message: &str, events: &[Event]) -> Option<Entry> {
        if matches!(reason, "" | "ContainerCreating" | "PodInitializing") {
            return None;
        }
        let restarts = self.container.restarts();
        let key = format!("waiting/{reason}/{restarts}");
        let what = match message.lines().next() {
            None => format!("{} waits: {reason}", self.title),
            Some(message) => format!("{} waits: {reason}: {message}", self.title),
        };
        let at = waiting_since(self.container, reason, events);
        let rank = rank::start(self.container, restarts) + 4;
        let entry = self.entry(at, rank, &key, what).mood(Mood::Bad);
        Some(if at.is_some() { entry.inferred() } else { entry })
    }

    /// The status knows two instances. The event knows when the first one started; of those between, nothing is kept.
    fn earlier_runs(&self, known: &[Timestamp], entries: &mut Vec<Entry>) {
        let runs = self.container.restarts() + 1;
        let mut shown = i32::try_from(known.len()).unwrap_or(i32::MAX);
        let Some(earliest) = known.iter().min() else {
            return;
        };
        let first = self
            .started
            .and_then(|event| event.first)
            .filter(|first| first.as_second() <= earliest.as_second());
        if let Some(first) = first.filter(|_| shown < runs) {
            let what = format!("{} started", self.title);
            let rank = rank::start(self.container, 0);
            entries.push(self.entry(Some(first), rank, "start/first", what).mood(Mood::Good));
            shown += 1;
        }
        if shown < runs {
            let hidden = runs - shown;
            let plural = if hidden == 1 { "run" } else { "runs" };
            let what = format!("{}: {hidden} more {plural}, of which the API keeps nothing", self.title);
            // Just before the oldest one that is known.
            let mut entry = self.entry(None, Rank::MAX, &format!("expired/{hidden}"), what);
            entry.place = Some(earliest.as_second() - 1);
            entries.push(entry);
        }
    }
}

/// The Started event knows the milliseconds of a start that the status gives in whole seconds.
fn refined(at: Option<Timestamp>, event: Option<&Event>) -> Option<Timestamp> {
    let at = at?;
    let first = event.and_then(|event| event.first).filter(|first| {
        let gap = first.duration_since(at);
        gap >= SignedDuration::ZERO && gap < SignedDuration::from_secs(1)
    });
    Some(first.unwrap_or(at))
}

/// Since when a container waits: the end of its last instance, or the event that tells of the trouble.
fn waiting_since(container: &Container, reason: &str, events: &[Event]) -> Option<Timestamp> {
    let told = events
        .iter()
        .filter(|event| event.container() == Some(container.name.as_str()) && event.is_warning())
        .find(|event| event.message.contains(reason) || event.reason == "Failed" || event.reason == reason)
        .and_then(|event| event.first);
    match reason {
        "CrashLoopBackOff" => container.last.as_ref().and_then(|last| last.finished),
        _ => told,
    }
}

/// Events that tell what no status tells.
fn event_entry(facts: &Facts, event: &Event) -> Option<Entry> {
    let container = event.container().and_then(|name| facts.container(name));
    let title = container.map(|container| title(facts, container));
    let about = |words: &str| match &title {
        Some(title) => format!("{title}: {words}"),
        None => words.to_owned(),
    };
    let message = event.message.lines().next().unwrap_or_default();
    // Pulled before its container starts, and after the one before it has ended.
    let pull = container.map_or(rank::PULL, |container| rank::start(container, 0) - 1);
    let (rank, what, mood) = match event.reason.as_str() {
        // Told by the status, and better.
        "Scheduled" | "Created" | "Started" => return None,
        "BackOff" if message.starts_with("Back-off restarting") => return None,
        "Pulling" => (pull, about(message), Mood::Neutral),
        "Pulled" if message.contains("already present") => return None,
        "Pulled" => (pull, about(message), Mood::Good),
        "Killing" => (rank::EVENT, about(message), Mood::Neutral),
        _ if event.is_warning() => (rank::EVENT, about(&format!("{}: {message}", event.reason)), Mood::Bad),
        _ => (
            rank::EVENT,
            about(&format!("{}: {message}", event.reason)),
            Mood::Neutral,
        ),
    };
    let times = match event.count {
        ..=1 => String::new(),
        count => format!(" ({count} times, the last at {})", at_second(event.last)),
    };
    let at = event.first.or(event.last);
    // Trouble that goes on is told anew; a step that is repeated is told by what it leads to.
    let repeated = if event.is_warning() { event.count } else { 0 };
    let key = format!("event/{}/{}/{message}/{repeated}", event.reason, event.field_path);
    let mut entry = Entry::new(at, rank, key, format!("{what}{times}")).mood(mood);
    entry.container = container.map(|container| container.name.clone());
    Some(entry)
}

fn at_second(time: Option<Timestamp>) -> String {
    time.map(|time| time.strftime("%H:%M:%S").to_string())
        .unwrap_or_default()
}

fn stamp(time: Option<Timestamp>) -> String {
    time.map(|time| time.as_second().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Source as File, pods, saved_at};

    fn timeline(name: &str) -> Vec<String> {
        let path = format!("{}/tests/saved/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let saved = pods(&[File {
            name: name.into(),
            text,
        }])
        .unwrap()
        .remove(0);
        let now = saved_at(&saved).unwrap();
        let facts = Facts::of(saved.pod, now);
        let events = super::super::event::about(&facts, &saved.events);
        of(&facts, &events).into_iter().map(|entry| entry.what).collect()
    }

    #[test]
    fn init_containers_come_one_after_the_other_and_then_the_app() {
        let told = timeline("seed-init");
        let places: Vec<usize> = [
            "created",
            "scheduled",
            "sandbox",
            "init container 1/2",
            "init container 2/2",
            "container ",
            "Ready",
        ]
        .iter()
        .map(|begin| {
            told.iter()
                .position(|what| what.starts_with(begin))
                .unwrap_or_else(|| panic!("{begin}: {told:?}"))
        })
        .collect();
        assert!(places.is_sorted(), "{told:?}");
    }

    #[test]
    fn a_crash_loop_shows_the_runs_that_are_known() {
        let told = timeline("crashloop");
        let ends = told
            .iter()
            .filter(|what| what.contains("ended with exit code 1"))
            .count();
        assert_eq!(ends, 2, "{told:?}");
        assert!(
            told.iter().any(|what| what.contains("started again (restart 2)")),
            "{told:?}"
        );
    }

    #[test]
    fn a_liveness_kill_is_told() {
        let told = timeline("liveness-http");
        assert!(
            told.iter()
                .any(|what| what.contains("failed liveness probe, will be restarted")),
            "{told:?}"
        );
        assert!(
            told.iter().any(|what| what.contains("ended with exit code 137")),
            "{told:?}"
        );
    }

    #[test]
    fn a_pod_that_ended_says_how() {
        assert!(timeline("completes-never").last().unwrap().starts_with("Succeeded"));
        assert!(
            timeline("deadline")
                .iter()
                .any(|what| what.starts_with("Failed: DeadlineExceeded"))
        );
    }
}
