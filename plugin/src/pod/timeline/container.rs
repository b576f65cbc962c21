//! What happened to one container: the runs that the status knows, and what is left of those before.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::rank::{self, Rank};
use super::{Entry, Mood, title};
use crate::pod::Facts;
use crate::pod::age;
use crate::pod::container::{Container, Ended, State};
use crate::pod::event::Event;

pub(super) fn entries(facts: &Facts, container: &Container, events: &[Event], entries: &mut Vec<Entry>) {
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
        let key = format!("start/{run}");
        let rank = rank::start(self.container, run);
        self.entry(
            refined(at, self.started.filter(|_| run == 0)),
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
            .map(|(started, finished)| format!(" after {}", age::between(started, finished)));
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
        let key = format!("end/{run}");
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
            entries.push(self.entry(Some(first), rank, "start/0", what).mood(Mood::Good));
            let what = format!("{} ended; how, the API has not kept", self.title);
            let ended = self.entry(None, rank + 3, "expired/end/0", what);
            entries.push(ended.expired_before(Some(first.as_second())).mood(Mood::Bad));
            shown += 1;
        }
        if shown < runs {
            let hidden = runs - shown;
            let plural = if hidden == 1 { "run" } else { "runs" };
            let what = format!("{}: {hidden} more {plural}, of which the API keeps nothing", self.title);
            // Just before the oldest one that is known.
            let entry = self.entry(None, rank::EXPIRED, &format!("expired/{hidden}"), what);
            entries.push(entry.expired_before(Some(earliest.as_second() - 1)));
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
