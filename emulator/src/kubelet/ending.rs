//! How a pod ends: its containers are killed, its last status is written, and what it had is given back.

use std::time::Duration;

use super::{
    desired::Desired,
    eviction,
    kill::Killer,
    pod_status::{Life, Verdict, has_initialized},
    worker::{REWRITE, Worker},
};
use crate::events::EventType;

impl Worker {
    /// Ends a pod that uses more storage than its limits allow; whether it does.
    pub(super) async fn evict_for_storage(&mut self) -> bool {
        let Ok(status) = self.node.runtime.pod_status(&self.pod.reference()).await else {
            return false;
        };
        let used = self.node.edges.storage(&self.pod, &status).await;
        let Some(message) = eviction::over_limit(&self.pod, &used) else {
            return false;
        };
        let verdict = Verdict::evicted(message);
        self.node
            .pod_event(&self.pod, EventType::Warning, &verdict.reason, &verdict.message);
        self.verdict = Some(verdict);
        true
    }

    /// Kills what runs and stops the sandboxes.
    pub(super) async fn end(&mut self) {
        self.take_update();
        self.is_ending = true;
        self.was_initialized = has_initialized(&self.pod, self.publisher.published());
        let mut again = false;
        loop {
            let seen = match self.observe().await {
                Ok(seen) => seen,
                Err(_) => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            self.publish(&seen, Life::Running);
            let of_verdict = self.verdict.as_ref().and_then(|verdict| verdict.grace);
            let wanted = self.desired.borrow_and_update().clone();
            let grace = of_verdict
                .or(wanted.grace())
                .unwrap_or_else(|| self.pod.termination_grace());
            let (node, pod) = (self.node.clone(), self.pod.clone());
            let killer = Killer {
                node: &node,
                pod: &pod,
                seen: &seen,
                // However short, it is time enough to begin a preStop hook (`pod_workers.go`, `calculateEffectiveGracePeriod`).
                grace: Some(grace.max(1)),
                again,
            };
            // A grace period that is shortened now comes too late: what has been begun is not interrupted
            // (`kubelet.go`, `SyncTerminatingPod`). Nobody sees the end of a pod whose object is gone.
            let killing = killer.everything();
            let killed = if wanted.is_abandoned() {
                killing.await;
                Some(())
            } else {
                // Readiness is told to the end: whoever sends requests to the pod goes by it.
                self.while_telling(&seen, killing).await
            };
            if killed.is_some() {
                break;
            }
            again = true;
            self.take_update();
        }
        self.stop_sandboxes().await;
        if let Some(probers) = &mut self.probers {
            probers.stop();
        }
        if let Ok(seen) = self.observe().await {
            self.publish(&seen, Life::Ended);
        }
    }

    pub(super) async fn stop_sandboxes(&mut self) {
        self.ports = None;
        let Ok(status) = self.node.runtime.pod_status(&self.pod.reference()).await else {
            return;
        };
        for sandbox in &status.sandboxes {
            if let Err(error) = self.node.runtime.stop_sandbox(&sandbox.id).await {
                let message = format!("error killing pod: failed to stop sandbox: {error}");
                self.node
                    .pod_event(&self.pod, EventType::Warning, "FailedKillPod", &message);
            }
        }
    }

    /// Writes the last status, and leaves.
    pub(super) async fn settle(&mut self) {
        if let Ok(seen) = self.observe().await {
            self.publish(&seen, Life::Settled);
            while self.publisher.is_owing() && !self.desired.borrow().ends() {
                tokio::time::sleep(REWRITE).await;
                self.publish(&seen, Life::Settled);
            }
        }
        self.leave().await;
    }

    /// Removes pod and object once its deletion has been asked for.
    pub(super) async fn leave(&mut self) {
        self.node.edges.tear_down(&self.pod.reference()).await;
        let mut desired = self.desired.clone();
        if desired.wait_for(Desired::ends).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.take_update();
        self.forget().await;
        while !self.publisher.remove(&self.node, &self.pod) {
            tokio::time::sleep(REWRITE).await;
        }
    }

    async fn forget(&self) {
        let pod = self.pod.reference();
        let Ok(status) = self.node.runtime.pod_status(&pod).await else {
            return;
        };
        for sandbox in &status.sandboxes {
            // One that can't be removed now is an orphan at the next start.
            drop(self.node.runtime.stop_sandbox(&sandbox.id).await);
            drop(self.node.runtime.remove_sandbox(&sandbox.id).await);
        }
        self.node.edges.forget(&pod).await;
    }
}
