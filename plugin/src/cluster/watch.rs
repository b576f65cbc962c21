//! Watching: a list, then its changes, over broken connections and forgotten versions.

use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::sync::mpsc;

use super::error::ClusterError;
use super::{Cluster, Kind};

/// Something that the watch tells.
#[derive(Debug)]
pub enum Change<K> {
    /// All objects that there are follow, up to the next `Synced`: one that was told before and is not among them has gone.
    Begun,
    /// An object as it is now.
    Present(Box<K>),
    /// An object that is gone, as it was last.
    Gone(Box<K>),
    /// All objects that there were at the start have been told.
    Synced,
    /// The connection broke; it is being mended.
    Interrupted(ClusterError),
    /// The watch is over: the server refuses it.
    Refused(ClusterError),
}

/// What is being watched.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// A label query.
    pub labels: Option<String>,
    /// A field query.
    pub fields: Option<String>,
}

impl Query {
    /// The parameters of a list.
    pub fn params(&self) -> ListParams {
        ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            ..ListParams::default()
        }
    }

    /// The name of the one object that is meant, where it is one.
    fn name(&self) -> Option<&str> {
        self.fields.as_deref()?.strip_prefix("metadata.name=")
    }

    /// Whether one object is meant, which ought to be there.
    pub fn is_one(&self) -> bool {
        self.name().is_some()
    }

    /// What the server would have said of a pod that is not there.
    pub fn not_found(&self) -> ClusterError {
        ClusterError::Server {
            reason: "NotFound".to_owned(),
            message: format!("pods {:?} not found", self.name().unwrap_or_default()),
            code: 404,
        }
    }
}

impl Cluster {
    /// Watches what matches until the receiver is dropped. After an interruption, all objects are told again.
    pub fn watch<K: Kind + Send + Sync>(&self, query: Query) -> impl Stream<Item = Change<K>> + use<K> {
        let (sender, receiver) = mpsc::channel(64);
        let cluster = self.clone();
        tokio::spawn(async move {
            // Ends when nobody listens any more.
            let _ = cluster.follow(&query, &sender).await;
        });
        futures::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|change| (change, receiver))
        })
    }

    async fn follow<K: Kind + Send + Sync>(
        &self,
        query: &Query,
        sender: &mpsc::Sender<Change<K>>,
    ) -> Result<(), mpsc::error::SendError<Change<K>>> {
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = match self.tell_all(query, sender).await? {
                Ok(version) => {
                    sender.send(Change::Synced).await?;
                    pause = FIRST_PAUSE;
                    self.tell_changes(query, version, sender).await?
                }
                Err(error) => error,
            };
            if ended.is_expired() {
                continue;
            }
            if !ended.is_passing() {
                sender.send(Change::Refused(ended)).await?;
                return Ok(());
            }
            sender.send(Change::Interrupted(ended)).await?;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tells everything that there is, and returns the version to go on from.
    async fn tell_all<K: Kind + Send + Sync>(
        &self,
        query: &Query,
        sender: &mpsc::Sender<Change<K>>,
    ) -> Result<Result<String, ClusterError>, mpsc::error::SendError<Change<K>>> {
        sender.send(Change::Begun).await?;
        let mut params = query.params();
        params.limit = self.page;
        let api = self.api::<K>(query.namespace.as_deref());
        loop {
            let page = match self.limited(api.list(&params)).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            for object in page.items {
                sender.send(Change::Present(Box::new(object))).await?;
            }
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(Ok(page.metadata.resource_version.unwrap_or_else(|| "0".to_owned())));
            }
        }
    }

    /// Tells changes from a version on; returns why it cannot go on.
    async fn tell_changes<K: Kind + Send + Sync>(
        &self,
        query: &Query,
        mut version: String,
        sender: &mpsc::Sender<Change<K>>,
    ) -> Result<ClusterError, mpsc::error::SendError<Change<K>>> {
        let mut params = WatchParams::default();
        params.label_selector.clone_from(&query.labels);
        params.field_selector.clone_from(&query.fields);
        let api = self.api::<K>(query.namespace.as_deref());
        loop {
            let began = tokio::time::Instant::now();
            let mut changes = match api.watch(&params, &version).await {
                Ok(changes) => changes.boxed(),
                Err(error) => return Ok(ClusterError::of(error, &self.server)),
            };
            loop {
                let change = match changes.try_next().await {
                    Ok(Some(change)) => change,
                    // The server ends every watch after some minutes; the version lets us go on.
                    Ok(None) => break,
                    Err(error) => return Ok(ClusterError::of(error, &self.server)),
                };
                match change {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        version = object.meta().resource_version.clone().unwrap_or(version);
                        sender.send(Change::Present(Box::new(object))).await?;
                    }
                    WatchEvent::Deleted(object) => {
                        version = object.meta().resource_version.clone().unwrap_or(version);
                        sender.send(Change::Gone(Box::new(object))).await?;
                    }
                    WatchEvent::Bookmark(bookmark) => version = bookmark.metadata.resource_version,
                    WatchEvent::Error(status) => return Ok(ClusterError::of_status(*status)),
                }
            }
            if sender.is_closed() {
                return Ok(ClusterError::TimedOut);
            }
            // A server, or a proxy before it, that ends every watch at once is not to be asked without a break.
            if began.elapsed() < FIRST_PAUSE {
                tokio::time::sleep(FIRST_PAUSE).await;
            }
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
