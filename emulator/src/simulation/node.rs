//! The node of a simulation: kubelet, scheduler, and what they find there.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    edges::SimulatedEdges,
    labels::{self, terms},
    objects::text,
    scenario::Scenario,
};
use crate::{
    clock::Clock,
    container_config::{Node, immutable_objects::ImmutableObjects},
    controllers,
    events::Recorder,
    features::Features,
    kubelet::{Kubelet, KubeletConfig},
    runtime::scripted::{Script, ScriptedImages, ScriptedRuntime},
    scheduler::Scheduler,
    store::{Key, Resource, Store},
};

/// Its name, unless the pod names another.
const NODE: &str = "node";

/// Kubelet and scheduler, as the emulator has them.
pub(super) fn start_node(scenario: &Arc<Scenario>, store: &Store, clock: &Clock, node: &str, tasks: &mut JoinSet<()>) {
    let mut script = Script::default();
    for (name, behaviour) in &scenario.containers {
        script = script.with(name, behaviour.plays());
    }
    let runtime = ScriptedRuntime::new(script, clock.clone());
    let host_ips = vec![Ipv4Addr::new(192, 0, 2, 1).into()];
    let edges = SimulatedEdges {
        scenario: scenario.clone(),
        node: Node {
            name: node.to_owned(),
            ips: host_ips.clone(),
            store: store.clone(),
            immutable: ImmutableObjects::default(),
            logs: PathBuf::new(),
            volumes: PathBuf::new(),
        },
        clock: clock.clone(),
        runtime: runtime.clone(),
    };
    let recorder = Recorder::new(store.clone(), clock.clone(), node).unlimited();
    let kubelet = Kubelet::new(KubeletConfig {
        store: store.clone(),
        clock: clock.clone(),
        runtime: Arc::new(runtime),
        images: Arc::new(images(scenario)),
        edges: Arc::new(edges),
        recorder: recorder.clone(),
        node_name: node.to_owned(),
        host_ips,
        // A real kubelet waits up to half as long again; this is the earliest.
        stretch: 1.0,
        static_pods: None,
        features: Features::default(),
        eviction_hard: crate::kubelet::thresholds::Thresholds::default(),
        sync_frequency: None,
    });
    tasks.spawn(kubelet.run(std::future::pending()));
    let scheduler = Scheduler::new(store.clone(), clock.clone(), recorder, node);
    tasks.spawn(scheduler.run(std::future::pending()));
}

fn images(scenario: &Scenario) -> ScriptedImages {
    let lists = ["initContainers", "containers"];
    let containers = lists
        .iter()
        .filter_map(|list| scenario.pod["spec"][*list].as_array())
        .flatten();
    let mut images = ScriptedImages::default();
    for container in containers {
        let Some(behaviour) = scenario.containers.get(text(&container["name"], "")) else {
            continue;
        };
        let image = text(&container["image"], "");
        if behaviour.pull_fails {
            images = images.missing(image);
        } else if let Some(takes) = behaviour.pull {
            images = images.pulled_in(image, takes);
        }
    }
    images
}

/// The name of the node that the pod asks for, or of any.
pub(super) fn node_name(pod: &Value) -> &str {
    let fields = &terms(&pod["spec"])[0]["matchFields"];
    let mut fields = fields.as_array().into_iter().flatten();
    let wanted = fields.find(|field| field["key"] == "metadata.name" && field["operator"] == "In");
    let wanted = wanted.map_or("", |field| text(&field["values"][0], ""));
    text(&pod["spec"]["nodeName"], text_or(wanted, NODE))
}

fn text_or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

/// A node that the pod fits on: whether a real one is there is no question of the manifest. Only where the scenario says
/// what the node has, it may be too little.
pub(super) fn create_node(store: &Store, scenario: &Scenario, name: &str) {
    let spec = &scenario.pod["spec"];
    let mut room = json!({"cpu": "1000", "memory": "10Ti", "ephemeral-storage": "100Ti", "pods": "110"});
    for resource in asked_for(spec) {
        if room[resource].is_null() {
            room[resource] = "1Pi".into();
        }
    }
    for (resource, quantity) in &scenario.room {
        room[resource] = quantity.as_str().into();
    }
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": "node", "labels":
        labels::of_node(spec, name)}, "spec": {}, "status": {"allocatable": room, "capacity": room}});
    // The store is empty: nothing is in the way.
    drop(store.create(Key::new(Resource::Nodes, "", name), node));
}

/// The names of all resources that the pod asks for.
fn asked_for(spec: &Value) -> impl Iterator<Item = &String> {
    let lists = ["initContainers", "containers"];
    let containers = lists.into_iter().filter_map(|list| spec[list].as_array()).flatten();
    containers
        .chain([spec])
        .flat_map(|owner| ["requests", "limits"].map(|kind| owner["resources"][kind].as_object()))
        .flatten()
        .flat_map(|amounts| amounts.keys())
}

pub(super) fn provide_namespace(store: &Store, namespace: &str, now: Timestamp) {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
        "status": {"phase": "Active"}});
    drop(store.create(Key::new(Resource::Namespaces, "", namespace), object));
    controllers::namespaces::provide(store, namespace, "", now);
}

/// The service account and the priority class that the pod names are there: they say nothing of its life.
pub(super) fn provide_named(store: &Store, pod: &Value, namespace: &str, now: Timestamp) {
    controllers::priority_classes::ensure_built_in(store, now);
    let account = text(&pod["spec"]["serviceAccountName"], "default");
    let object = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": account, "namespace": namespace}});
    // One that is there already stays.
    drop(store.create(Key::new(Resource::ServiceAccounts, namespace, account), object));
    let class = text(&pod["spec"]["priorityClassName"], "");
    if !class.is_empty() {
        let object = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": class}, "value": 0});
        drop(store.create(Key::new(Resource::PriorityClasses, "", class), object));
    }
}
