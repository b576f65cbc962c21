//! What has been seen of the pods that are followed, told as it comes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Event as Recorded, Pod};
use k8s_openapi::jiff::Timestamp;
use tokio::sync::mpsc;

use futures::StreamExt;

use super::{End, Follow};
use crate::cluster::Cluster;
use crate::cluster::error::ClusterError;
use crate::cluster::watch::Change;
use crate::failure::Failure;
use crate::pod::Facts;
use crate::pod::container::{Container, State};
use crate::pod::history::History;
use crate::pod::outcome::Progress;
use crate::pod::watched::{Told, Watched};
use crate::recording::{self, Recorder};
use crate::view::lifecycle::{self, live};
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};
use crate::view::width;

pub(super) struct Stories<'a> {
    cluster: &'a Cluster,
    follow: &'a Follow,
    printer: &'a mut Printer,
    watched: Watched,
    recorder: Option<Recorder>,
    logged: HashSet<String>,
    lines: mpsc::Sender<(String, String)>,
    has_all_pods: bool,
    has_all_events: bool,
    /// While all pods are being told: those that have been, by their UIDs.
    listed: Option<HashSet<String>>,
    /// When the terminal was drawn last.
    drawn: Option<Instant>,
}

/// A terminal is drawn no more often than this, however much happens.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

impl<'a> Stories<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        follow: &'a Follow,
        printer: &'a mut Printer,
        lines: mpsc::Sender<(String, String)>,
    ) -> Result<Self, Failure> {
        let recorder = follow.record.as_deref().map(Recorder::create).transpose()?;
        Ok(Self {
            cluster,
            follow,
            printer,
            watched: Watched::default(),
            recorder,
            logged: HashSet::new(),
            lines,
            has_all_pods: false,
            has_all_events: false,
            listed: None,
            drawn: None,
        })
    }

    pub(super) fn pod_changed(&mut self, change: Change<Pod>) -> Result<(), Failure> {
        let now = Timestamp::now();
        match change {
            Change::Begun => self.listed = Some(HashSet::new()),
            Change::Present(pod) => {
                if let Some(listed) = &mut self.listed {
                    listed.extend(pod.metadata.uid.clone());
                }
                if let Some(recorder) = &mut self.recorder {
                    recorder.object(now, recording::Change::Present, &*pod)?;
                }
                let told = self.watched.present(*pod, now);
                self.tell(told.into_iter().collect());
                self.follow_outputs();
            }
            Change::Gone(pod) => self.gone(*pod, now)?,
            Change::Synced => {
                self.has_all_pods = true;
                if let Some(name) = &self.follow.name
                    && self.watched.stories().next().is_none()
                    && self.follow.awaited.is_none()
                {
                    return Err(Failure::Cluster(ClusterError::Server {
                        reason: "NotFound".to_owned(),
                        message: format!("pods {name:?} not found"),
                        code: 404,
                    }));
                }
                let listed = self.listed.take().unwrap_or_default();
                for lost in self.watched.lost(&listed) {
                    self.gone(lost, now)?;
                }
                self.go_live(now)?;
            }
            Change::Interrupted(error) => {
                let line = Line::new().tone(Tone::Warning, format!("{error} (trying again)"));
                self.printer.error_line(&line);
            }
            Change::Refused(error) => return Err(Failure::Cluster(error)),
        }
        Ok(())
    }

    fn gone(&mut self, pod: Pod, now: Timestamp) -> Result<(), Failure> {
        if let Some(recorder) = &mut self.recorder {
            recorder.object(now, recording::Change::Deleted, &pod)?;
        }
        let told = self.watched.gone(pod, now);
        self.tell(told.into_iter().collect());
        Ok(())
    }

    pub(super) fn event_changed(&mut self, change: Change<Recorded>) -> Result<(), Failure> {
        let now = Timestamp::now();
        match change {
            Change::Present(event) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.object(now, recording::Change::Present, &*event)?;
                }
                let told = self.watched.event(*event, now);
                self.tell(told);
            }
            Change::Refused(error) => {
                let line = Line::new().tone(Tone::Warning, format!("events are not shown: {error}"));
                self.printer.error_line(&line);
                self.has_all_events = true;
                self.go_live(now)?;
            }
            // The pods' own watch reports interruptions; their story does not wait for the events.
            Change::Begun => {}
            Change::Synced | Change::Interrupted(_) => {
                self.has_all_events = true;
                self.go_live(now)?;
            }
            // Expired events stay told.
            Change::Gone(_) => {}
        }
        Ok(())
    }

    /// Tells what there was at the start, once all of it is known: pods and events make one story.
    fn go_live(&mut self, now: Timestamp) -> Result<(), Failure> {
        if self.watched.is_live() || !self.has_all_pods || !self.has_all_events {
            return Ok(());
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.note(now, recording::Change::Synced)?;
        }
        let told = self.watched.go_live(now);
        self.tell(told);
        self.follow_outputs();
        if let Some(began) = &self.follow.awaited {
            began.notify_one();
        }
        Ok(())
    }

    fn tell(&mut self, told: Vec<Told>) {
        if self.follow.is_silent {
            return;
        }
        let columns = width::columns(self.printer.is_terminal());
        for told in told {
            for entry in &told.entries {
                let pod = match self.follow.name {
                    Some(_) => None,
                    None => Some(format!("{}/{}", told.namespace, told.name)),
                };
                self.printer
                    .lines(&lifecycle::live_lines(entry, told.start, pod, columns));
            }
        }
        self.printer.flush();
    }

    /// Follows the output of each run of a container that has begun.
    fn follow_outputs(&mut self) {
        if !self.follow.shows_logs || !self.watched.is_live() {
            return;
        }
        let mut begun = Vec::new();
        for facts in self.watched.stories().map(|story| &story.history.facts) {
            let wanted = |container: &&Container| self.follow.containers.has(&container.name);
            for container in facts.containers.iter().filter(wanted) {
                let instance = container.status.as_ref().and_then(|status| status.container_id.clone());
                let has_run = matches!(container.state, State::Running { .. } | State::Ended(_));
                if let Some(instance) = instance
                    && has_run
                    && self.logged.insert(instance)
                {
                    begun.push((facts.namespace.clone(), facts.name.clone(), container.name.clone()));
                }
            }
        }
        for (namespace, name, container) in begun {
            self.follow_output(namespace, name, container);
        }
    }

    fn follow_output(&self, namespace: String, name: String, container: String) {
        let (cluster, lines) = (self.cluster.clone(), self.lines.clone());
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

    pub(super) fn log_line(&mut self, container: &str, text: &str) {
        let line = Line::new()
            .plain(" ".repeat(25))
            .tone(Tone::Faint, format!("{container} | "))
            .plain(text);
        self.printer.line(&line);
        self.printer.flush();
    }

    /// Whether nobody reads any more.
    pub(super) fn is_unread(&self) -> bool {
        self.printer.is_closed()
    }

    /// On a terminal: the pods as they are, below what has been told, drawn anew in place.
    pub(super) fn draw(&mut self) {
        if self.follow.is_silent || !self.printer.can_draw() || !self.watched.is_live() {
            return;
        }
        // What is told takes the drawing away; it comes back at once, or with the next second.
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < LEAST_PAUSE) {
            return;
        }
        let histories = self.watched.first(width::rows(), Timestamp::now());
        let is_one = self.follow.name.is_some() || self.watched.count() == 1;
        let frame = live::frame(&histories, self.watched.count(), is_one);
        self.printer.frame(&frame);
        self.drawn = Some(Instant::now());
    }

    /// Whether there is nothing left to wait for: all pods are there, or one cannot get there any more.
    pub(super) fn end(&self) -> Option<End> {
        let until = self.follow.until?;
        if self.watched.stories().next().is_none() || !self.watched.is_live() {
            return None;
        }
        let now = Timestamp::now();
        let mut is_open = false;
        for story in self.watched.stories() {
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

    /// Ends the telling; the lives until now.
    pub(super) fn finish(mut self) -> Result<Vec<History>, Failure> {
        let now = Timestamp::now();
        self.printer.erase_frame();
        if let Some(recorder) = &mut self.recorder {
            recorder.note(now, recording::Change::End)?;
        }
        Ok(self.watched.histories(now))
    }
}
