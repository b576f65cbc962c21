//! Watches what is left of the node's resources: tells it on the node, and has one pod after the other make room.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    node::{Node, RoomFor},
    pod::Pod,
    preemption::is_critical,
    pressure::{self, Conditions, Pressure, Starved, Used},
    thresholds::Thresholds,
};
use crate::{
    controllers::node::set_pressure,
    events::EventType,
    store::{Key, Resource},
};

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(10);

/// How long a pod that makes room is waited for, and how often it is looked whether it has gone.
const CLEANUP: (u32, Duration) = (30, Duration::from_secs(1));

/// Watches; never ends.
pub(super) async fn watch(node: Arc<Node>, thresholds: Thresholds) {
    for pressure in [Pressure::MemoryPressure, Pressure::DiskPressure] {
        // What an earlier kubelet has told.
        set_pressure(&node.store, &node.name, pressure, false, node.clock.now());
    }
    if thresholds.is_empty() {
        return std::future::pending().await;
    }
    let mut conditions = Conditions::default();
    let mut told: Vec<Pressure> = Vec::new();
    loop {
        let observed = node.edges.observe_node().await;
        let now = conditions.update(&thresholds, &observed, node.clock.now());
        if now != told {
            tell(&node, &told, &now);
            told = now;
        }
        let evicted = match pressure::starved(&thresholds, &observed) {
            Some(starved) => evict_one(&node, &starved).await,
            None => None,
        };
        match evicted {
            Some(key) => wait_until_over(&node, &key).await,
            None => tokio::time::sleep(PERIOD).await,
        }
    }
}

fn tell(node: &Node, before: &[Pressure], now: &[Pressure]) {
    for pressure in [Pressure::MemoryPressure, Pressure::DiskPressure] {
        let holds = now.contains(&pressure);
        if holds == before.contains(&pressure) {
            continue;
        }
        set_pressure(&node.store, &node.name, pressure, holds, node.clock.now());
        let reason = match (pressure, holds) {
            (Pressure::MemoryPressure, true) => "NodeHasInsufficientMemory",
            (Pressure::MemoryPressure, false) => "NodeHasSufficientMemory",
            (Pressure::DiskPressure, true) => "NodeHasDiskPressure",
            (Pressure::DiskPressure, false) => "NodeHasNoDiskPressure",
        };
        let message = format!("Node {} status is now: {reason}", node.name);
        node.own_event(EventType::Normal, reason, &message);
    }
}

/// Has the first pod that may go make room; which one.
async fn evict_one(node: &Node, starved: &Starved) -> Option<Key> {
    let message = format!("Attempting to reclaim {}", starved.resource());
    node.own_event(EventType::Warning, "EvictionThresholdMet", &message);
    let mut used: Vec<(Pod, Used)> = Vec::new();
    for object in node.store.list(Resource::Pods, None).0 {
        let may_go = object["spec"]["nodeName"] == node.name.as_str() && !is_over(&object) && !is_critical(&object);
        let Some(pod) = may_go.then(|| Pod::read(&object).ok()).flatten() else {
            continue;
        };
        let status = node.runtime.pod_status(&pod.reference()).await.unwrap_or_default();
        let storage = node.edges.storage(&pod, &status).await;
        let memory = node.edges.memory(&status).await;
        used.push((pod, Used { memory, storage }));
    }
    let ranked = pressure::rank(starved, used.iter().map(|(pod, used)| (pod, used)).collect());
    let (pod, used) = ranked.first()?;
    let order = RoomFor::Node(pressure::message(starved, pod, used));
    // Without a receiver the node itself is going down.
    drop(node.make_room.send((pod.uid.clone(), order)));
    Some(Key::new(Resource::Pods, &pod.namespace, &pod.name))
}

fn is_over(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

async fn wait_until_over(node: &Node, key: &Key) {
    let (times, pause) = CLEANUP;
    for _ in 0..times {
        tokio::time::sleep(pause).await;
        if node.store.get(key).is_none_or(|pod| is_over(&pod)) {
            return;
        }
    }
}
