//! Watches: single ones, and the watchers that informers are made of.

use std::pin::pin;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, PostParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use serde_json::json;

use crate::{World, pod};

fn map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": {"kind": "test"}}})).unwrap()
}

#[tokio::test]
async fn a_watch_tells_of_a_whole_life() {
    let world = World::new().await;
    let pods = world.pods();
    let mut events = pin!(pods.watch(&WatchParams::default(), "0").await.unwrap());
    pods.create(&PostParams::default(), &pod("short", "true"))
        .await
        .unwrap();
    let mut phases: Vec<String> = Vec::new();
    let mut deleted = false;
    while let Some(event) = events.try_next().await.unwrap() {
        match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                let status = pod.status.unwrap();
                let phase = status.phase.unwrap();
                let restarts = status
                    .container_statuses
                    .unwrap_or_default()
                    .first()
                    .map_or(0, |c| c.restart_count);
                if phases.last() != Some(&phase) {
                    phases.push(phase);
                }
                if restarts > 0 && !deleted {
                    pods.delete("short", &DeleteParams::default()).await.unwrap();
                    deleted = true;
                }
            }
            WatchEvent::Deleted(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(phases.first().map(String::as_str), Some("Pending"));
    assert!(phases.iter().any(|phase| phase == "Running"), "{phases:?}");
}

async fn watcher_sees(config: watcher::Config) {
    let world = World::new().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(world.client.clone());
    for name in ["a", "b", "c"] {
        maps.create(&PostParams::default(), &map(name)).await.unwrap();
    }
    let mut events = watcher::watcher(maps.clone(), config.labels("kind=test")).boxed();
    let mut initial = Vec::new();
    loop {
        match events.try_next().await.unwrap().unwrap() {
            Event::Init => {}
            Event::InitApply(map) => initial.push(map.metadata.name.unwrap()),
            Event::InitDone => break,
            other => panic!("{other:?}"),
        }
    }
    initial.sort();
    assert_eq!(initial, ["a", "b", "c"]);
    maps.delete("b", &DeleteParams::default()).await.unwrap();
    maps.create(&PostParams::default(), &map("d")).await.unwrap();
    let Event::Delete(gone) = events.try_next().await.unwrap().unwrap() else {
        panic!("no deletion")
    };
    assert_eq!(gone.metadata.name.as_deref(), Some("b"));
    let Event::Apply(new) = events.try_next().await.unwrap().unwrap() else {
        panic!("nothing new")
    };
    assert_eq!(new.metadata.name.as_deref(), Some("d"));
}

#[tokio::test]
async fn a_watcher_lists_in_pages_and_then_watches() {
    watcher_sees(watcher::Config::default().page_size(2)).await;
}

#[tokio::test]
async fn a_watcher_may_have_the_list_streamed() {
    watcher_sees(watcher::Config::default().streaming_lists()).await;
}

#[tokio::test]
async fn a_watcher_of_metadata_sees_no_more() {
    let world = World::new().await;
    let pods = world.pods();
    pods.create(&PostParams::default(), &pod("one", "read end"))
        .await
        .unwrap();
    let metadata: Api<PartialObjectMeta<Pod>> = Api::default_namespaced(world.client.clone());
    let mut events = watcher::watcher(metadata, watcher::Config::default().streaming_lists()).boxed();
    let mut seen = Vec::new();
    loop {
        match events.try_next().await.unwrap().unwrap() {
            Event::InitApply(pod) => seen.push(pod.metadata.name.unwrap()),
            Event::InitDone => break,
            _ => {}
        }
    }
    assert_eq!(seen, ["one"]);
}
