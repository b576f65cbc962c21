//! Whole lives of pods in virtual time, against the rules of a real kubelet and what it was seen to report.

mod ending;
mod fitting;
mod image_volumes;
mod initializing;
mod probing;
mod random;
mod refreshing;
mod restarting;
mod starting;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use super::{
    Kubelet, KubeletConfig, NodeShutdown,
    edges::{Outcome, VolumeFailure},
    eviction::{StorageUsed, Volume},
    invariants::Invariants,
    start_failure::StartFailure,
    thresholds::Thresholds,
};
use crate::{
    clock::Clock,
    events::Recorder,
    features::Features,
    runtime::scripted::{Play, Script, ScriptedEdges, ScriptedImages, ScriptedRuntime, Termination},
    scheduler::Scheduler,
    store::{Change, Key, Resource, Store, StoreError},
};

/// Every version of the pod and when it came; none once it is deleted.
type Seen = Arc<std::sync::Mutex<Vec<(Duration, Option<Value>)>>>;

/// A node in virtual time, and everything that was seen of its pod `p`.
struct Life {
    store: Store,
    runtime: ScriptedRuntime,
    recorder: Recorder,
    clock: Clock,
    static_pod: Option<Value>,
    node_shutdown: Option<NodeShutdown>,
    sync_frequency: Option<Duration>,
    began: Instant,
    seen: Seen,
    invariants: Arc<std::sync::Mutex<Invariants>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Life {
    fn new(script: Script) -> Self {
        Self::with(script, ScriptedImages::default(), ScriptedEdges::default())
    }

    fn with(script: Script, images: ScriptedImages, edges: ScriptedEdges) -> Self {
        Self::beside(script, images, edges, None)
    }

    /// One with a static pod.
    fn beside(script: Script, images: ScriptedImages, edges: ScriptedEdges, static_pod: Option<Value>) -> Self {
        Self::synced_every(None, script, images, edges, static_pod)
    }

    /// One whose kubelet has a sync frequency of its own.
    fn synced_every(
        sync_frequency: Option<Duration>,
        script: Script,
        images: ScriptedImages,
        edges: ScriptedEdges,
        static_pod: Option<Value>,
    ) -> Self {
        let store = Store::in_memory();
        let clock = Clock::scripted(Timestamp::from_second(1_800_000_000).unwrap());
        let runtime = ScriptedRuntime::new(script, clock.clone());
        let node = json!({"metadata": {"name": "emulator", "uid": "n", "labels": {}}, "spec": {},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}});
        store.create(Key::new(Resource::Nodes, "", "emulator"), node).unwrap();
        let namespace = json!({"metadata": {"name": "default"}});
        store
            .create(Key::new(Resource::Namespaces, "", "default"), namespace)
            .unwrap();
        let mut life = Self {
            seen: Arc::default(),
            invariants: Arc::default(),
            began: Instant::now(),
            tasks: Vec::new(),
            clock: clock.clone(),
            static_pod,
            node_shutdown: None,
            sync_frequency,
            recorder: Recorder::new(store.clone(), clock.clone(), "emulator"),
            store,
            runtime,
        };
        life.start_kubelet(clock.clone(), images, edges);
        let recorder = life.recorder.clone();
        let scheduler = Scheduler::new(life.store.clone(), clock, recorder, "emulator");
        life.tasks.push(tokio::spawn(scheduler.run(std::future::pending())));
        life.watch();
        life
    }

    fn start_kubelet(&mut self, clock: Clock, images: ScriptedImages, edges: ScriptedEdges) {
        let kubelet = Kubelet::new(KubeletConfig {
            recorder: self.recorder.clone(),
            store: self.store.clone(),
            runtime: Arc::new(self.runtime.clone()),
            images: Arc::new(images),
            edges: Arc::new(edges),
            node_name: "emulator".into(),
            host_ips: vec![Ipv4Addr::new(192, 0, 2, 1).into()],
            stretch: 1.0,
            features: Features::default(),
            eviction_hard: Thresholds::parse("memory.available<100Mi,nodefs.available<10%").unwrap(),
            sync_frequency: self.sync_frequency,
            static_pods: self.static_pod.clone().map(|pod| {
                let (sender, pods) = mpsc::channel(1);
                sender.try_send(vec![pod]).unwrap();
                pods
            }),
            clock,
        });
        self.node_shutdown = Some(kubelet.node_shutdown());
        self.tasks.push(tokio::spawn(kubelet.run(std::future::pending())));
    }

    fn watch(&mut self) {
        let (store, seen, began) = (self.store.clone(), self.seen.clone(), self.began);
        let invariants = self.invariants.clone();
        self.tasks.push(tokio::spawn(async move {
            let mut watch = store.watch(Resource::Pods, None, 0);
            while let Ok(event) = watch.next().await {
                let is_gone = event.change == Change::Deleted;
                invariants.lock().unwrap().check(&event.object, is_gone);
                if event.key != Self::key() {
                    continue;
                }
                let object = (!is_gone).then(|| Value::clone(&event.object));
                seen.lock().unwrap().push((began.elapsed(), object));
            }
        }));
    }

    /// Creates the pod as the API would.
    async fn run(script: Script, spec: Value, seconds: u64) -> Self {
        let life = Self::new(script);
        life.create(spec);
        life.pass(seconds).await;
        life
    }

    fn create(&self, mut spec: Value) {
        for container in spec["containers"].as_array_mut().unwrap() {
            container["image"] = json!(container["image"].as_str().unwrap_or("busybox:1"));
        }
        let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": {"phase": "Pending"},
            "metadata": {"name": "p", "namespace": "default", "uid": "u-1", "generation": 1}});
        self.store.create(Self::key(), object).unwrap();
    }

    fn key() -> Key {
        Key::new(Resource::Pods, "default", "p")
    }

    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn delete(&self, grace: i64) {
        self.store
            .modify(&Self::key(), |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        if grace == 0 {
            self.store.delete(&Self::key(), None).unwrap();
        }
    }

    /// The values of a facet in order, equal neighbours once, with the second each first came.
    fn timed(&self, facet: impl Fn(&Value) -> Option<String>) -> Vec<(u64, String)> {
        let mut values: Vec<(u64, String)> = Vec::new();
        for (at, object) in self.seen.lock().unwrap().iter() {
            let value = object.as_ref().map_or(Some("<deleted>".to_owned()), &facet);
            if let Some(value) = value
                && values.last().is_none_or(|(_, last)| *last != value)
            {
                values.push((at.as_secs(), value));
            }
        }
        values
    }

    fn facet(&self, facet: impl Fn(&Value) -> Option<String>) -> Vec<String> {
        let deleted = |value: &String| value != "<deleted>";
        self.timed(facet)
            .into_iter()
            .map(|(_, value)| value)
            .filter(deleted)
            .collect()
    }

    fn phases(&self) -> Vec<String> {
        self.timed(|pod| {
            let text = |field: &str| pod["status"][field].as_str().map(str::to_owned);
            Some(text("phase")? + &text("reason").map(|reason| format!("/{reason}")).unwrap_or_default())
        })
        .into_iter()
        .map(|(_, phase)| phase)
        .collect()
    }

    fn states(&self, name: &str) -> Vec<String> {
        self.facet(|pod| state(container(pod, name)?))
    }

    fn timed_states(&self, name: &str) -> Vec<(u64, String)> {
        self.timed(|pod| state(container(pod, name)?))
    }

    fn flag(&self, name: &str, flag: &str) -> Vec<String> {
        self.facet(|pod| Some(container(pod, name)?[flag].to_string()))
    }

    fn condition(&self, kind: &str) -> Vec<String> {
        self.facet(|pod| {
            let all = pod["status"]["conditions"].as_array()?;
            let one = all.iter().find(|condition| condition["type"] == kind)?;
            let reason = one["reason"]
                .as_str()
                .map(|reason| format!("/{reason}"))
                .unwrap_or_default();
            Some(format!("{}{reason}", one["status"].as_str()?))
        })
    }

    /// The status of a condition as it stands.
    fn condition_now(&self, kind: &str) -> Option<String> {
        let last = self.last();
        let all = last["status"]["conditions"].as_array()?;
        let one = all.iter().find(|condition| condition["type"] == kind)?;
        Some(one["status"].as_str()?.to_owned())
    }

    /// Changes the spec as the API would.
    fn change(&self, change: impl Fn(&mut Value)) {
        self.store
            .modify(&Self::key(), |pod| {
                change(pod);
                pod["metadata"]["generation"] = json!(pod["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    fn last(&self) -> Value {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .rev()
            .find_map(|(_, object)| object.clone())
            .unwrap()
    }

    fn events(&self) -> Vec<String> {
        let mut events: Vec<Value> = self
            .store
            .list(Resource::Events, None)
            .0
            .iter()
            .map(|event| Value::clone(event))
            .collect();
        events.sort_by_key(|event| event["metadata"]["name"].to_string());
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        events
            .iter()
            .map(|event| {
                let path = event["involvedObject"]["fieldPath"].as_str().unwrap_or_default();
                format!("{} {path}: {}", text(event, "reason"), text(event, "message"))
            })
            .collect()
    }

    fn starts(&self, name: &str) -> Vec<u64> {
        let running = |(_, state): &(u64, String)| state == "running";
        self.timed_states(name)
            .into_iter()
            .filter(running)
            .map(|(at, _)| at)
            .collect()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if !std::thread::panicking() {
            let violations = &self.invariants.lock().unwrap().violations;
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

fn container<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    [
        "initContainerStatuses",
        "containerStatuses",
        "ephemeralContainerStatuses",
    ]
    .iter()
    .filter_map(|list| pod["status"][list].as_array())
    .flatten()
    .find(|status| status["name"] == name)
}

fn state(status: &Value) -> Option<String> {
    let (kind, body) = status["state"].as_object()?.iter().next()?;
    let reason = body["reason"].as_str().unwrap_or_default();
    Some(match kind.as_str() {
        "running" => "running".into(),
        "waiting" => format!("waiting:{reason}"),
        _ => format!("terminated:{reason}({})", body["exitCode"]),
    })
}

fn fails(after: u64, code: i32) -> Play {
    Play::ends(after, Termination::exit(code))
}

const CREATING: &str = "waiting:ContainerCreating";
const INITIALIZING: &str = "waiting:PodInitializing";
