//! `watch`: every change from a version on, as it happens.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use futures::stream::poll_fn;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Api;
use super::answer::text;
use super::lease;
use super::list_options;
use super::request::Asked;
use super::selector::Selector;
use super::shape::Shape;
use super::status::Status;
use super::target::Target;
use crate::controllers::node::LEASES;
use crate::store::{Change, Resource, Watch, WatchEvent};

/// How often a client that likes bookmarks hears that nothing of its own has changed.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);
/// How long a watch lasts at most where the client does not say; Kubernetes takes 30 to 60 minutes.
const LONGEST: Duration = Duration::from_secs(3600);
/// Events that may wait for a slow reader: more are kept in the store's history.
const WAITING: usize = 16;

/// What to send, and how.
struct Watcher {
    resource: Resource,
    selector: Selector,
    shape: Shape,
    bookmarks: bool,
    with_columns: bool,
    /// It may see the leases of nodes, which are renewed for it.
    renews: bool,
    api: Arc<Api>,
    sender: mpsc::Sender<Bytes>,
}

/// The client has gone.
struct Gone;

/// Starts sending; the answer's body ends with the watch.
pub(super) fn watch(api: &Arc<Api>, target: &Target, asked: &Asked) -> Result<Response<Body>, Status> {
    let mut selector_target = target.clone();
    selector_target.name = None;
    let mut selector = asked.selector(&selector_target)?;
    if let Some(name) = &target.name {
        selector = Selector::named(name);
    }
    let version = asked.version()?;
    list_options::check(target.resource, &asked.query, true)?;
    // Absent, and given as false, are two different wishes.
    let wished = asked
        .query
        .get("sendInitialEvents")
        .map(|_| asked.query.flag("sendInitialEvents"));
    let newest = api.store.version();
    if let Some(version) = version.filter(|version| *version > newest) {
        return Err(Status::too_large_version(version, newest));
    }
    let seconds = asked
        .query
        .get("timeoutSeconds")
        .and_then(|seconds| seconds.parse().ok())
        .filter(|s| *s > 0);
    let end = Instant::now() + seconds.map_or(LONGEST, Duration::from_secs);
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let watcher = Watcher {
        resource: target.resource,
        selector,
        shape: asked.shape(target),
        bookmarks: asked.query.flag("allowWatchBookmarks"),
        with_columns: true,
        renews: target.resource == Resource::Leases && target.namespace.as_deref().is_none_or(|name| name == LEASES),
        api: api.clone(),
        sender,
    };
    let namespace = target.namespace.clone();
    // From no version or 0, and where it is wished, the watch begins with what there is.
    let from = match wished {
        Some(true) => None,
        Some(false) => Some(version.filter(|version| *version > 0).unwrap_or(newest)),
        None => version.filter(|version| *version > 0),
    };
    tokio::spawn(watcher.run(namespace, from, wished == Some(true), end));
    let body = Body::from_stream(poll_fn(move |context| {
        receiver.poll_recv(context).map(|part| part.map(Ok::<_, Infallible>))
    }));
    Ok(text("application/json", body))
}

impl Watcher {
    async fn run(mut self, namespace: Option<String>, from: Option<u64>, initial: bool, end: Instant) {
        let next_renewal = Instant::now() + self.renew();
        let version = match from {
            Some(version) => version,
            None => {
                let (objects, version) = self.api.store.list(self.resource, namespace.as_deref());
                for object in &objects {
                    if self.selector.matches(object) && self.send("ADDED", object).await.is_err() {
                        return;
                    }
                }
                if initial && self.bookmarks && self.bookmark(version, true).await.is_err() {
                    return;
                }
                version
            }
        };
        let changes = self.api.store.watch(self.resource, namespace.as_deref(), version);
        // A client that has gone is an end like any other.
        let _ = self.follow(changes, next_renewal, end).await;
    }

    /// Renews the nodes' leases where they are watched; how long until it is to be done again.
    fn renew(&self) -> Duration {
        if self.renews {
            lease::renew(&self.api.store, self.api.clock.now())
        } else {
            LONGEST
        }
    }

    async fn follow(&mut self, mut changes: Watch, mut next_renewal: Instant, end: Instant) -> Result<(), Gone> {
        let mut next_bookmark = Instant::now() + BOOKMARK_PERIOD;
        loop {
            tokio::select! {
                biased;
                change = changes.next() => match change {
                    Ok(event) => self.pass_on(&event).await?,
                    Err(expired) => {
                        let status = Status::from(expired).to_value();
                        return self.line(&json!({"type": "ERROR", "object": status})).await;
                    }
                },
                () = sleep_until(next_bookmark), if self.bookmarks => {
                    self.bookmark(changes.version(), false).await?;
                    next_bookmark = Instant::now() + BOOKMARK_PERIOD;
                }
                () = sleep_until(next_renewal), if self.renews => next_renewal = Instant::now() + self.renew(),
                () = sleep_until(end) => return Ok(()),
                () = self.sender.closed() => return Err(Gone),
            }
        }
    }

    /// Sends a change as those see it who only see what is selected.
    async fn pass_on(&mut self, event: &WatchEvent) -> Result<(), Gone> {
        let before = event
            .previous
            .as_ref()
            .is_some_and(|object| self.selector.matches(object));
        let after = event.change != Change::Deleted && self.selector.matches(&event.object);
        match (before, after) {
            (false, false) => Ok(()),
            (false, true) => self.send("ADDED", &event.object).await,
            (true, true) => self.send("MODIFIED", &event.object).await,
            (true, false) if event.change == Change::Deleted => self.send("DELETED", &event.object).await,
            (true, false) => {
                // As it was while it was selected, with the version of its leaving.
                let mut left = event.previous.as_deref().cloned().unwrap_or_default();
                left["metadata"]["resourceVersion"] = event.version.to_string().into();
                self.send("DELETED", &Arc::new(left)).await
            }
        }
    }

    async fn send(&mut self, kind: &str, object: &Arc<Value>) -> Result<(), Gone> {
        let now = self.api.clock.now();
        let shown = self.shape.one_written(self.resource, object, now, self.with_columns);
        self.with_columns = false;
        self.line(&format!("{{\"type\":\"{kind}\",\"object\":{shown}}}")).await
    }

    async fn bookmark(&mut self, version: u64, ends_initial_events: bool) -> Result<(), Gone> {
        let mut metadata = json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        if ends_initial_events {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let now = self.api.clock.now();
        let object = self.shape.bookmark(self.resource, metadata, now, self.with_columns);
        self.line(&json!({"type": "BOOKMARK", "object": object})).await
    }

    async fn line(&mut self, value: &impl std::fmt::Display) -> Result<(), Gone> {
        let mut line = value.to_string();
        line.push('\n');
        self.sender.send(line.into()).await.map_err(|_| Gone)
    }
}
