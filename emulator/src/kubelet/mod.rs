//! The pod state machine: pure decisions with the time passed in, and the workers that carry them out.

pub mod actions;
mod admission;
mod app_armor;
pub mod backoff;
pub mod conditions;
pub mod container_status;
mod desired;
pub mod edges;
mod ending;
pub mod eviction;
mod image_pull;
mod image_volumes;
#[cfg(test)]
pub(crate) mod invariants;
mod kill;
#[cfg(test)]
mod lives;
mod memory_decrease;
mod mirror;
mod node;
mod node_shutdown;
mod observing;
pub mod phase;
pub mod pod;
pub mod pod_status;
mod preempting;
mod preemption;
pub mod pressure;
mod pressure_watch;
pub mod probe_state;
mod probers;
mod publish;
pub mod qos;
mod refreshing;
mod resize;
mod resizing;
pub mod restart;
mod restart_all;
pub mod runtime_handler;
mod seen;
mod start;
pub mod start_failure;
mod sync;
mod sysctls;
pub mod thresholds;
mod volume_sources;
mod waiting;
mod worker;

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, watch},
    task::JoinSet,
};

pub use self::node_shutdown::NodeShutdown;
use self::{
    desired::Desired,
    edges::Edges,
    node::{Node, RoomFor},
    pod::Pod,
    thresholds::Thresholds,
    volume_sources::SourceWatch,
    worker::{Calls, Worker},
};
use crate::{
    clock::Clock,
    events::Recorder,
    features::Features,
    image::Images,
    runtime::{PodRef, SharedRuntime},
    store::{Change, Key, Resource, Store},
};

/// What a kubelet is made from.
pub struct KubeletConfig {
    /// The objects.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Runs containers.
    pub runtime: SharedRuntime,
    /// Has images.
    pub images: Arc<dyn Images>,
    /// The node around the runtime.
    pub edges: Arc<dyn Edges>,
    /// Writes events.
    pub recorder: Recorder,
    /// `metadata.name` of the node object.
    pub node_name: String,
    /// The node's addresses.
    pub host_ips: Vec<IpAddr>,
    /// How many times its back-off a retry waits: a real kubelet waits 1 to 1.5 times.
    pub stretch: f64,
    /// Which features are on.
    pub features: Features,
    /// What must be left of the node's resources, or a pod makes room.
    pub eviction_hard: Thresholds,
    /// How often a pod without anything to do is synced, and the only occasion to refresh its volumes, as on a real node; the
    /// pod comes up to half as long again later. Where it is absent, volumes are refreshed when their sources change.
    pub sync_frequency: Option<Duration>,
    /// The static pods, each time they change: all of them.
    pub static_pods: Option<mpsc::Receiver<Vec<Value>>>,
}

/// The kubelet: one worker for each pod of the node.
pub struct Kubelet {
    node: Arc<Node>,
    static_pods: Option<mpsc::Receiver<Vec<Value>>>,
    /// What the volumes of pods are filled from, where they are refreshed when that changes.
    sources: Option<SourceWatch>,
    /// Pods that have to make room, by UID, and for what.
    evictions: mpsc::UnboundedReceiver<(String, RoomFor)>,
    /// What must be left of the node's resources.
    eviction_hard: Thresholds,
    workers: HashMap<String, Handle>,
    tasks: JoinSet<String>,
    /// Static pods that wait for an older one of their name to end, by name.
    waiting: HashMap<(String, String), Arc<Value>>,
}

struct Handle {
    desired: watch::Sender<Desired>,
    calls: Calls,
    /// What its volumes are filled from.
    sources: HashSet<Key>,
    namespace: String,
    name: String,
    is_static: bool,
}

impl Kubelet {
    /// A kubelet that does nothing yet.
    pub fn new(config: KubeletConfig) -> Self {
        let (make_room, evictions) = mpsc::unbounded_channel();
        let watches_sources = config.sync_frequency.is_none();
        Self {
            sources: watches_sources.then(|| SourceWatch::new(config.store.clone())),
            evictions,
            eviction_hard: config.eviction_hard,
            node: Arc::new(Node {
                store: config.store,
                clock: config.clock,
                runtime: config.runtime,
                images: config.images,
                edges: config.edges,
                recorder: config.recorder,
                name: config.node_name,
                host_ips: config.host_ips,
                stretch: config.stretch,
                features: config.features,
                resync: resync(config.sync_frequency),
                renews_in_time: watches_sources,
                make_room,
                is_shutting_down: AtomicBool::new(false),
            }),
            static_pods: config.static_pods,
            workers: HashMap::new(),
            tasks: JoinSet::new(),
            waiting: HashMap::new(),
        }
    }

    /// What ends the pods when the node goes down.
    pub fn node_shutdown(&self) -> NodeShutdown {
        NodeShutdown(self.node.clone())
    }

    /// Takes up the pods that there are, and looks after all of the node's until `shutdown`. Containers go on running.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let pressure = pressure_watch::watch(self.node.clone(), std::mem::take(&mut self.eviction_hard));
        tokio::pin!(shutdown, pressure);
        let mut runtime_events = self.node.runtime.subscribe();
        let mut version = self.take_all();
        let mut static_pods = self.static_pods.take();
        let mut sources = self.sources.take();
        if let Some(first) = &mut static_pods
            && let Some(pods) = first.recv().await
        {
            self.take_static(pods);
        }
        self.remove_orphans().await;
        loop {
            let mut pods = self.node.store.watch(Resource::Pods, None, version);
            loop {
                tokio::select! {
                    () = &mut shutdown => return,
                    event = pods.next() => match event {
                        Ok(event) => self.take(event.object, event.change == Change::Deleted),
                        Err(_) => {
                            version = self.take_all();
                            break;
                        }
                    },
                    event = runtime_events.recv() => match event {
                        Ok(event) => self.tell(&event.pod),
                        Err(RecvError::Lagged(_)) => self.workers.values().for_each(|worker| worker.calls.runtime.notify_one()),
                        // The runtime is gone only together with the process.
                        Err(RecvError::Closed) => tokio::time::sleep(Duration::from_secs(1)).await,
                    },
                    pods = receive(&mut static_pods) => self.take_static(pods),
                    changed = next_source(&mut sources) => self.refresh_volumes(changed.as_ref()),
                    () = &mut pressure => {}
                    Some((uid, room)) = self.evictions.recv() => self.make_room(&uid, room),
                    Some(done) = self.tasks.join_next() => {
                        if let Ok(uid) = done {
                            self.finished(&uid);
                        }
                    }
                }
            }
        }
    }

    /// Reads all pods; returns the version that they were read at.
    fn take_all(&mut self) -> u64 {
        let (pods, version) = self.node.store.list(Resource::Pods, None);
        let there: HashSet<String> = pods.iter().map(|pod| text(&pod["metadata"]["uid"])).collect();
        for (uid, worker) in &self.workers {
            if !worker.is_static && !there.contains(uid) {
                worker.desired.send_modify(|desired| desired.gone = true);
            }
        }
        for pod in pods {
            self.take(pod, false);
        }
        version
    }

    fn take(&mut self, object: Arc<Value>, gone: bool) {
        if object["spec"]["nodeName"] != self.node.name.as_str() {
            return;
        }
        let meta = &object["metadata"];
        if meta["annotations"]["kubernetes.io/config.mirror"].is_string() {
            let (namespace, name) = (text(&meta["namespace"]), text(&meta["name"]));
            let its = self
                .workers
                .values()
                .find(|worker| worker.is_static && worker.namespace == namespace && worker.name == name);
            match its {
                // A mirror that was deleted is made again; nobody else than its static pod's worker removes it.
                Some(worker) if gone || meta["deletionTimestamp"].is_string() => worker.calls.sync.notify_one(),
                Some(_) => {}
                None if gone => {}
                None => self.remove_stray_mirror(&namespace, &name),
            }
            return;
        }
        let uid = text(&meta["uid"]);
        match self.workers.get(&uid) {
            Some(worker) => {
                worker.desired.send_modify(|desired| {
                    desired.object = object;
                    desired.gone = gone;
                });
            }
            None if gone => {}
            None => self.start(object),
        }
    }

    fn start(&mut self, object: Arc<Value>) {
        let Ok(pod) = Pod::read(&object) else {
            // Admission lets no such object through.
            return;
        };
        let (desired, wanted) = watch::channel(Desired {
            object,
            gone: false,
            makes_room: None,
        });
        let calls = Calls::default();
        let uid = pod.uid.clone();
        self.workers.insert(
            uid.clone(),
            Handle {
                desired,
                calls: calls.clone(),
                sources: volume_sources::of(&pod),
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                is_static: pod.is_static,
            },
        );
        let worker = Worker::new(self.node.clone(), wanted, calls, pod);
        self.tasks.spawn(async move {
            worker.run().await;
            uid
        });
    }

    /// Has a pod make room.
    fn make_room(&self, uid: &str, room: RoomFor) {
        if let Some(worker) = self.workers.get(uid) {
            worker.desired.send_modify(|desired| desired.makes_room = Some(room));
        }
    }

    /// Takes over the static pods that there are now.
    fn take_static(&mut self, pods: Vec<Value>) {
        let wanted: HashMap<String, Arc<Value>> = pods
            .into_iter()
            .map(|pod| (text(&pod["metadata"]["uid"]), Arc::new(pod)))
            .collect();
        for (uid, worker) in &self.workers {
            if worker.is_static && !wanted.contains_key(uid) {
                worker.desired.send_modify(|desired| desired.gone = true);
            }
        }
        self.waiting.clear();
        for (uid, pod) in wanted {
            if self.workers.contains_key(&uid) {
                continue;
            }
            let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
            let older = self
                .workers
                .values()
                .any(|worker| worker.is_static && worker.namespace == namespace && worker.name == name);
            if older {
                self.waiting.insert((namespace, name), pod);
            } else {
                self.start(pod);
            }
        }
    }

    fn finished(&mut self, uid: &str) {
        let Some(worker) = self.workers.remove(uid) else { return };
        if let Some(next) = self.waiting.remove(&(worker.namespace, worker.name)) {
            self.start(next);
        }
    }

    fn remove_stray_mirror(&self, namespace: &str, name: &str) {
        // Its static pod's file went away while no kubelet ran.
        let key = Key::new(Resource::Pods, namespace, name);
        drop(self.node.store.delete(&key, None));
    }

    fn tell(&self, pod: &PodRef) {
        if let Some(worker) = self.workers.get(&pod.uid) {
            worker.calls.runtime.notify_one();
        }
    }

    /// Has the volumes refreshed that are filled from an object, or all.
    fn refresh_volumes(&self, changed: Option<&Key>) {
        for worker in self.workers.values() {
            if changed.is_none_or(|changed| worker.sources.contains(changed)) {
                worker.calls.volumes.notify_one();
            }
        }
    }

    /// Removes what the runtime has of pods that are gone.
    async fn remove_orphans(&self) {
        let Ok(pods) = self.node.runtime.pods().await else {
            return;
        };
        for (pod, status) in pods {
            if self.workers.contains_key(&pod.uid) {
                continue;
            }
            for sandbox in &status.sandboxes {
                // What can't be removed now is tried again at the next start.
                drop(self.node.runtime.stop_sandbox(&sandbox.id).await);
                drop(self.node.runtime.remove_sandbox(&sandbox.id).await);
            }
            self.node.edges.tear_down(&pod).await;
            self.node.edges.forget(&pod).await;
        }
    }
}

/// Returns how long a pod without anything to do waits for its next sync: a real kubelet waits 1 to 1.5 times its frequency
/// (`pkg/kubelet/pod_workers.go`, `workerResyncIntervalJitterFactor`), of a minute as it is shipped.
fn resync(frequency: Option<Duration>) -> Duration {
    frequency.unwrap_or(Duration::from_secs(60)).mul_f64(1.25)
}

async fn next_source(sources: &mut Option<SourceWatch>) -> Option<Key> {
    match sources {
        Some(sources) => sources.next().await,
        None => std::future::pending().await,
    }
}

async fn receive(pods: &mut Option<mpsc::Receiver<Vec<Value>>>) -> Vec<Value> {
    if let Some(receiver) = pods
        && let Some(all) = receiver.recv().await
    {
        return all;
    }
    std::future::pending().await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
