//! What is known of a pod's life: from one look at it, or from all that was seen while it was watched.

use std::collections::HashSet;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::Facts;
use super::condition::Condition;
use super::event::Event;
use super::runs::{self, Run};
use super::surroundings::Surroundings;
use super::timeline::{self, Entry, Source};

/// A pod's life so far.
#[derive(Clone, Debug)]
pub struct History {
    /// The pod as it was seen last.
    pub facts: Facts,
    /// Its events.
    pub events: Vec<Event>,
    /// What stood around it, where that was looked at.
    pub around: Surroundings,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// The runs of its containers: in the order of the spec, and of their starts.
    pub runs: Vec<Run>,
    /// When the pod became Ready, and stopped being so, in turns.
    pub ready: Vec<Timestamp>,
    /// Each failure of a probe that is known.
    pub failures: Vec<ProbeFailure>,
    /// Each time a container was killed, as the kubelet said it.
    pub kills: Vec<Kill>,
    /// When its deletion was asked for, and with which grace.
    pub asked_to_go: Option<(Timestamp, Option<SignedDuration>)>,
    /// When the object went.
    pub gone: Option<Timestamp>,
    /// Whether it was watched from its creation on: then nothing has been missed.
    pub is_whole: bool,
    /// Whether nobody lived it: its times of day mean nothing.
    pub is_simulated: bool,
    told: HashSet<String>,
}

/// A probe that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFailure {
    /// Of this container.
    pub container: String,
    /// `Startup`, `Liveness` or `Readiness`.
    pub probe: String,
    /// When.
    pub at: Timestamp,
}

/// A container that the kubelet killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Which one.
    pub container: String,
    /// Why, in the kubelet's words.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

impl History {
    /// What one look tells.
    pub fn of(facts: Facts, events: Vec<Event>) -> Self {
        let mut history = Self::begin(facts.clone());
        history.see(facts, events, None);
        history
    }

    /// Nothing yet, of a pod that is about to be looked at.
    pub fn begin(facts: Facts) -> Self {
        Self {
            facts,
            events: Vec::new(),
            around: Surroundings::default(),
            entries: Vec::new(),
            runs: Vec::new(),
            ready: Vec::new(),
            failures: Vec::new(),
            kills: Vec::new(),
            asked_to_go: None,
            gone: None,
            is_whole: false,
            is_simulated: false,
            told: HashSet::new(),
        }
    }

    /// Nothing of it was recorded: it is what would happen.
    pub fn mark_simulated(&mut self) {
        self.is_simulated = true;
        for entry in &mut self.entries {
            entry.source = Source::Simulated;
        }
    }

    /// Takes another look, at the moment `seen` where it follows a change at once; returns what is new.
    pub fn see(&mut self, facts: Facts, events: Vec<Event>, seen: Option<Timestamp>) -> Vec<Entry> {
        let is_first = self.told.is_empty();
        let mut new = Vec::new();
        for mut entry in timeline::of(&facts, &events) {
            // What was lost before we came was lost; what a status drops while we watch, we have seen.
            let was_seen = entry.source == Source::Expired && (!is_first || seen.is_some());
            if !self.told.insert(entry.key.clone()) || was_seen {
                continue;
            }
            entry.seen = seen;
            new.push(entry);
        }
        for entry in &new {
            let before = self.entries.iter_mut().find(|before| before.subject == entry.subject);
            match before {
                Some(before) => before.what.clone_from(&entry.what),
                None => self.entries.push(entry.clone()),
            }
        }
        runs::take(&mut self.runs, &facts, &events, seen);
        self.note_ready(&facts, seen);
        self.note_failures(&events);
        self.note_kills(&events, seen);
        if let Some(termination) = &facts.termination {
            let asked = seen.or(termination.requested());
            self.asked_to_go = self.asked_to_go.or(asked.map(|at| (at, termination.grace)));
        }
        self.facts = facts;
        self.events = events;
        new
    }

    fn note_ready(&mut self, facts: &Facts, seen: Option<Timestamp>) {
        let Some(ready) = facts.condition("Ready") else { return };
        let was = self.ready.len() % 2 == 1;
        if ready.is_true() != was
            && let Some(since) = ready.since
        {
            self.ready.push(runs::finer(since, seen));
        }
    }

    /// An event knows its first and its last time; between them, only who watched knows.
    fn note_failures(&mut self, events: &[Event]) {
        for event in events.iter().filter(|event| event.reason == "Unhealthy") {
            let Some(container) = event.container() else { continue };
            let probe = event.message.split(' ').next().unwrap_or_default();
            for at in [event.first, event.last].into_iter().flatten() {
                let is_known = self.failures.iter().any(|known| {
                    known.container == container
                        && known.probe == probe
                        && (known.at == at || known.at.as_second() == at.as_second())
                });
                if !is_known {
                    self.failures.push(ProbeFailure {
                        container: container.to_owned(),
                        probe: probe.to_owned(),
                        at,
                    });
                }
            }
        }
    }

    /// An event counts all kills of one kind, and knows its first and its last time.
    fn note_kills(&mut self, events: &[Event], seen: Option<Timestamp>) {
        for event in events.iter().filter(|event| event.reason == "Killing") {
            let Some(container) = event.container() else { continue };
            let is_same = |kill: &&Kill| kill.container == container && kill.message == event.message;
            let known = self.kills.iter().filter(is_same).count();
            if usize::try_from(event.count).unwrap_or(0) <= known {
                continue;
            }
            let first = event
                .first
                .filter(|first| known == 0 && event.count > 1 && Some(*first) != event.last);
            for at in first.into_iter().chain(seen.or(event.last)) {
                self.kills.push(Kill {
                    container: container.to_owned(),
                    message: event.message.clone(),
                    at,
                });
            }
        }
    }

    /// Notes that the object has gone; returns what there is to tell of it.
    pub fn end(&mut self, seen: Timestamp) -> Entry {
        let entry = timeline::deleted(seen);
        self.gone = Some(seen);
        self.entries.push(entry.clone());
        for run in &mut self.runs {
            run.is_over = true;
        }
        entry
    }

    /// The moment that all ages are measured against.
    pub fn now(&self) -> Timestamp {
        self.facts.now
    }

    /// Where the story begins: the creation, or its first entry, whichever is known better.
    pub fn start(&self) -> Option<Timestamp> {
        let first = self.entries.first().and_then(Entry::moment);
        match self.is_whole {
            true => first.or(self.facts.created()),
            false => self.facts.created().or(first),
        }
    }

    /// When the pod was Ready for the first time. Of a pod that was only looked at once, that is its present readiness,
    /// unless a container has been started again since its first run: then nobody knows.
    pub fn first_ready(&self) -> Option<(Timestamp, Source)> {
        let first = *self.ready.first()?;
        if self.is_whole {
            return Some((first, Source::Recorded));
        }
        let is_ready = self.facts.condition("Ready").is_some_and(Condition::is_true);
        let restarted = self
            .runs
            .iter()
            .any(|run| run.number > 0 && run.started.is_none_or(|at| at <= first));
        (is_ready && !restarted).then_some((first, Source::Inferred))
    }
}
