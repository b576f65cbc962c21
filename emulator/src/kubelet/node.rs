//! What every worker of the node shares.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::mpsc::UnboundedSender;

use super::edges::Edges;
use crate::{
    clock::Clock,
    events::{EventType, Recorder},
    features::Features,
    image::Images,
    runtime::SharedRuntime,
    store::Store,
};

use super::pod::{Declared, Pod};

/// The node that pods run on.
pub(super) struct Node {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) runtime: SharedRuntime,
    pub(super) images: Arc<dyn Images>,
    pub(super) edges: Arc<dyn Edges>,
    pub(super) recorder: Recorder,
    /// `metadata.name` of the node object.
    pub(super) name: String,
    /// Its addresses.
    pub(super) host_ips: Vec<IpAddr>,
    /// A retry waits this many times its back-off.
    pub(super) stretch: f64,
    /// Which features are on.
    pub(super) features: Features,
    /// A pod without anything to do is synced again after this time.
    pub(super) resync: Duration,
    /// Whether what expires in volumes is renewed on time, and not only when the pod is synced.
    pub(super) renews_in_time: bool,
    /// Takes the UIDs of pods that have to make room, and for what.
    pub(super) make_room: UnboundedSender<(String, RoomFor)>,
    /// The node is going down: it admits no pod.
    pub(super) is_shutting_down: AtomicBool,
}

/// What a pod has to make room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RoomFor {
    /// A more important pod.
    Pod,
    /// The node itself, which lacks something; what the pod's status says.
    Node(String),
    /// The end of the node; how many seconds the pod has.
    Shutdown(i64),
}

impl Node {
    /// Records an event about a container.
    pub(super) fn container_event(&self, pod: &Pod, declared: &Declared, kind: EventType, reason: &str, message: &str) {
        self.recorder
            .event(&pod.object, &declared.field_path(), kind, reason, message);
    }

    /// Records an event about the node.
    pub(super) fn own_event(&self, kind: EventType, reason: &str, message: &str) {
        self.recorder.node_event(&self.name, kind, reason, message);
    }

    /// Records what a lifecycle hook warned of.
    pub(super) fn hook_event(&self, pod: &Pod, warning: Option<&str>) {
        if let Some(warning) = warning {
            self.pod_event(pod, EventType::Warning, "LifecycleHTTPFallback", warning);
        }
    }

    /// Records an event about the pod as a whole.
    pub(super) fn pod_event(&self, pod: &Pod, kind: EventType, reason: &str, message: &str) {
        self.recorder.event(&pod.object, "", kind, reason, message);
    }
}
