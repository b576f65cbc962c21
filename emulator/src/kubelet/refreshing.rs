//! The content of a running pod's volumes: it follows its sources, and what can't be refreshed stays as it is
//! (`pkg/kubelet/volumemanager/reconciler`).

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{edges::VolumeFailure, worker::Worker};
use crate::events::EventType;

/// The longest that a volume that fails waits for the next attempt (`pkg/util/goroutinemap/exponentialbackoff`).
const LONGEST: Duration = Duration::from_secs(122);

impl Worker {
    /// Refreshes the volumes, unless an attempt has failed just now. The containers do not notice a failure.
    pub(super) async fn refresh_volumes(&mut self) {
        let now = self.node.clock.now();
        if self.refresh_after.is_some_and(|after| now < after) {
            return;
        }
        self.volumes_outdated = false;
        let failures = self.node.edges.refresh_volumes(&self.pod).await;
        if failures.is_empty() {
            self.volume_failures = 0;
            self.refresh_after = None;
        } else {
            self.volumes_have_failed(&failures);
            self.refresh_after = now.checked_add(self.volume_backoff()).ok();
        }
    }

    /// Returns when volumes are to be refreshed though nothing has happened: what could not be is tried again, and tokens
    /// expire.
    pub(super) fn next_refresh(&self) -> Option<Instant> {
        let _ = self.volumes.as_ref()?;
        let renewal = || self.node.edges.next_renewal(&self.pod);
        let renewal = self.node.renews_in_time.then(renewal).flatten();
        let next = self.refresh_after.into_iter().chain(renewal).min()?;
        Some(Instant::now() + self.until(next))
    }

    /// Returns how long it is until a moment.
    pub(super) fn until(&self, moment: Timestamp) -> Duration {
        let left = moment.duration_since(self.node.clock.now());
        Duration::try_from(left).unwrap_or_default()
    }

    /// Records that volumes could not be set up or refreshed.
    pub(super) fn volumes_have_failed(&mut self, failures: &[VolumeFailure]) {
        self.volume_failures += 1;
        // Each volume is mounted by itself (`pkg/volume/util/operationexecutor`).
        for failure in failures {
            self.node
                .pod_event(&self.pod, EventType::Warning, "FailedMount", &failure.to_string());
        }
    }

    /// Returns how long volumes that have failed wait for the next attempt.
    pub(super) fn volume_backoff(&self) -> Duration {
        let wait = Duration::from_millis(500).saturating_mul(1 << self.volume_failures.min(8));
        wait.min(LONGEST)
    }
}
