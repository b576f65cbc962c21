//! What a worker waits for between two syncs.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    desired::Desired,
    eviction,
    pod::Pod,
    pod_status::Life,
    preemption,
    seen::Seen,
    worker::{REWRITE, Worker},
};
use crate::runtime::PodStatus as RuntimeStatus;

/// As long as a pod's processes take to end after the one that holds their PID namespace.
const FALL: Duration = Duration::from_millis(100);

/// A resize that waits for others to go is asked for again after this time.
const RETRY_RESIZE: Duration = Duration::from_secs(1);

impl Worker {
    /// How long to wait: less where the status is not on the disk yet.
    pub(super) fn at_most(&self, wait: Duration) -> Duration {
        if self.publisher.is_owing() {
            wait.min(REWRITE)
        } else {
            wait
        }
    }

    /// Waits for a reason to sync again, at most `wait`. With `more` there is one already.
    pub(super) async fn pause(&mut self, wait: Duration, more: bool) {
        if more || self.runtime_has_changed().await {
            self.take_update();
            return;
        }
        let mut wake = Instant::now() + wait;
        let mut at_deadline = None;
        if let Some(deadline) = self.deadline() {
            at_deadline = Some(Instant::now() + self.until(deadline));
        }
        if let Some(deadline) = at_deadline {
            wake = wake.min(deadline);
        }
        // Critical pods are not evicted.
        let watches_storage = eviction::has_limits(&self.pod) && !preemption::is_critical(&self.pod.object);
        let mut look = Instant::now() + eviction::PERIOD;
        loop {
            let calls = self.calls.clone();
            let defers = self.resize_is_deferred();
            let (has_volumes, refresh) = (self.volumes.is_some(), self.next_refresh());
            tokio::select! {
                () = tokio::time::sleep_until(wake) => return,
                () = tokio::time::sleep(RETRY_RESIZE), if defers => {
                    if self.retry_resize() {
                        return;
                    }
                }
                () = tokio::time::sleep_until(look), if watches_storage => {
                    look += eviction::PERIOD;
                    if self.evict_for_storage().await {
                        return;
                    }
                }
                () = calls.sync.notified() => return,
                () = calls.volumes.notified(), if has_volumes => {
                    self.refresh_after = None;
                    self.refresh_volumes().await;
                }
                () = tokio::time::sleep_until(refresh.unwrap_or(wake)), if refresh.is_some() => {
                    self.refresh_volumes().await;
                }
                () = calls.runtime.notified() => {
                    if self.runtime_has_changed().await {
                        return;
                    }
                }
                changed = self.desired.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                    if self.take_update() {
                        return;
                    }
                }
            }
        }
    }

    /// Whether the runtime shows anything else than what the last sync went by.
    async fn runtime_has_changed(&self) -> bool {
        let Ok(status) = self.node.runtime.pod_status(&self.pod.reference()).await else {
            return false;
        };
        let Some(before) = &self.looked_at else { return true };
        let states = |status: &RuntimeStatus| {
            let sandboxes: Vec<_> = status
                .sandboxes
                .iter()
                .map(|sandbox| (sandbox.id.clone(), sandbox.ready))
                .collect();
            let containers: Vec<_> = status
                .containers
                .iter()
                .map(|status| (status.id.clone(), status.state))
                .collect();
            (sandboxes, containers)
        };
        let changed = states(&status) != states(before);
        if changed && self.pod.spec.share_process_namespace == Some(true) {
            // With the pause process all others end: that the sandbox has gone is to be seen with them.
            tokio::time::sleep(FALL).await;
        }
        changed
    }

    /// Reads the newest version of the object; whether anything but its status is new.
    pub(super) fn take_update(&mut self) -> bool {
        let desired = self.desired.borrow_and_update().clone();
        if desired.gone || (desired.makes_room.is_some() && self.verdict.is_none()) {
            return true;
        }
        let differs = |field: &str| self.pod.object["metadata"][field] != desired.object["metadata"][field];
        let meta_changed = ["generation", "deletionTimestamp", "labels", "annotations"]
            .into_iter()
            .any(differs);
        let spec_changed = self.pod.object["spec"] != desired.object["spec"];
        if meta_changed || spec_changed {
            let Ok(mut pod) = Pod::read(&desired.object) else {
                // Admission lets no such object through; what is known goes on.
                return false;
            };
            self.allocate(&mut pod);
            self.pod = Arc::new(pod);
            // Volumes of the downward API show the pod.
            self.volumes_outdated = true;
        }
        let gates = self
            .publisher
            .take_conditions(&self.pod, &desired.object["status"]["conditions"]);
        spec_changed || meta_changed || gates
    }

    /// Resolves when the pod's object is gone. Until then a sync does what it has begun, pulls and hooks too, and only
    /// then the pod is ended (`kubelet.go`, `SyncPod`: its context is not cancelled).
    pub(super) fn abandoned(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut desired = self.desired.clone();
        async move {
            // Without a sender nobody will ask for it any more: the node itself is going down.
            if desired.wait_for(Desired::is_abandoned).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Sees a piece of work through, and tells meanwhile what probes find: that waits for no sync (`kubelet.go`,
    /// `syncLoopIteration`). None where the pod's object goes first.
    pub(super) async fn while_telling<T: Send>(
        &mut self,
        seen: &Seen,
        work: impl Future<Output = T> + Send,
    ) -> Option<T> {
        let (mut work, mut abandoned) = (pin!(work), pin!(self.abandoned()));
        let calls = self.calls.clone();
        let mut called = false;
        let done = loop {
            tokio::select! {
                done = &mut work => break Some(done),
                () = &mut abandoned => break None,
                () = calls.sync.notified() => {
                    called = true;
                    self.publish(seen, Life::Busy);
                }
            }
        };
        if called {
            // The sync that was asked for is due all the same.
            calls.sync.notify_one();
        }
        done
    }
}
