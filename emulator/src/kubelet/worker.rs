//! The worker of one pod: it decides when to sync, and leads the pod through its life.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ResourceRequirements;
use tokio::sync::{Notify, watch};

use super::{
    backoff::Backoff,
    desired::Desired,
    edges::VolumePaths,
    image_pull::Pulls,
    node::Node,
    pod::{Declared, Pod},
    pod_status::{Verdict, started},
    probe_state::{Finding, ProbeKind, Results},
    probers::Probers,
    publish::Publisher,
    resize::Resizes,
    seen::Seen,
    start_failure::StartFailures,
};
use crate::{
    events::EventType,
    host_ports::HostPorts,
    runtime::{ContainerId, ContainerState, PodStatus as RuntimeStatus},
};

/// As long as a sync waits for volumes (`podAttachAndMountTimeout` of the kubelet).
pub(super) const MOUNT: SignedDuration = SignedDuration::from_secs(123);

/// What a full disk did not take is written again after this time.
pub(super) const REWRITE: Duration = Duration::from_secs(1);

/// What asks a worker to look again.
#[derive(Clone, Default)]
pub(super) struct Calls {
    /// The runtime has news of the pod.
    pub(super) runtime: Arc<Notify>,
    /// A probe has, or something else that needs a sync.
    pub(super) sync: Arc<Notify>,
    /// Something that its volumes are filled from has changed.
    pub(super) volumes: Arc<Notify>,
}

/// What a sync came to.
pub(super) enum Synced {
    /// Sync again at once.
    Again,
    /// The pod is to be ended.
    End,
    /// Nothing more to do for now; `more` syncs are due at once.
    Done { more: bool },
    /// Something failed and is tried again after this time.
    Failed { retry: Duration, more: bool },
}

/// What of a container's spec can change while it runs.
#[derive(Clone, PartialEq)]
pub(super) struct MadeFrom {
    pub(super) image: String,
    pub(super) resources: Option<ResourceRequirements>,
}

impl MadeFrom {
    pub(super) fn new(declared: &Declared) -> Self {
        Self {
            image: declared.image().to_owned(),
            resources: Some(declared.container.resources.clone().unwrap_or_default()),
        }
    }
}

/// The worker of one pod.
pub(super) struct Worker {
    pub(super) node: Arc<Node>,
    pub(super) desired: watch::Receiver<Desired>,
    pub(super) calls: Calls,
    pub(super) pod: Arc<Pod>,
    pub(super) publisher: Publisher,
    pub(super) probers: Option<Probers>,
    pub(super) failures: StartFailures,
    pub(super) crashes: Backoff,
    pub(super) pulls: Pulls,
    pub(super) volumes: Option<VolumePaths>,
    pub(super) volume_failures: u32,
    /// The pod has changed since its volumes were refreshed.
    pub(super) volumes_outdated: bool,
    /// The moment before which volumes that could not be refreshed are not tried again.
    pub(super) refresh_after: Option<Timestamp>,
    /// Since when the pod's volumes are waited for.
    pub(super) mounting_since: Option<Timestamp>,
    /// What each running container was made from, as far as it can change.
    pub(super) made_from: HashMap<ContainerId, MadeFrom>,
    /// Started last in the sync before: its running is shown, however short it was.
    pub(super) fresh: Option<ContainerId>,
    pub(super) messages: BTreeMap<ContainerId, String>,
    /// What the last sync went by.
    pub(super) looked_at: Option<RuntimeStatus>,
    pub(super) verdict: Option<Verdict>,
    /// The sync before owes another.
    pub(super) one_more: bool,
    /// The start that failed last had brought its container up first.
    pub(super) ended_within: bool,
    /// The container whose postStart hook ran last.
    pub(super) hooked: Option<ContainerId>,
    pub(super) resizes: Resizes,
    /// Ports of the node that lead to the pod's sandbox.
    pub(super) ports: Option<HostPorts>,
    /// Its containers are being ended for good, or have been.
    pub(super) is_ending: bool,
    /// When that began its init containers had done their work.
    pub(super) was_initialized: bool,
}

impl Worker {
    pub(super) fn new(node: Arc<Node>, desired: watch::Receiver<Desired>, calls: Calls, mut pod: Pod) -> Self {
        Self {
            resizes: Resizes::new(&mut pod),
            publisher: Publisher::new(&pod),
            pod: Arc::new(pod),
            desired,
            calls,
            probers: None,
            failures: StartFailures::default(),
            crashes: Backoff::of_crashes(&node.features),
            pulls: Pulls::default(),
            volumes: None,
            volume_failures: 0,
            volumes_outdated: false,
            refresh_after: None,
            mounting_since: None,
            made_from: HashMap::new(),
            fresh: None,
            messages: BTreeMap::new(),
            looked_at: None,
            verdict: None,
            one_more: false,
            ended_within: false,
            hooked: None,
            ports: None,
            is_ending: false,
            was_initialized: false,
            node,
        }
    }

    /// Leads the pod from its first sync to its end.
    pub(super) async fn run(mut self) {
        if !self.resume().await {
            return;
        }
        while !self.must_end() {
            match self.sync().await {
                Synced::Again => {}
                Synced::End => break,
                Synced::Done { more } => self.pause(self.at_most(self.node.resync), more).await,
                Synced::Failed { retry, more } => {
                    let wait = self.at_most(retry.mul_f64(self.node.stretch));
                    self.pause(wait, more).await;
                }
            }
        }
        self.end().await;
        self.settle().await;
    }

    /// Takes up what is there already; false where the node refuses the pod and it is gone.
    async fn resume(&mut self) -> bool {
        let seen = self.observe().await.unwrap_or_default();
        let mut results = Results::default();
        for declared in &self.pod.containers {
            let Some(newest) = seen.newest(declared.name()) else {
                continue;
            };
            let key = super::start::backoff_key(declared);
            self.crashes
                .resume(&key, newest.attempt, newest.started_at.unwrap_or(newest.created_at));
            let mut made_from = MadeFrom::new(declared);
            // It may have been changed while no kubelet ran.
            if !newest.declared_image.is_empty() {
                made_from.image.clone_from(&newest.declared_image);
            }
            self.made_from.insert(newest.id.clone(), made_from);
            if newest.state == ContainerState::Running
                && started(self.publisher.published(), &self.pod, declared.name())
            {
                results.set(&newest.id, ProbeKind::Startup, Finding::Success);
                if self.publisher.is_ready(declared.name()) {
                    results.set(&newest.id, ProbeKind::Readiness, Finding::Success);
                }
            }
        }
        let fresh = seen.status.sandboxes.is_empty() && seen.status.containers.is_empty();
        if fresh
            && !self.must_end()
            && let Err(verdict) = super::preempting::admit(&self.node, &self.pod).await
        {
            self.node
                .pod_event(&self.pod, EventType::Warning, &verdict.reason, &verdict.message);
            self.publisher.refuse(&self.node, &self.pod, &verdict);
            while self.publisher.is_owing() && !self.desired.borrow().ends() {
                tokio::time::sleep(REWRITE).await;
                self.publisher.refuse(&self.node, &self.pod, &verdict);
            }
            self.leave().await;
            return false;
        }
        if seen.sandbox().is_some_and(|sandbox| sandbox.ready) {
            match self.node.edges.bind_ports(&self.pod).await {
                Ok(ports) => self.ports = Some(ports),
                Err(error) => self
                    .node
                    .pod_event(&self.pod, EventType::Warning, "FailedCreatePodSandBox", &error),
            }
            self.lead_ports(&seen);
        }
        self.probers = Some(Probers::start(
            self.node.clone(),
            &self.pod,
            self.calls.sync.clone(),
            results,
        ));
        true
    }

    /// Lets the pod's ports of the node lead to its sandbox.
    pub(super) fn lead_ports(&self, seen: &Seen) {
        let address = seen.sandbox().and_then(|sandbox| sandbox.ips.first().copied());
        if let (Some(ports), Some(address)) = (&self.ports, address) {
            ports.lead_to(address);
        }
    }

    fn must_end(&mut self) -> bool {
        if self.verdict.is_none()
            && let Some(deadline) = self.deadline()
            && self.node.clock.now() >= deadline
        {
            let verdict = Verdict::deadline_exceeded();
            self.node
                .pod_event(&self.pod, EventType::Normal, &verdict.reason, &verdict.message);
            self.verdict = Some(verdict);
        }
        let desired = self.desired.borrow().clone();
        if self.verdict.is_none()
            && let Some(room) = desired.makes_room.as_ref().filter(|_| !desired.ends())
        {
            self.make_room(room);
        }
        self.verdict.is_some() || self.desired.borrow().ends() || self.publisher.phase().is_terminal()
    }

    /// The moment its `activeDeadlineSeconds` ends. It is not looked at while the pod waits for volumes.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let deadline = self.pod.deadline(self.publisher.started_at())?;
        let mounting = self.mounting_since.and_then(|since| since.checked_add(MOUNT).ok());
        Some(mounting.map_or(deadline, |until| deadline.max(until)))
    }
}
