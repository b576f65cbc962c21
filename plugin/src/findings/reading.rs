//! The reading of a pod: its facts, its events, what was found, and the verdict. One model for all commands.

use k8s_openapi::api::core::v1::Event as Recorded;
use k8s_openapi::jiff::Timestamp;

use super::needs::Needs;
use super::{Finding, Severity, Step, Verdict, command, verdict};
use crate::cluster::pods::PodAndEvents;
use crate::manifest::{self, Related};
use crate::pod::Facts;
use crate::pod::event::{self, Event};
use crate::pod::surroundings::Surroundings;

/// All that is known of a pod, and what is to be thought of it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The pod.
    pub facts: Facts,
    /// Its events, merged and in order.
    pub events: Vec<Event>,
    /// Why there are none, where they could not be fetched.
    pub events_error: Option<String>,
    /// What was fetched from around it.
    pub around: Surroundings,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// The verdict.
    pub verdict: Verdict,
    /// The connection flags that were typed: what is to be pasted has to reach the same cluster.
    flags: Vec<String>,
}

impl Reading {
    /// Reads a pod as of `now`.
    pub fn of(fetched: PodAndEvents, now: Timestamp) -> Self {
        let facts = Facts::of(fetched.pod, now);
        Self::judged(facts, &fetched.events, fetched.events_error)
    }

    fn judged(facts: Facts, recorded: &[Recorded], events_error: Option<String>) -> Self {
        let events = event::about(&facts, recorded);
        let findings = super::of(&facts, &events);
        Self {
            verdict: verdict(&facts, &findings),
            facts,
            events,
            events_error,
            around: Surroundings::default(),
            findings,
            flags: Vec::new(),
        }
    }

    /// Makes every command reach the cluster that was asked.
    #[must_use]
    pub fn with_flags(mut self, flags: &[String]) -> Self {
        self.flags = flags.to_vec();
        self.add_flags();
        self
    }

    /// A command about this pod's namespace, to be pasted.
    pub fn command(&self, words: &[&str]) -> String {
        command::with_flags(&command::here(&self.facts, words), &self.flags)
    }

    fn add_flags(&mut self) {
        let steps = self.findings.iter_mut().flat_map(|finding| &mut finding.next);
        for step in steps {
            if let Step::Command(command) = step {
                *command = command::with_flags(command, &self.flags);
            }
        }
    }

    /// Reads a saved pod as of the newest time that is known of it.
    pub fn of_saved(saved: PodAndEvents) -> Self {
        let newest = manifest::newest(&saved);
        Self::saved_by(saved, newest)
    }

    /// Reads a pod of a file within what else the file holds.
    pub fn of_file(saved: PodAndEvents, related: &Related) -> Self {
        let reading = Self::saved_by(saved, related.newest());
        let around = related.around(&reading.facts.pod, &reading.needs());
        reading.within(around)
    }

    fn saved_by(saved: PodAndEvents, newest: Option<Timestamp>) -> Self {
        let now = manifest::saved_at(&saved, newest).unwrap_or_else(Timestamp::now);
        let mut facts = Facts::of(saved.pod, now);
        facts.is_saved = true;
        facts.newest = newest;
        Self::judged(facts, &saved.events, saved.events_error)
    }

    /// What has to be fetched to tell more.
    pub fn needs(&self) -> Needs {
        Needs::of(&self.facts, &self.findings, self.verdict)
    }

    /// Reads the pod once more, with what stands around it.
    #[must_use]
    pub fn within(self, around: Surroundings) -> Self {
        let findings = super::within(&self.facts, &self.events, &around);
        let mut reading = Self {
            verdict: verdict(&self.facts, &findings),
            findings,
            around,
            ..self
        };
        reading.add_flags();
        reading
    }

    /// How bad the worst of it is.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}
