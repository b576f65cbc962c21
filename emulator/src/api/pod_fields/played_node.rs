//! API server, scheduler and kubelet as the emulator has them, with its own volumes and configurations of containers;
//! only what runs is played, in virtual time.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    api::{Api, metrics},
    clock::Clock,
    container_config::{Node, files, immutable_objects::ImmutableObjects},
    controllers::{namespaces, priority_classes},
    events::Recorder,
    features::Features,
    kubelet::{Kubelet, KubeletConfig},
    node_edges::NodeEdges,
    runtime::scripted::{Script, ScriptedImages, ScriptedRuntime},
    scheduler::Scheduler,
    store::{Key, Resource, Store},
    tokens::Signer,
    volumes::Volumes,
};

const NODE: &str = "emulator";

/// What the server answers.
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) body: Value,
    pub(super) warnings: Vec<String>,
}

/// What was seen of the pods.
pub(super) struct Seen {
    /// Every version of every pod.
    pub(super) pods: Vec<Value>,
    /// All that is told of them: the messages of events, of conditions and of containers' states.
    pub(super) said: BTreeSet<String>,
}

/// A cluster of one node, which runs once it is looked at.
pub(super) struct PlayedNode {
    api: Arc<Api>,
    node: Node,
    runtime: ScriptedRuntime,
    tasks: Mutex<JoinSet<()>>,
    _folder: tempfile::TempDir,
}

impl PlayedNode {
    /// Whose containers do what the script says.
    pub(super) fn new(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scripted(Timestamp::from_second(1_800_000_000).unwrap());
        let store = Store::in_memory();
        namespaces::ensure_built_in(&store, clock.now());
        namespaces::provide(&store, "default", "", clock.now());
        priority_classes::ensure_built_in(&store, clock.now());
        let room = json!({"cpu": "2", "memory": "1Gi", "ephemeral-storage": "1Gi", "pods": "10"});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "uid": "n", "labels":
            {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}}, "spec": {},
            "status": {"allocatable": room, "capacity": room}});
        store.create(Key::new(Resource::Nodes, "", NODE), node).unwrap();
        let class = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "usual"},
            "handler": "runc", "overhead": {"podFixed": {"cpu": "10m"}}});
        store
            .create(Key::new(Resource::RuntimeClasses, "", "usual"), class)
            .unwrap();
        let runtime = ScriptedRuntime::new(script, clock.clone());
        Self {
            node: Node {
                name: NODE.to_owned(),
                ips: vec![Ipv4Addr::new(192, 0, 2, 1).into()],
                store: store.clone(),
                immutable: ImmutableObjects::default(),
                logs: folder.path().join("pods"),
                volumes: folder.path().join("volumes"),
            },
            api: Arc::new(Api {
                store,
                clock,
                runtime: Arc::new(runtime.clone()),
                signer: Arc::new(Signer::load_or_create(&folder.path().join("key")).unwrap()),
                features: Features::default(),
                meter: metrics::Meter::default(),
            }),
            runtime,
            tasks: Mutex::default(),
            _folder: folder,
        }
    }

    /// What the administrator gets.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let content_type = match method {
            "PATCH" => "application/strategic-merge-patch+json",
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, content_type)
            .body(if body.is_null() {
                Body::empty()
            } else {
                Body::from(body.to_string())
            });
        let response = self.api.answer(request.unwrap(), true).await;
        let warnings = response.headers().get_all(header::WARNING).iter();
        let warnings = warnings
            .map(|value| {
                let text = value.to_str().unwrap().strip_prefix("299 - \"").unwrap();
                text.strip_suffix('"').unwrap().replace("\\\"", "\"")
            })
            .collect();
        let code = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer {
            code,
            body: serde_json::from_slice(&bytes).unwrap(),
            warnings,
        }
    }

    /// Lets so many seconds pass.
    pub(super) async fn live(&self, seconds: u64) -> Seen {
        let mut watch = self.api.store.watch(Resource::Pods, None, self.api.store.version());
        self.start();
        // What happened while the last request was answered is seen too.
        let mut pods: Vec<Value> = Vec::new();
        for pod in self.api.store.list(Resource::Pods, None).0 {
            pods.push(Value::clone(&pod));
        }
        let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
        while let Ok(Ok(event)) = tokio::time::timeout_at(end, watch.next()).await {
            pods.push(Value::clone(&event.object));
        }
        let mut said = BTreeSet::new();
        for event in self.api.store.list(Resource::Events, None).0 {
            said.extend(event["message"].as_str().map(str::to_owned));
        }
        for pod in &pods {
            collect_messages(&pod["status"], &mut said);
        }
        Seen { pods, said }
    }

    /// Has the first instance of a container of the one pod leave a message.
    pub(super) fn write_last_words(&self, container: &str, words: &str) {
        let pod = self.api.store.get(&Key::new(Resource::Pods, "default", "p")).unwrap();
        let uid = pod["metadata"]["uid"].as_str().unwrap();
        for attempt in 0..3 {
            let path: PathBuf = files::termination_log(&self.node, uid, container, attempt);
            if path.exists() {
                std::fs::write(path, words).unwrap();
            }
        }
    }

    /// Scheduler and kubelet, once.
    fn start(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if !tasks.is_empty() {
            return;
        }
        let (store, clock) = (self.api.store.clone(), self.api.clock.clone());
        let recorder = Recorder::new(store.clone(), clock.clone(), NODE).unlimited();
        let volumes = Volumes::unshared(self.node.clone(), clock.clone(), self.api.signer.clone());
        let kubelet = Kubelet::new(KubeletConfig {
            store: store.clone(),
            clock: clock.clone(),
            runtime: Arc::new(self.runtime.clone()),
            images: Arc::new(ScriptedImages::default()),
            edges: Arc::new(NodeEdges::new(
                self.node.clone(),
                Arc::new(self.runtime.clone()),
                volumes,
            )),
            recorder: recorder.clone(),
            node_name: NODE.to_owned(),
            host_ips: self.node.ips.clone(),
            stretch: 1.0,
            static_pods: None,
            features: Features::default(),
            eviction_hard: crate::kubelet::thresholds::Thresholds::default(),
            sync_frequency: None,
        });
        tasks.spawn(kubelet.run(std::future::pending()));
        tasks.spawn(Scheduler::new(store, clock, recorder, NODE).run(std::future::pending()));
    }
}

fn collect_messages(value: &Value, said: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            said.extend(fields.get("message").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|inner| collect_messages(inner, said));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_messages(inner, said)),
        _ => {}
    }
}
