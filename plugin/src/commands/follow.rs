//! The live view: tells what happens to pods while it happens, until what was waited for has come.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Event as Recorded, Pod};
use k8s_openapi::jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::mpsc;

use crate::cluster::Cluster;
use crate::cluster::error::ClusterError;
use crate::cluster::watch::{Change, Query};
use crate::pod::container::State;
use crate::pod::event::Event;
use crate::pod::outcome::{Progress, Until};
use crate::pod::{Facts, event, timeline};
use crate::view::lifecycle;
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};

/// What to follow, and how far.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// Which pods.
    pub query: Query,
    /// The name, where one pod is meant: its absence is an error.
    pub name: Option<String>,
    /// What to wait for; for ever where absent.
    pub until: Option<Until>,
    /// How long to wait at most.
    pub timeout: Option<Duration>,
    /// The pod is yet to be created, by whoever is told here that the watch has begun; its absence until then is no error.
    pub awaited: Option<Arc<Notify>>,
    /// Whether containers' output is shown.
    pub shows_logs: bool,
    /// Whether nothing is told on the way: the caller tells the end.
    pub is_silent: bool,
}

/// How the following ended.
#[derive(Debug)]
pub enum End {
    /// What was waited for has come.
    Reached,
    /// It cannot come any more.
    Lost(String),
    /// It has not come in time.
    TimedOut,
    /// The user has seen enough.
    Interrupted,
}

/// The end, and the pods as they were then.
pub struct Followed {
    /// How it ended.
    pub end: End,
    /// The pods with their events.
    pub pods: Vec<(Facts, Vec<Event>)>,
}

/// One pod's story so far.
struct Story {
    pod: Pod,
    told: HashSet<String>,
    is_gone: bool,
    /// When it was first seen.
    seen: Timestamp,
}

impl Story {
    /// What elapsed times count from: the creation, which the API gives in whole seconds, or our own first sight of a pod
    /// that was created under our eyes.
    fn start(&self, facts: &Facts, follow: &Follow) -> Option<Timestamp> {
        match follow.awaited {
            Some(_) => Some(self.seen),
            None => facts.created(),
        }
    }
}

struct Stories<'a> {
    cluster: &'a Cluster,
    follow: &'a Follow,
    printer: &'a mut Printer,
    pods: BTreeMap<String, Story>,
    events: BTreeMap<String, Recorded>,
    logged: HashSet<String>,
    lines: mpsc::Sender<(String, String)>,
    has_all_pods: bool,
    has_all_events: bool,
    /// Whether what there was at the start has been told: from then on, things happen when they are seen.
    is_live: bool,
}

/// Follows until the end, an interruption, or the timeout.
///
/// # Errors
/// The server refuses to tell about the pods, or there is no such pod.
pub async fn follow(cluster: &Cluster, follow: &Follow, printer: &mut Printer) -> Result<Followed, ClusterError> {
    let mut pods = cluster.watch::<Pod>(follow.query.clone()).boxed().fuse();
    let mut events = cluster.watch::<Recorded>(events_query(follow)).boxed().fuse();
    let (lines, mut output) = mpsc::channel(256);
    let mut stories = Stories {
        cluster,
        follow,
        printer,
        pods: BTreeMap::new(),
        events: BTreeMap::new(),
        logged: HashSet::new(),
        lines,
        has_all_pods: false,
        has_all_events: false,
        is_live: false,
    };
    let deadline = tokio::time::sleep(follow.timeout.unwrap_or(FOR_EVER));
    tokio::pin!(deadline);
    let interrupted = interruption();
    tokio::pin!(interrupted);
    let end = loop {
        tokio::select! {
            // What has happened is told before anything ends the telling.
            biased;
            Some(change) = pods.next() => {
                stories.pod_changed(change)?;
            }
            Some(change) = events.next() => stories.event_changed(change),
            Some((container, line)) = output.recv() => stories.log_line(&container, &line),
            () = &mut interrupted => break End::Interrupted,
            () = &mut deadline => break End::TimedOut,
        }
        if stories.printer.is_closed() {
            break End::Interrupted;
        }
        if let Some(end) = stories.end() {
            break end;
        }
    };
    // Events are written a moment after what they tell of, and so are the last lines of output.
    if matches!(end, End::Reached | End::Lost(_)) {
        let settled = tokio::time::sleep(AFTERGLOW);
        tokio::pin!(settled);
        loop {
            tokio::select! {
                biased;
                Some(change) = events.next() => stories.event_changed(change),
                Some((container, line)) = output.recv() => stories.log_line(&container, &line),
                () = &mut settled => break,
            }
        }
    }
    Ok(Followed {
        pods: stories.facts(),
        end,
    })
}

/// Waits for Ctrl-C, for the terminal to go, or for being told to end.
pub async fn interruption() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate());
        let hangup = signal(SignalKind::hangup());
        if let (Ok(mut terminate), Ok(mut hangup)) = (terminate, hangup) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            return;
        }
    }
    // Without a handler there is nothing to wait for but the end itself.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn events_query(follow: &Follow) -> Query {
    Query {
        namespace: follow.query.namespace.clone(),
        labels: None,
        fields: Some(match &follow.name {
            Some(name) => crate::cluster::pods::about(name),
            None => "involvedObject.kind=Pod".to_owned(),
        }),
    }
}

impl Stories<'_> {
    fn pod_changed(&mut self, change: Change<Pod>) -> Result<(), ClusterError> {
        match change {
            Change::Present(pod) => {
                let key = key(&pod);
                let story = self.pods.entry(key.clone()).or_insert_with(|| Story {
                    pod: Pod::default(),
                    told: HashSet::new(),
                    is_gone: false,
                    seen: Timestamp::now(),
                });
                story.pod = *pod;
                self.tell(&key);
            }
            Change::Gone(pod) => {
                let key = key(&pod);
                if let Some(story) = self.pods.get_mut(&key) {
                    story.is_gone = true;
                    story.pod = *pod;
                    self.tell(&key);
                    self.say_gone(&key);
                }
            }
            Change::Synced => {
                self.has_all_pods = true;
                if let Some(name) = &self.follow.name
                    && self.pods.is_empty()
                    && self.follow.awaited.is_none()
                {
                    return Err(ClusterError::Server {
                        reason: "NotFound".to_owned(),
                        message: format!("pods {name:?} not found"),
                        code: 404,
                    });
                }
                self.go_live();
            }
            Change::Interrupted(error) => {
                let line = Line::new().tone(Tone::Warning, format!("{error} (trying again)"));
                self.printer.error_line(&line);
            }
            Change::Refused(error) => return Err(error),
        }
        Ok(())
    }

    fn event_changed(&mut self, change: Change<Recorded>) {
        match change {
            Change::Present(event) => {
                let name = event.involved_object.name.clone().unwrap_or_default();
                let id = event
                    .metadata
                    .uid
                    .clone()
                    .or_else(|| event.metadata.name.clone())
                    .unwrap_or_default();
                self.events.insert(id, *event);
                let keys: Vec<String> = self
                    .pods
                    .iter()
                    .filter(|(_, story)| story.pod.metadata.name.as_deref() == Some(&name))
                    .map(|(key, _)| key.clone())
                    .collect();
                keys.iter().for_each(|key| self.tell(key));
            }
            Change::Refused(error) => {
                let line = Line::new().tone(Tone::Warning, format!("events are not shown: {error}"));
                self.printer.error_line(&line);
                self.has_all_events = true;
                self.go_live();
            }
            // The pods' own watch reports interruptions; their story does not wait for the events.
            Change::Synced | Change::Interrupted(_) => {
                self.has_all_events = true;
                self.go_live();
            }
            // Expired events stay told.
            Change::Gone(_) => {}
        }
    }

    /// Tells what there was at the start, once all of it is known: pods and events make one story.
    fn go_live(&mut self) {
        if self.is_live || !self.has_all_pods || !self.has_all_events {
            return;
        }
        let keys: Vec<String> = self.pods.keys().cloned().collect();
        keys.iter().for_each(|key| self.tell(key));
        self.is_live = true;
        if let Some(began) = &self.follow.awaited {
            began.notify_one();
        }
    }

    /// Tells what has not been told yet.
    fn tell(&mut self, key: &str) {
        if !self.has_all_pods || !self.has_all_events {
            return;
        }
        let is_one_of_many = self.follow.name.is_none();
        let Some(story) = self.pods.get_mut(key) else {
            return;
        };
        let now = Timestamp::now();
        let facts = Facts::of(story.pod.clone(), now);
        let events = events_of(&facts, &self.events);
        let start = story.start(&facts, self.follow);
        let mut begun = Vec::new();
        for entry in timeline::of(&facts, &events) {
            if !story.told.insert(entry.key.clone()) || self.follow.is_silent {
                continue;
            }
            // What was there before we came happened when it is recorded; what comes now happens now.
            let seen = if self.is_live { now } else { entry.at.unwrap_or(now) };
            let line = lifecycle::live_line(&entry, seen, start);
            let line = if is_one_of_many {
                Line::new()
                    .tone(Tone::Heading, format!("{}/{}  ", facts.namespace, facts.name))
                    .join(line)
            } else {
                line
            };
            self.printer.line(&line);
        }
        if self.follow.shows_logs {
            for container in &facts.containers {
                let instance = container.status.as_ref().and_then(|status| status.container_id.clone());
                let has_run = matches!(container.state, State::Running { .. } | State::Ended(_));
                if let Some(instance) = instance
                    && has_run
                    && self.logged.insert(instance)
                {
                    begun.push(container.name.clone());
                }
            }
        }
        self.printer.flush();
        for container in begun {
            self.follow_output(&facts, container);
        }
    }

    fn follow_output(&self, facts: &Facts, container: String) {
        let cluster = self.cluster.clone();
        let (namespace, name, lines) = (facts.namespace.clone(), facts.name.clone(), self.lines.clone());
        tokio::spawn(async move {
            // A log that cannot be had is told by its absence: the container's end is told in any case.
            let Ok(output) = cluster.follow_log(&namespace, &name, &container).await else {
                return;
            };
            let mut output = std::pin::pin!(output);
            while let Some(line) = output.next().await {
                if lines.send((container.clone(), line)).await.is_err() {
                    return;
                }
            }
        });
    }

    fn log_line(&mut self, container: &str, text: &str) {
        let line = Line::new()
            .plain(" ".repeat(25))
            .tone(Tone::Faint, format!("{container} | "))
            .plain(text);
        self.printer.line(&line);
        self.printer.flush();
    }

    fn say_gone(&mut self, key: &str) {
        if self.follow.is_silent {
            return;
        }
        let now = Timestamp::now();
        if let Some(story) = self.pods.get(key) {
            let facts = Facts::of(story.pod.clone(), now);
            let elapsed = facts
                .created()
                .map(|start| now.duration_since(start).as_secs_f64())
                .unwrap_or_default();
            let line = Line::new()
                .tone(
                    Tone::Faint,
                    format!(
                        "{}  {:>9}  ",
                        crate::view::moment::clock(now),
                        format!("+{elapsed:.3}s")
                    ),
                )
                .plain("deleted");
            self.printer.line(&line);
            self.printer.flush();
        }
    }

    /// Whether there is nothing left to wait for: all pods are there, or one cannot get there any more.
    fn end(&self) -> Option<End> {
        let until = self.follow.until?;
        if self.pods.is_empty() || !self.is_live {
            return None;
        }
        let now = Timestamp::now();
        let mut is_open = false;
        for story in self.pods.values() {
            let progress = if story.is_gone {
                until.progress_when_gone()
            } else {
                until.progress(&Facts::of(story.pod.clone(), now))
            };
            match progress {
                Progress::Reached => {}
                Progress::Open => is_open = true,
                Progress::Lost(why) => return Some(End::Lost(why)),
            }
        }
        (!is_open).then_some(End::Reached)
    }

    fn facts(&self) -> Vec<(Facts, Vec<Event>)> {
        let now = Timestamp::now();
        self.pods
            .values()
            .map(|story| {
                let facts = Facts::of(story.pod.clone(), now);
                let events = events_of(&facts, &self.events);
                (facts, events)
            })
            .collect()
    }
}

fn events_of(facts: &Facts, events: &BTreeMap<String, Recorded>) -> Vec<Event> {
    let events: Vec<Recorded> = events
        .values()
        .filter(|event| event.metadata.namespace.as_deref() == Some(&facts.namespace))
        .filter(|event| event.involved_object.name.as_deref() == Some(&facts.name))
        .cloned()
        .collect();
    event::about(facts, &events)
}

/// A pod that is created anew under its old name is another one.
fn key(pod: &Pod) -> String {
    let metadata = &pod.metadata;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!(
        "{}/{}/{}",
        text(&metadata.namespace),
        text(&metadata.name),
        text(&metadata.uid)
    )
}

/// Tokio has no longer sleep.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);
/// How long to listen for what belongs to the end.
const AFTERGLOW: Duration = Duration::from_millis(150);
