//! What the node has room for: refusals, resizes, evictions.

use serde_json::json;

use super::*;
use crate::kubelet::pressure::{Amount, Observations};

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_for_more_than_the_node_has_is_refused_where_it_skips_the_scheduler() {
    let life = Life::new(Script::default());
    life.create(
        json!({"nodeName": "emulator", "containers": [{"name": "app", "resources": {"requests": {"cpu": "5"}}}]}),
    );
    life.pass(1).await;
    assert_eq!(life.phases(), ["Pending", "Failed/OutOfcpu"]);
    assert_eq!(
        life.last()["status"]["message"],
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000"
    );
    let told = |field: &str| !life.last()["status"][field].is_null();
    assert!(!told("containerStatuses") && !told("conditions"));
}

#[tokio::test(start_paused = true)]
async fn limits_change_in_place_unless_their_policy_is_a_restart() {
    for (policy, restarts, events) in [("NotRequired", vec!["0"], 0), ("RestartContainer", vec!["0", "1"], 1)] {
        let spec = json!({"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}},
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": policy}]}]});
        let life = Life::run(Script::default(), spec, 3).await;
        life.store
            .modify(&Life::key(), |pod| {
                pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("2");
                pod["metadata"]["generation"] = json!(2);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        life.pass(3).await;
        assert_eq!(life.flag("app", "restartCount"), restarts);
        let message = "Killing spec.containers{app}: Container app resize requires restart";
        assert_eq!(life.events().iter().filter(|event| *event == message).count(), events);
        assert_eq!(
            life.last()["status"]["containerStatuses"][0]["allocatedResources"]["cpu"],
            "2"
        );
    }
}

fn asks_for(life: &Life, cpu: &str) {
    life.change(|pod| pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!(cpu));
}

fn has(life: &Life) -> Value {
    life.last()["status"]["containerStatuses"][0]["allocatedResources"]["cpu"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_resize_is_told_while_it_goes_on_and_when_it_is_done() {
    let spec = json!({"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]});
    let life = Life::run(Script::default(), spec, 3).await;
    asks_for(&life, "2");
    life.pass(3).await;
    assert_eq!(life.condition("PodResizeInProgress"), ["True"]);
    assert_eq!(life.condition_now("PodResizeInProgress"), None);
    assert_eq!(has(&life), "2");
    let asked = r#"{"containers":[{"name":"app","resources":{"requests":{"cpu":"2"}}}],"generation":2}"#;
    let events = life.events();
    assert!(events.contains(&format!("ResizeStarted : Pod resize started: {asked}")));
    assert!(events.contains(&format!("ResizeCompleted : Pod resize completed: {asked}")));
}

#[tokio::test(start_paused = true)]
async fn a_resize_does_not_take_memory_away_that_is_in_use() {
    let edges = ScriptedEdges::default().memory("app", 50_000_000);
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    let limited = |limit: &str| json!({"limits": {"memory": limit}, "requests": {"memory": "1M"}});
    life.create(json!({"containers": [{"name": "app", "resources": limited("90M")}]}));
    life.pass(3).await;
    life.change(|pod| pod["spec"]["containers"][0]["resources"] = limited("40M"));
    life.pass(13).await;
    assert_eq!(life.condition("PodResizeInProgress"), ["True", "True/Error"]);
    let why = "cannot decrease memory limits: [attempting to set pod memory limit (40000000) below current usage (50000000), \
        attempting to set container \"app\" memory limit (40000000) below current usage (50000000)]";
    let conditions = life.last()["status"]["conditions"].clone();
    assert_eq!(conditions[0]["message"], why);
    assert!(
        life.events()
            .iter()
            .any(|event| event.starts_with("ResizeError : Pod resize error: "))
    );
    life.change(|pod| pod["spec"]["containers"][0]["resources"] = limited("60M"));
    life.pass(3).await;
    assert_eq!(life.condition_now("PodResizeInProgress"), None);
}

#[tokio::test(start_paused = true)]
async fn a_resize_beyond_the_node_is_infeasible_and_changes_nothing_else() {
    let spec = json!({"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]});
    let life = Life::run(Script::default(), spec, 3).await;
    asks_for(&life, "5");
    life.pass(3).await;
    assert_eq!(life.condition("PodResizePending"), ["True/Infeasible"]);
    assert_eq!(has(&life), "1");
    assert_eq!(life.flag("app", "restartCount"), ["0"]);
    let why = "Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000";
    assert_eq!(life.last()["status"]["conditions"][0]["message"], why);
    let told: Vec<String> = life
        .events()
        .into_iter()
        .filter(|event| event.starts_with("ResizeInfeasible"))
        .collect();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("ResizeInfeasible : Pod resize Infeasible: {"),
        "{told:?}"
    );
    asks_for(&life, "1");
    life.pass(1).await;
    assert_eq!(life.condition_now("PodResizePending"), None);
}

#[tokio::test(start_paused = true)]
async fn a_resize_that_others_leave_no_room_for_waits_until_they_go() {
    let spec = json!({"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]});
    let life = Life::run(Script::default(), spec, 3).await;
    let other = Key::new(Resource::Pods, "default", "other");
    let object = json!({"metadata": {"name": "other", "namespace": "default", "uid": "u-2"},
        "status": {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}]},
        "spec": {"nodeName": "emulator", "containers": [{"name": "a", "resources": {"requests": {"cpu": "2"}}}]}});
    life.store.create(other.clone(), object).unwrap();
    life.pass(2).await;
    asks_for(&life, "3");
    life.pass(5).await;
    assert_eq!(life.condition("PodResizePending"), ["True/Deferred"]);
    assert_eq!(
        life.last()["status"]["conditions"][0]["message"],
        "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000"
    );
    life.store.delete(&other, None).unwrap();
    life.pass(5).await;
    assert_eq!(life.condition_now("PodResizePending"), None);
    assert_eq!(has(&life), "3");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_fills_a_volume_beyond_its_limit_is_evicted() {
    let used = StorageUsed {
        volumes: [(
            "v".to_owned(),
            Volume {
                bytes: 2 << 20,
                in_memory: false,
            },
        )]
        .into(),
        ..StorageUsed::default()
    };
    let edges = ScriptedEdges::default().storage(15, used);
    let life = Life::with(
        Script::default().with("app", [Play::stubborn()]),
        ScriptedImages::default(),
        edges,
    );
    life.create(json!({"containers": [{"name": "app"}], "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]}));
    life.pass(30).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Failed/Evicted"]);
    let message = "Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". ";
    assert_eq!(life.last()["status"]["message"], message);
    assert!(life.events().contains(&format!("Evicted : {message}")));
    assert_eq!(
        life.timed_states("app").last().unwrap(),
        &(22, "terminated:Error(137)".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_sets_what_is_not_its_own_is_refused() {
    let life = Life::run(
        Script::default(),
        json!({"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "9"}]}, "containers": [{"name": "app"}]}),
        2,
    )
    .await;
    assert_eq!(life.phases(), ["Pending", "Failed/SysctlForbidden"]);
    let message = "forbidden sysctl: \"net.core.somaxconn\" not allowlisted";
    assert_eq!(life.last()["status"]["message"], format!("Pod was rejected: {message}"));
    assert!(life.events().contains(&format!("SysctlForbidden : {message}")));
}

#[tokio::test(start_paused = true)]
async fn a_pod_as_a_whole_is_resized_too() {
    let spec = json!({"resources": {"requests": {"cpu": "1"}}, "containers": [{"name": "app"}]});
    let life = Life::run(Script::default(), spec, 3).await;
    life.change(|pod| pod["spec"]["resources"]["requests"]["cpu"] = json!("2"));
    life.pass(3).await;
    assert_eq!(life.condition("PodResizeInProgress"), ["True"]);
    assert_eq!(life.condition_now("PodResizeInProgress"), None);
    assert_eq!(life.last()["status"]["allocatedResources"]["cpu"], "2");
}

fn other(priority: i64, cpu: &str) -> Value {
    json!({"metadata": {"name": "other", "namespace": "default", "uid": "u-2", "generation": 1}, "status": {"phase": "Pending"},
        "spec": {"priority": priority, "containers": [{"name": "a", "image": "i", "resources": {"requests": {"cpu": cpu}}}]}})
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_a_higher_priority_takes_the_place_of_another() {
    let life = Life::new(Script::default());
    let key = Key::new(Resource::Pods, "default", "other");
    life.store.create(key.clone(), other(1, "3")).unwrap();
    life.pass(3).await;
    let mut versions = life.store.watch(Resource::Pods, None, life.store.version());
    life.create(json!({"priority": 10, "containers": [{"name": "app", "resources": {"requests": {"cpu": "2"}}}]}));
    life.pass(5).await;
    assert_eq!(life.condition("PodScheduled"), ["False/Unschedulable", "True"]);
    assert_eq!(life.phases(), ["Pending", "Running"]);
    assert_eq!(
        life.facet(|pod| Some(pod["status"]["nominatedNodeName"].to_string())),
        ["null", "\"emulator\"", "null"]
    );
    assert!(life.store.get(&key).is_none());
    let mut conditions = Vec::new();
    while let Ok(Ok(event)) = tokio::time::timeout(Duration::ZERO, versions.next()).await {
        if event.key == key {
            conditions.push(event.object["status"]["conditions"][0].clone());
        }
    }
    assert!(
        conditions
            .iter()
            .any(|condition| condition["type"] == "DisruptionTarget")
    );
    let events = life.events();
    assert!(events.contains(&"FailedScheduling : 0/1 nodes are available: 1 Insufficient cpu.".to_owned()));
    assert!(events.contains(&"Preempted : Preempted by pod u-1 on node emulator".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_node_makes_room_for_a_critical_pod() {
    let life = Life::new(Script::default());
    let key = Key::new(Resource::Pods, "default", "other");
    life.store.create(key.clone(), other(1, "3")).unwrap();
    life.pass(3).await;
    life.create(json!({"nodeName": "emulator", "priority": 2_000_000_000,
        "containers": [{"name": "app", "resources": {"requests": {"cpu": "2"}}}]}));
    life.pass(5).await;
    assert_eq!(life.phases(), ["Pending", "Running"]);
    let status = life.store.get(&key).unwrap()["status"].clone();
    assert_eq!(
        (&status["phase"], &status["reason"]),
        (&json!("Failed"), &json!("Preempting"))
    );
    assert_eq!(status["message"], "Preempted in order to admit critical pod");
    assert_eq!(status["conditions"][0]["reason"], "TerminationByKubelet");
    assert!(
        life.events()
            .contains(&"Preempting : Preempted in order to admit critical pod".to_owned())
    );
}

/// Memory is never short, the disk is.
fn left(disk: u64) -> Observations {
    let amount = |available| {
        Some(Amount {
            available,
            capacity: 1 << 30,
        })
    };
    Observations {
        memory: amount(1 << 29),
        disk: amount(disk),
        inodes: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_evicted_when_the_disk_is_full_and_none_is_taken_meanwhile() {
    let used = StorageUsed {
        containers: [("app".to_owned(), 8 << 20)].into(),
        ..StorageUsed::default()
    };
    let edges = ScriptedEdges::default()
        .storage(0, used)
        .observed(0, left(1 << 29))
        .observed(15, left(1 << 20))
        .observed(25, left(1 << 29));
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app"}]}));
    life.pass(22).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Failed/Evicted"]);
    let message = "The node was low on resource: ephemeral-storage. Threshold quantity: 107374182, available: 1Mi. \
        Container app was using 8Mi, request is 0, has larger consumption of ephemeral-storage. ";
    assert_eq!(life.last()["status"]["message"], message);
    let disrupted = &life.last()["status"]["conditions"][0];
    assert_eq!(
        (&disrupted["type"], &disrupted["reason"]),
        (&json!("DisruptionTarget"), &json!("TerminationByKubelet"))
    );
    let events = life.events();
    assert!(events.contains(&format!("Evicted : {message}")));
    assert!(events.contains(&"EvictionThresholdMet : Attempting to reclaim ephemeral-storage".to_owned()));
    assert!(events.contains(&"NodeHasDiskPressure : Node emulator status is now: NodeHasDiskPressure".to_owned()));

    let key = Key::new(Resource::Pods, "default", "next");
    let bound = json!({"metadata": {"name": "next", "namespace": "default", "uid": "u-3"}, "status": {"phase": "Pending"},
        "spec": {"nodeName": "emulator", "containers": [{"name": "a", "image": "i"}]}});
    life.store.create(key.clone(), bound).unwrap();
    life.pass(2).await;
    let status = life.store.get(&key).unwrap()["status"].clone();
    assert_eq!(status["reason"], "Evicted");
    let refusal = "Pod was rejected: The node had condition: [DiskPressure]. ";
    assert_eq!(status["message"], refusal);
    let node = || life.store.get(&Key::new(Resource::Nodes, "", "emulator")).unwrap();
    assert_eq!(node()["spec"]["taints"][0]["key"], "node.kubernetes.io/disk-pressure");
    life.pass(320).await;
    assert!(node()["spec"]["taints"].is_null());
}

#[tokio::test(start_paused = true)]
async fn the_pod_that_uses_more_memory_than_it_requested_goes_first() {
    let short = Observations {
        memory: Some(Amount {
            available: 10 << 20,
            capacity: 1 << 30,
        }),
        ..Observations::default()
    };
    let edges = ScriptedEdges::default()
        .memory("app", 50 << 20)
        .memory("a", 60 << 20)
        .observed(5, short)
        .observed(11, Observations::default());
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    let key = Key::new(Resource::Pods, "default", "other");
    let mut modest = other(0, "1");
    modest["spec"]["containers"][0]["resources"]["requests"]["memory"] = json!("100Mi");
    life.store.create(key.clone(), modest).unwrap();
    life.create(json!({"containers": [{"name": "app"}]}));
    life.pass(30).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Failed/Evicted"]);
    assert_eq!(life.store.get(&key).unwrap()["status"]["phase"], "Running");
}

#[tokio::test(start_paused = true)]
async fn bound_pod_with_a_resource_unknown_to_the_node_is_admitted() {
    let spec = |amount: &str| {
        json!({"nodeName": "emulator", "containers": [{"name": "app",
        "resources": {"requests": {"example.com/dongle": amount}, "limits": {"example.com/dongle": amount}}}]})
    };
    let life = Life::run(Script::default(), spec("1"), 3).await;
    assert_eq!(life.phases(), ["Pending", "Running"]);
    let life = Life::new(Script::default());
    let node = Key::new(Resource::Nodes, "", "emulator");
    let known = life.store.modify(&node, |node| {
        node["status"]["allocatable"]["example.com/dongle"] = json!("2");
        Ok::<_, StoreError>(())
    });
    known.unwrap();
    life.create(spec("3"));
    life.pass(3).await;
    assert_eq!(life.phases(), ["Pending", "Failed/OutOfexample.com/dongle"]);
}
