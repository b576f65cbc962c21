//! The live view: tells what happens to pods while it happens, until what was waited for has come.

mod stories;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Event as Recorded, Pod};
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use self::stories::Stories;
use crate::cli::containers::Containers;
use crate::cluster::Cluster;
use crate::cluster::watch::Query;
use crate::failure::Failure;
use crate::pod::history::History;
use crate::pod::outcome::Until;
use crate::view::printer::Printer;

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
    /// Whose.
    pub containers: Containers,
    /// Whether nothing is told on the way: the caller tells the end.
    pub is_silent: bool,
    /// Where to record what the watch tells.
    pub record: Option<PathBuf>,
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

/// The end, and the pods' lives until then.
pub struct Followed {
    /// How it ended.
    pub end: End,
    /// What is known of the pods.
    pub pods: Vec<History>,
}

/// Follows until the end, an interruption, or the timeout.
///
/// # Errors
/// The server refuses to tell about the pods, there is no such pod, or the recording cannot be written.
pub async fn follow(cluster: &Cluster, follow: &Follow, printer: &mut Printer) -> Result<Followed, Failure> {
    let (lines, mut output) = mpsc::channel(256);
    let mut stories = Stories::new(cluster, follow, printer, lines)?;
    let mut pods = cluster.watch::<Pod>(follow.query.clone()).boxed().fuse();
    let mut events = cluster.watch::<Recorded>(events_query(follow)).boxed().fuse();
    let deadline = tokio::time::sleep(follow.timeout.unwrap_or(FOR_EVER));
    tokio::pin!(deadline);
    let interrupted = interruption();
    tokio::pin!(interrupted);
    // A terminal shows how time goes by.
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = loop {
        tokio::select! {
            // What has happened is told before anything ends the telling.
            biased;
            Some(change) = pods.next() => stories.pod_changed(change)?,
            Some(change) = events.next() => stories.event_changed(change)?,
            Some((container, line)) = output.recv() => stories.log_line(&container, &line),
            () = &mut interrupted => break End::Interrupted,
            () = &mut deadline => break End::TimedOut,
            _ = second.tick() => {}
        }
        if stories.is_unread() {
            break End::Interrupted;
        }
        if let Some(end) = stories.end() {
            break end;
        }
        stories.draw();
    };
    // Events are written a moment after what they tell of, and so are the last lines of output.
    if matches!(end, End::Reached | End::Lost(_)) {
        let settled = tokio::time::sleep(AFTERGLOW);
        tokio::pin!(settled);
        loop {
            tokio::select! {
                biased;
                Some(change) = events.next() => stories.event_changed(change)?,
                Some((container, line)) = output.recv() => stories.log_line(&container, &line),
                () = &mut settled => break,
            }
        }
    }
    Ok(Followed {
        pods: stories.finish()?,
        end,
    })
}

/// Resolves at the first Ctrl-C after the call, when the terminal goes, or when told to end. Call it within a runtime.
#[cfg(unix)]
pub fn interruption() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let [interrupt, terminate, hangup] =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    async move {
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (interrupt, terminate, hangup) else {
            // Without a handler there is nothing to wait for but the end itself.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
pub async fn interruption() {
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

/// Tokio has no longer sleep.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);
/// How long to listen for what belongs to the end.
const AFTERGLOW: Duration = Duration::from_millis(150);
