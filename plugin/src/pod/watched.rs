//! The lives of pods that are watched: each change with its moment becomes what there is to tell.
//!
//! Pure: a live watch, a recording and a simulation all come through here.

use std::collections::{BTreeMap, HashSet};

use k8s_openapi::api::core::v1::{Event as Recorded, Pod};
use k8s_openapi::jiff::Timestamp;

use super::Facts;
use super::event::{self, Event};
use super::history::History;
use super::timeline::Entry;

/// All pods of a watch.
#[derive(Debug, Default)]
pub struct Watched {
    stories: BTreeMap<String, Story>,
    /// By the pod's namespace and name, then by their own names.
    events: BTreeMap<(String, String), BTreeMap<String, Recorded>>,
    /// Whether what there was at the start has been told: from then on, things happen when they are seen.
    is_live: bool,
}

/// One of them.
#[derive(Debug)]
pub struct Story {
    /// The object as it was last.
    pub pod: Pod,
    /// What has been told of it.
    pub history: History,
    /// Whether it is gone.
    pub is_gone: bool,
}

/// What is new of a pod.
#[derive(Debug)]
pub struct Told {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What happened.
    pub entries: Vec<Entry>,
    /// What elapsed times count from: the creation, which the API gives in whole seconds, or our own first sight of a pod
    /// that was created under our eyes.
    pub start: Option<Timestamp>,
}

impl Watched {
    /// Whether it is live: what is told now has just happened.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// The pods, in the order of their names.
    pub fn stories(&self) -> impl Iterator<Item = &Story> {
        self.stories.values()
    }

    /// A pod as it is now.
    pub fn present(&mut self, pod: Pod, now: Timestamp) -> Option<Told> {
        let key = key(&pod);
        let story = self.stories.entry(key.clone()).or_insert_with(|| Story {
            history: History::begin(Facts::of(pod.clone(), now)),
            pod: Pod::default(),
            is_gone: false,
        });
        story.pod = pod;
        self.look(&key, now)
    }

    /// A pod that has gone, as it was last.
    pub fn gone(&mut self, pod: Pod, now: Timestamp) -> Option<Told> {
        let key = key(&pod);
        let story = self.stories.get_mut(&key)?;
        story.pod = pod;
        story.is_gone = true;
        let mut told = self.look(&key, now)?;
        let story = self.stories.get_mut(&key)?;
        told.entries.push(story.history.end(now));
        Some(told)
    }

    /// Those that have gone while nobody looked: all pods that there are have been told, by their UIDs.
    pub fn lost(&self, uids: &HashSet<String>) -> Vec<Pod> {
        let is_told = |pod: &Pod| pod.metadata.uid.as_ref().is_some_and(|uid| uids.contains(uid));
        let there = self.stories.values().filter(|story| !story.is_gone);
        there
            .map(|story| story.pod.clone())
            .filter(|pod| !is_told(pod))
            .collect()
    }

    /// An event as it is now. Those that expire stay told.
    pub fn event(&mut self, event: Recorded, now: Timestamp) -> Vec<Told> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let about = (text(&event.metadata.namespace), text(&event.involved_object.name));
        let id = event.metadata.uid.clone().or_else(|| event.metadata.name.clone());
        self.events
            .entry(about.clone())
            .or_default()
            .insert(id.unwrap_or_default(), event);
        let keys: Vec<String> = self
            .stories
            .iter()
            .filter(|(_, story)| !story.is_gone && named(&story.pod) == about)
            .map(|(key, _)| key.clone())
            .collect();
        keys.iter().filter_map(|key| self.look(key, now)).collect()
    }

    /// All of the start is known: pods and events make one story.
    pub fn go_live(&mut self, now: Timestamp) -> Vec<Told> {
        if self.is_live {
            return Vec::new();
        }
        let keys: Vec<String> = self.stories.keys().cloned().collect();
        let told = keys.iter().filter_map(|key| self.take(key, now, None)).collect();
        self.is_live = true;
        told
    }

    fn look(&mut self, key: &str, now: Timestamp) -> Option<Told> {
        if !self.is_live {
            return None;
        }
        self.take(key, now, Some(now))
    }

    fn take(&mut self, key: &str, now: Timestamp, seen: Option<Timestamp>) -> Option<Told> {
        let story = self.stories.get_mut(key)?;
        let facts = Facts::of(story.pod.clone(), now);
        let events = events_of(&facts, &self.events);
        if story.history.entries.is_empty() && seen.is_some() {
            // Seen first while nothing had begun: nothing has been missed.
            story.history.is_whole = facts.containers.iter().all(|container| container.status.is_none());
        }
        let entries = story.history.see(facts, events, seen);
        Some(Told {
            namespace: story.history.facts.namespace.clone(),
            name: story.history.facts.name.clone(),
            entries,
            start: story.history.start(),
        })
    }

    /// The lives so far, as of `now`.
    pub fn histories(&self, now: Timestamp) -> Vec<History> {
        self.first(self.stories.len(), now)
    }

    /// How many pods there are.
    pub fn count(&self) -> usize {
        self.stories.len()
    }

    /// The lives of the first of them.
    pub fn first(&self, most: usize, now: Timestamp) -> Vec<History> {
        self.stories
            .values()
            .take(most)
            .map(|story| {
                let mut history = story.history.clone();
                history.facts = Facts::of(story.pod.clone(), now);
                history.events = events_of(&history.facts, &self.events);
                history
            })
            .collect()
    }
}

fn events_of(facts: &Facts, events: &BTreeMap<(String, String), BTreeMap<String, Recorded>>) -> Vec<Event> {
    let of_name = events.get(&(facts.namespace.clone(), facts.name.clone()));
    let events: Vec<Recorded> = of_name.into_iter().flat_map(BTreeMap::values).cloned().collect();
    event::about(facts, &events)
}

fn named(pod: &Pod) -> (String, String) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (text(&pod.metadata.namespace), text(&pod.metadata.name))
}

/// A pod that is created anew under its old name is another one.
fn key(pod: &Pod) -> String {
    let (namespace, name) = named(pod);
    format!("{namespace}/{name}/{}", pod.metadata.uid.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn time(second: i64) -> String {
        at(second).to_string()
    }

    fn pod(restarts: i32, state: Value, last: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "u", "creationTimestamp": time(0)},
            "spec": {"nodeName": "n", "containers": [{"name": "app"}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "app", "ready": false, "image": "", "imageID": "",
                "restartCount": restarts, "state": state, "lastState": last}]},
        }))
        .unwrap()
    }

    fn ended(from: i64, to: i64) -> Value {
        json!({"terminated": {"exitCode": 1, "startedAt": time(from), "finishedAt": time(to)}})
    }

    fn running(since: i64) -> Value {
        json!({"running": {"startedAt": time(since)}})
    }

    #[test]
    fn runs_that_the_status_forgets_stay_known_to_who_watched() {
        let mut watched = Watched::default();
        watched.go_live(at(0));
        let mut new = pod(0, json!({}), json!({}));
        new.status = None;
        watched.present(new, at(0));
        for run in 0..4 {
            let (start, number) = (i64::from(run) * 10 + 1, run);
            let last = if run == 0 {
                json!({})
            } else {
                ended(start - 10, start - 9)
            };
            watched.present(pod(number, running(start), last.clone()), at(start));
            watched.present(pod(number, ended(start, start + 1), last), at(start + 1));
        }
        let history = watched.histories(at(40)).remove(0);
        assert!(history.is_whole);
        let runs: Vec<(i32, bool)> = history
            .runs
            .iter()
            .map(|run| (run.number, run.finished.is_some()))
            .collect();
        assert_eq!(runs, [(0, true), (1, true), (2, true), (3, true)]);
        let told: Vec<&str> = history.entries.iter().map(|entry| entry.what.as_str()).collect();
        assert!(!told.iter().any(|what| what.contains("keeps nothing")), "{told:?}");
        assert_eq!(
            told.iter()
                .filter(|what| what.contains("ended with exit code 1"))
                .count(),
            4,
            "{told:?}"
        );
    }

    #[test]
    fn nothing_is_told_twice() {
        let mut watched = Watched::default();
        watched.go_live(at(0));
        let first = watched.present(pod(0, running(1), json!({})), at(1)).unwrap();
        let again = watched.present(pod(0, running(1), json!({})), at(2)).unwrap();
        assert!(!first.entries.is_empty());
        assert!(again.entries.is_empty(), "{again:?}");
    }

    #[test]
    fn a_pod_that_was_there_before_is_not_known_as_a_whole() {
        let mut watched = Watched::default();
        assert!(watched.present(pod(2, running(50), ended(20, 21)), at(60)).is_none());
        let told = watched.go_live(at(60));
        assert!(told[0].entries.iter().all(|entry| entry.seen.is_none()));
        assert!(!watched.histories(at(60))[0].is_whole);
    }

    #[test]
    fn a_pod_that_went_while_nobody_looked_is_lost_once() {
        let mut watched = Watched::default();
        watched.go_live(at(0));
        watched.present(pod(0, running(1), json!({})), at(1));
        assert!(watched.lost(&HashSet::from(["u".to_owned()])).is_empty());
        let lost = watched.lost(&HashSet::new()).remove(0);
        watched.gone(lost, at(9));
        assert!(watched.lost(&HashSet::new()).is_empty());
    }

    #[test]
    fn a_deletion_ends_the_story() {
        let mut watched = Watched::default();
        watched.go_live(at(0));
        watched.present(pod(0, running(1), json!({})), at(1));
        let told = watched.gone(pod(0, running(1), json!({})), at(5)).unwrap();
        assert_eq!(told.entries.last().unwrap().what, "deleted");
        assert_eq!(watched.histories(at(9))[0].gone, Some(at(5)));
    }
}
