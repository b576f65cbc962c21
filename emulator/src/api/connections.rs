//! How long connections stay that do nothing, and how many there may be of clients that nobody knows.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use hyper::body::{Frame, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How long a client may take to send the head of its first request, about as long as in Kubernetes.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may stay without a request after the last answer, as in Kubernetes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// The most connections of clients that have not shown who they are, where the files that a process may open allow it.
const MAX_UNKNOWN: u64 = 256;

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests whose answer is not complete.
    in_progress: usize,
    /// When the connection is given up, if nothing comes.
    deadline: Instant,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            in_progress: 0,
            deadline: Instant::now() + FIRST_REQUEST_TIMEOUT,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request, which lasts until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InProgress {
        self.lock().in_progress += 1;
        InProgress(self.clone())
    }

    /// Returns once nothing has been going on for too long.
    pub(super) async fn idle(&self) {
        loop {
            let now = Instant::now();
            let until = {
                let state = self.lock();
                match state.in_progress {
                    0 if state.deadline <= now => return,
                    0 => state.deadline,
                    _ => now + IDLE_TIMEOUT,
                }
            };
            tokio::time::sleep_until(until).await;
        }
    }
}

/// A request that is in progress.
#[derive(Debug)]
pub(super) struct InProgress(Arc<Activity>);

impl InProgress {
    /// Lets the request last until the body of its answer is through.
    pub(super) fn until_sent(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| Body::new(Tracked { body, _request: self }))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.in_progress = state.in_progress.saturating_sub(1);
        state.deadline = Instant::now() + IDLE_TIMEOUT;
    }
}

struct Tracked {
    body: Body,
    _request: InProgress,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The connections of clients that have not shown who they are, the oldest first. One too many ends the oldest: whoever holds
/// connections open keeps nobody else out.
#[derive(Debug)]
pub(super) struct Unknown {
    connections: Mutex<VecDeque<(u64, AbortHandle)>>,
    next: AtomicU64,
    max: usize,
}

impl Unknown {
    pub(super) fn new() -> Arc<Self> {
        // A connection takes a file; the pods and the store need theirs too.
        Self::with_max(MAX_UNKNOWN.min(file_limit() / 4).max(8))
    }

    fn with_max(max: u64) -> Arc<Self> {
        Arc::new(Self {
            connections: Mutex::default(),
            next: AtomicU64::default(),
            max: usize::try_from(max).unwrap_or(usize::MAX),
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, AbortHandle)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new connection.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds a connection, and ends the oldest where there are too many.
    pub(super) fn add(&self, number: u64, task: AbortHandle) {
        let mut connections = self.lock();
        connections.retain(|(_, task)| !task.is_finished());
        if !task.is_finished() {
            connections.push_back((number, task));
        }
        while connections.len() > self.max {
            if let Some((_, oldest)) = connections.pop_front() {
                oldest.abort();
            }
        }
    }

    /// Takes out a connection whose client has shown who it is.
    pub(super) fn remove(&self, number: u64) {
        self.lock().retain(|(known, _)| *known != number);
    }
}

#[cfg(target_os = "linux")]
fn file_limit() -> u64 {
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    limit.map_or(MAX_UNKNOWN, |(soft, _)| soft)
}

#[cfg(not(target_os = "linux"))]
fn file_limit() -> u64 {
    4 * MAX_UNKNOWN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silent_connection_is_idle_after_its_limit() {
        let begin = Instant::now();
        let activity = Activity::new();
        activity.idle().await;
        assert_eq!(begin.elapsed(), FIRST_REQUEST_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn connection_is_not_idle_while_an_answer_is_sent() {
        let begin = Instant::now();
        let activity = Activity::new();
        let answer = activity.begin().until_sent(Response::new(Body::from("x")));
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1000)).await;
            drop(answer);
        });
        activity.idle().await;
        let idle = begin.elapsed();
        // It is looked at again now and then, and never too early.
        let least = Duration::from_secs(1000) + IDLE_TIMEOUT;
        assert!(idle >= least && idle <= least + IDLE_TIMEOUT, "{idle:?}");
    }

    #[tokio::test]
    async fn oldest_unknown_connection_makes_room() {
        let unknown = Unknown::with_max(2);
        let tasks: Vec<_> = (0..4).map(|_| tokio::spawn(std::future::pending::<()>())).collect();
        for task in &tasks[..3] {
            unknown.add(unknown.number(), task.abort_handle());
        }
        unknown.remove(1);
        unknown.add(unknown.number(), tasks[3].abort_handle());
        let mut tasks = tasks.into_iter();
        assert!(tasks.next().unwrap().await.unwrap_err().is_cancelled());
        for task in tasks {
            assert!(!task.is_finished());
            task.abort();
        }
    }
}
