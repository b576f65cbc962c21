//! The worker of one pod: it decides when to sync, and leads the pod through its life.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::Value;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    backoff::Backoff,
    container_status::Sources,
    edges::VolumePaths,
    eviction,
    image_pull::Pulls,
    node::{Node, RoomFor},
    phase::Phase,
    pod::{Declared, Pod},
    pod_status::{Computed, Life, Verdict, compute, started},
    preemption,
    probe_state::{Finding, ProbeKind, Results, Target},
    probers::{Probers, View},
    publish::Publisher,
    resize::Resizes,
    restart::is_to_start,
    restart_all,
    seen::Seen,
    start_failure::StartFailures,
};
use crate::{
    events::EventType,
    host_ports::HostPorts,
    runtime::{ContainerId, ContainerState, PodStatus as RuntimeStatus, RuntimeError},
};

/// As long as a sync waits for volumes (`podAttachAndMountTimeout` of the kubelet).
pub(super) const MOUNT: SignedDuration = SignedDuration::from_secs(123);

/// A pod without anything to do is looked at again after this time.
const RESYNC: Duration = Duration::from_secs(75);

/// As long as a pod's processes take to end after the one that holds their PID namespace.
const FALL: Duration = Duration::from_millis(100);

/// A resize that waits for others to go is asked for again after this time.
const RETRY_RESIZE: Duration = Duration::from_secs(1);

/// What a full disk did not take is written again after this time.
pub(super) const REWRITE: Duration = Duration::from_secs(1);

/// The pod as it is wanted.
#[derive(Clone, Debug)]
pub(super) struct Desired {
    /// The object, or as it last was.
    pub(super) object: Arc<Value>,
    /// The object no longer exists.
    pub(super) gone: bool,
    /// It has to make room, and for what.
    pub(super) makes_room: Option<RoomFor>,
}

impl Desired {
    /// Whether the pod is to be ended.
    pub(super) fn ends(&self) -> bool {
        self.gone || self.is_deleted()
    }

    /// Whether its object is on its way out.
    fn is_deleted(&self) -> bool {
        self.object["metadata"]["deletionTimestamp"].is_string()
    }

    /// Whether nobody can see any more how it ends.
    pub(super) fn is_abandoned(&self) -> bool {
        self.gone && !self.is_static()
    }

    fn is_static(&self) -> bool {
        self.object["metadata"]["annotations"]["kubernetes.io/config.source"] == "file"
    }

    /// The grace period that its deletion gives.
    pub(super) fn grace(&self) -> Option<i64> {
        let asked = self.object["metadata"]["deletionGracePeriodSeconds"].as_i64();
        // A static pod's file can be gone without any deletion; then the pod's own grace period counts.
        asked.or(if self.is_abandoned() { Some(0) } else { None })
    }
}

/// What asks a worker to look again.
#[derive(Clone, Default)]
pub(super) struct Calls {
    /// The runtime has news of the pod.
    pub(super) runtime: Arc<Notify>,
    /// A probe has, or something else that needs a sync.
    pub(super) sync: Arc<Notify>,
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
    calls: Calls,
    pub(super) pod: Arc<Pod>,
    pub(super) publisher: Publisher,
    pub(super) probers: Option<Probers>,
    pub(super) failures: StartFailures,
    pub(super) crashes: Backoff,
    pub(super) pulls: Pulls,
    pub(super) volumes: Option<VolumePaths>,
    pub(super) volume_failures: u32,
    /// Since when the pod's volumes are waited for.
    pub(super) mounting_since: Option<Timestamp>,
    /// What each running container was made from, as far as it can change.
    pub(super) made_from: HashMap<ContainerId, MadeFrom>,
    /// Started last in the sync before: its running is shown, however short it was.
    pub(super) fresh: Option<ContainerId>,
    messages: BTreeMap<ContainerId, String>,
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
                Synced::Done { more } => self.pause(self.at_most(RESYNC), more).await,
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

    /// How long to wait: less where the status is not on the disk yet.
    fn at_most(&self, wait: Duration) -> Duration {
        if self.publisher.is_owing() {
            wait.min(REWRITE)
        } else {
            wait
        }
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
    fn deadline(&self) -> Option<Timestamp> {
        let deadline = self.pod.deadline(self.publisher.started_at())?;
        let mounting = self.mounting_since.and_then(|since| since.checked_add(MOUNT).ok());
        Some(mounting.map_or(deadline, |until| deadline.max(until)))
    }

    /// Asks the runtime about the pod.
    pub(super) async fn observe(&mut self) -> Result<Seen, RuntimeError> {
        let status = self.node.runtime.pod_status(&self.pod.reference()).await?;
        for ended in status
            .containers
            .iter()
            .filter(|status| status.state == ContainerState::Exited)
        {
            if !self.messages.contains_key(&ended.id)
                && let Some(declared) = self.pod.container(&ended.name)
            {
                let left = self.node.edges.termination_message(&self.pod, declared, ended).await;
                let both = [ended.message.as_str(), left.as_str()];
                let said: Vec<&str> = both.into_iter().filter(|message| !message.is_empty()).collect();
                self.messages.insert(ended.id.clone(), said.join(": "));
            }
        }
        self.messages
            .retain(|id, _| status.containers.iter().any(|status| status.id == *id));
        self.made_from
            .retain(|id, _| status.containers.iter().any(|status| status.id == *id));
        Ok(Seen {
            status,
            messages: self.messages.clone(),
        })
    }

    /// Shows a container that was started last as running once, even if it has ended already; whether it had.
    pub(super) fn show_fresh(&mut self, seen: &mut Seen) -> bool {
        let Some(fresh) = self.fresh.take() else { return false };
        let started = seen.status.containers.iter_mut().find(|status| status.id == fresh);
        let Some(started) = started.filter(|started| started.state == ContainerState::Exited) else {
            return false;
        };
        started.state = ContainerState::Running;
        started.finished_at = None;
        true
    }

    /// Computes the status, writes it where it has changed, and shows the probers the pod.
    pub(super) fn publish(&mut self, seen: &Seen, life: Life) -> Phase {
        let computed = self.compute(seen, life);
        self.publisher.publish(&self.node, &self.pod, &computed);
        if let Some(probers) = &self.probers {
            probers.show(self.view(seen, life));
            for declared in self
                .pod
                .containers
                .iter()
                .filter(|declared| declared.container.readiness_probe.is_some())
            {
                let status = computed.statuses().of(declared.name());
                if status.is_some_and(|status| status.started == Some(true) && !status.ready) {
                    probers.trigger_readiness(declared.name());
                }
            }
        }
        computed.phase
    }

    fn compute(&self, seen: &Seen, life: Life) -> Computed {
        let sources = Sources {
            pod: &self.pod,
            seen,
            previous: self.publisher.published(),
            failures: &self.failures,
            results: &self.results(),
            features: &self.node.features,
            resize: &self.resizes.conditions(),
            was_initialized: self.was_initialized,
            runtime: self.node.runtime.name().0,
        };
        compute(&sources, self.verdict.as_ref(), life, &self.node.host_ips)
    }

    pub(super) fn results(&self) -> Results {
        self.probers.as_ref().map(Probers::results).unwrap_or_default()
    }

    fn view(&self, seen: &Seen, life: Life) -> View {
        let targets = self.pod.containers.iter().filter_map(|declared| {
            let newest = seen.newest(declared.name())?;
            let ended = newest.state == ContainerState::Exited;
            let target = Target {
                id: newest.id.clone(),
                running_since: newest.started_at.filter(|_| newest.state == ContainerState::Running),
                over: ended && !is_to_start(&self.pod, declared, Some(newest)) && !restart_all::could(&self.pod),
                started: started(self.publisher.published(), &self.pod, declared.name()),
            };
            Some((declared.name().to_owned(), target))
        });
        View {
            pod: self.pod.clone(),
            targets: targets.collect(),
            ending: life > Life::Running || self.is_ending,
            ip: match seen.sandbox() {
                Some(_) if self.pod.host_network() => self.node.host_ips.first().copied(),
                sandbox => sandbox.and_then(|sandbox| sandbox.ips.first().copied()),
            },
        }
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

    /// Waits for a reason to sync again, at most `wait`. With `more` there is one already.
    async fn pause(&mut self, wait: Duration, more: bool) {
        if more || self.runtime_has_changed().await {
            self.take_update();
            return;
        }
        let mut wake = Instant::now() + wait;
        let mut at_deadline = None;
        if let Some(deadline) = self.deadline() {
            let left = deadline.duration_since(self.node.clock.now());
            at_deadline = Some(Instant::now() + Duration::try_from(left).unwrap_or_default());
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
            // Volumes of the downward API show labels and annotations.
            self.volumes = None;
        }
        let gates = self
            .publisher
            .take_conditions(&self.pod, &desired.object["status"]["conditions"]);
        spec_changed || meta_changed || gates
    }
}
