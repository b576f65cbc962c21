//! The worker's part in resizing: asks the node whether there is room, and tells what becomes of it.

use std::sync::Arc;

use super::{
    admission::resize_pending,
    pod::Pod,
    resize::words,
    seen::Seen,
    worker::{MadeFrom, Worker},
};
use crate::events::EventType;

impl Worker {
    /// Gives a pod whose spec has changed the resources that it asks for, or has it go on with those that it has.
    pub(super) fn allocate(&mut self, pod: &mut Pod) {
        if !self.resizes.is_asked_for(pod) {
            self.resizes.settle(pod);
            return;
        }
        match resize_pending(&self.node, pod) {
            None => {
                self.resizes.give(pod);
                self.resizes.settle(pod);
                self.resize_event(pod, EventType::Normal, "ResizeStarted", &words("started", pod, ""));
            }
            Some(pending) => {
                let (reason, message) = (pending.reason, words(pending.reason, pod, &pending.message));
                if self.resizes.hold_back(pod, pending) {
                    self.resize_event(pod, EventType::Warning, &format!("Resize{reason}"), &message);
                }
            }
        }
    }

    /// Whether a resize waits for others to go.
    pub(super) fn resize_is_deferred(&self) -> bool {
        self.resizes.pending().is_some_and(super::resize::Pending::is_deferred)
    }

    /// Asks for it again; whether anything has changed.
    pub(super) fn retry_resize(&mut self) -> bool {
        let before = self.resizes.pending().cloned();
        let Ok(mut pod) = Pod::read(&self.pod.object) else {
            return false;
        };
        self.allocate(&mut pod);
        let changed = self.resizes.pending() != before.as_ref();
        if changed {
            self.pod = Arc::new(pod);
        }
        changed
    }

    /// Tells of a resize that has been carried out: every container that runs has what it was given.
    pub(super) fn note_resized(&mut self, seen: &Seen) {
        if !self.resizes.is_in_progress() || self.resizes.is_of_pod() {
            return;
        }
        let pod = self.pod.clone();
        let mut running = seen.running();
        let differs = running.any(|running| {
            let declared = pod.container(&running.name);
            let made_from = self.made_from.get(&running.id);
            declared
                .zip(made_from)
                .is_some_and(|(declared, made_from)| made_from.resources != MadeFrom::new(declared).resources)
        });
        if !differs {
            self.resizes.complete();
            self.resize_event(
                &pod,
                EventType::Normal,
                "ResizeCompleted",
                &words("completed", &pod, ""),
            );
        }
    }

    /// Tells of one that went wrong.
    pub(super) fn resize_failed(&mut self, error: &str) {
        if self.resizes.fail(error) {
            let pod = self.pod.clone();
            self.resize_event(&pod, EventType::Warning, "ResizeError", &words("error", &pod, error));
        }
    }

    fn resize_event(&self, pod: &Pod, kind: EventType, reason: &str, message: &str) {
        self.node.pod_event(pod, kind, reason, message);
    }
}
