//! Pods that come up, or can not: scheduling, sandbox, images, configurations, volumes.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_pod_is_scheduled_started_and_ready() {
    let life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 5).await;
    assert_eq!(life.phases(), ["Pending", "Running"]);
    assert_eq!(life.states("app"), [CREATING, "running"]);
    assert_eq!(life.flag("app", "ready"), ["false", "true"]);
    assert_eq!(life.flag("app", "started"), ["false", "true"]);
    assert_eq!(life.condition("PodReadyToStartContainers"), ["False", "True"]);
    assert_eq!(life.condition("Ready"), ["False/ContainersNotReady", "True"]);
    assert_eq!(
        life.events(),
        [
            "Scheduled : Successfully assigned default/p to emulator",
            "Pulled spec.containers{app}: Container image \"busybox:1\" already present on machine and can be accessed by the pod",
            "Created spec.containers{app}: Container created",
            "Started spec.containers{app}: Container started",
        ]
    );
    let last = life.last();
    assert_eq!(last["status"]["containerStatuses"][0]["lastState"], json!({}));
    assert_eq!(last["status"]["observedGeneration"], 1);
    let kinds: Vec<&str> = last["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["type"].as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "PodReadyToStartContainers",
            "Initialized",
            "Ready",
            "ContainersReady",
            "PodScheduled"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_cannot_be_started_is_tried_again() {
    let script = Script::default().with("app", [Play::FailsToStart("no such file".into())]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 25).await;
    assert_eq!(
        life.states("app"),
        [
            CREATING,
            "waiting:RunContainerError",
            "waiting:CrashLoopBackOff",
            "waiting:RunContainerError"
        ]
    );
    assert_eq!(life.flag("app", "restartCount"), ["0", "1", "2"]);
    assert_eq!(life.phases(), ["Pending", "Running"]);
    let status = &life.last()["status"]["containerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["reason"], "StartError");
    assert_eq!(status["state"]["waiting"]["message"], "no such file");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_cannot_be_made_waits() {
    let edges = ScriptedEdges::default().bad_config(
        "app",
        StartFailure::new("CreateContainerConfigError", "configmap \"settings\" not found"),
    );
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app"}]}));
    life.pass(14).await;
    assert_eq!(life.states("app"), [CREATING, "waiting:CreateContainerConfigError"]);
    assert_eq!(life.phases(), ["Pending"]);
    assert_eq!(life.condition("PodReadyToStartContainers"), ["False", "True"]);
    assert!(
        life.events()
            .contains(&"Failed spec.containers{app}: Error: configmap \"settings\" not found".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_is_backed_off() {
    let life = Life::with(
        Script::default(),
        ScriptedImages::without(&["nowhere:1"]),
        ScriptedEdges::default(),
    );
    life.create(json!({"containers": [{"name": "app", "image": "nowhere:1"}]}));
    life.pass(31).await;
    assert_eq!(
        life.timed_states("app"),
        [
            (0, CREATING.to_owned()),
            (0, "waiting:ErrImagePull".into()),
            (10, "waiting:ImagePullBackOff".into()),
            (20, "waiting:ErrImagePull".into()),
            (30, "waiting:ImagePullBackOff".into()),
        ]
    );
    let message = &life.last()["status"]["containerStatuses"][0]["state"]["waiting"]["message"];
    assert_eq!(
        message,
        "Back-off pulling image \"nowhere:1\": ErrImagePull: nowhere:1: not found"
    );
    let events = life.events();
    for expected in [
        "Pulling spec.containers{app}: Pulling image \"nowhere:1\"",
        "Failed spec.containers{app}: Failed to pull image \"nowhere:1\": nowhere:1: not found",
        "Failed spec.containers{app}: Error: ErrImagePull",
        "BackOff spec.containers{app}: Back-off pulling image \"nowhere:1\"",
        "Failed spec.containers{app}: Error: ImagePullBackOff",
    ] {
        assert!(events.contains(&expected.to_owned()), "{expected} in {events:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_must_not_be_pulled_is_missing() {
    let life = Life::with(
        Script::default(),
        ScriptedImages::without(&["nowhere:1"]),
        ScriptedEdges::default(),
    );
    life.create(json!({"containers": [{"name": "app", "image": "nowhere:1", "imagePullPolicy": "Never"}]}));
    life.pass(12).await;
    assert_eq!(life.states("app"), [CREATING, "waiting:ErrImageNeverPull"]);
    let events = life.events();
    assert_eq!(
        events[1],
        "ErrImageNeverPull spec.containers{app}: Container image \"nowhere:1\" is not present with pull policy of Never"
    );
    assert_eq!(events[2], "Failed spec.containers{app}: Error: ErrImageNeverPull");
}

#[tokio::test(start_paused = true)]
async fn containers_that_end_at_once_are_seen_ended_and_the_last_is_seen_running() {
    let script = Script::default()
        .with("file", [fails(0, 1)])
        .with("logs", [fails(0, 2)])
        .with("clean", [fails(0, 0)]);
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "file"}, {"name": "logs"}, {"name": "clean"}]});
    let life = Life::run(script, spec, 5).await;
    assert_eq!(life.states("file"), [CREATING, "terminated:Error(1)"]);
    assert_eq!(life.states("logs"), [CREATING, "terminated:Error(2)"]);
    assert_eq!(life.states("clean"), [CREATING, "running", "terminated:Completed(0)"]);
    assert_eq!(life.phases(), ["Pending", "Running", "Failed"]);
    let last = life.last();
    let names: Vec<&str> = last["status"]["containerStatuses"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|status| status["name"].as_str())
        .collect();
    assert_eq!(names, ["clean", "file", "logs"]);
}

#[tokio::test(start_paused = true)]
async fn a_readiness_gate_waits_for_its_condition() {
    let life = Life::run(
        Script::default(),
        json!({"readinessGates": [{"conditionType": "example.com/balanced"}], "containers": [{"name": "app"}]}),
        5,
    )
    .await;
    assert_eq!(
        life.condition("Ready"),
        ["False/ContainersNotReady", "False/ReadinessGatesNotReady"]
    );
    life.store
        .modify(&Life::key(), |pod| {
            let conditions = pod["status"]["conditions"].as_array_mut().unwrap();
            conditions.push(json!({"type": "example.com/balanced", "status": "True"}));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    life.pass(1).await;
    assert_eq!(life.condition("Ready").last().unwrap(), "True");
    assert_eq!(life.condition("example.com/balanced"), ["True"]);
}

#[tokio::test(start_paused = true)]
async fn a_gated_pod_runs_once_its_gate_is_gone() {
    let life = Life::new(Script::default());
    life.create(json!({"schedulingGates": [{"name": "g"}], "containers": [{"name": "app"}]}));
    life.pass(4).await;
    assert_eq!(life.condition("PodScheduled"), ["False/SchedulingGated"]);
    life.store
        .modify(&Life::key(), |pod| {
            pod["spec"].as_object_mut().unwrap().remove("schedulingGates");
            Ok::<_, StoreError>(())
        })
        .unwrap();
    life.pass(1).await;
    assert_eq!(life.condition("PodScheduled"), ["False/SchedulingGated", "True"]);
    assert_eq!(life.phases(), ["Pending", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_container_is_started_and_never_again() {
    let script = Script::default().with("debug", [fails(1, 3)]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 3).await;
    life.store
        .modify(&Life::key(), |pod| {
            pod["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "busybox:1"}]);
            pod["metadata"]["generation"] = json!(2);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    life.pass(10).await;
    assert_eq!(life.states("debug"), [CREATING, "running", "terminated:Error(3)"]);
    assert_eq!(life.phases(), ["Pending", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_container_waits_for_the_container_whose_processes_it_is_to_see() {
    let images = ScriptedImages::without(&["nowhere:1"]);
    let life = Life::with(Script::default(), images, ScriptedEdges::default());
    life.create(json!({"containers": [{"name": "app", "image": "nowhere:1", "imagePullPolicy": "Never"}]}));
    life.pass(3).await;
    life.change(|pod| {
        pod["spec"]["ephemeralContainers"] =
            json!([{"name": "debug", "image": "busybox:1", "targetContainerName": "app"}]);
    });
    life.pass(15).await;
    assert_eq!(life.states("debug"), [CREATING, "waiting:CreateContainerConfigError"]);
    let message = "Failed spec.ephemeralContainers{debug}: Error: unable to find target container app";
    assert!(life.events().contains(&message.to_owned()));
    life.change(|pod| pod["spec"]["containers"][0]["image"] = json!("busybox:1"));
    life.pass(30).await;
    assert_eq!(life.states("debug").last().unwrap(), "running");
}

#[tokio::test(start_paused = true)]
async fn volumes_that_cannot_be_set_up_hold_the_pod_back() {
    let failure = || VolumeFailure {
        volume: "cfg".into(),
        message: "configmap \"x\" not found".into(),
    };
    let edges = ScriptedEdges::default().volume_failures([failure(), failure()]);
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app"}]}));
    life.pass(10).await;
    assert_eq!(life.phases(), ["Pending", "Running"]);
    let message = "FailedMount : MountVolume.SetUp failed for volume \"cfg\" : configmap \"x\" not found";
    assert!(life.events().contains(&message.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_idle_pod_is_left_alone() {
    let life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 5).await;
    let version = life.store.version();
    life.pass(3600).await;
    assert_eq!(life.store.version(), version);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_waits_for_its_volumes_outlives_its_deadline_until_the_wait_is_over() {
    let failures = vec![
        VolumeFailure {
            volume: "cfg".into(),
            message: "configmap \"x\" not found".into(),
        };
        40
    ];
    let edges = ScriptedEdges::default().volume_failures(failures);
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"activeDeadlineSeconds": 4, "containers": [{"name": "app"}]}));
    life.pass(120).await;
    assert_eq!(life.phases(), ["Pending"]);
    life.pass(20).await;
    assert_eq!(life.phases(), ["Pending", "Failed/DeadlineExceeded"]);
}

#[tokio::test(start_paused = true)]
async fn the_mirror_of_a_static_pod_is_made_again_when_it_is_deleted() {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "status": {}, "spec": {"containers": [{"name": "app", "image": "i"}]},
        "metadata": {"name": "p", "namespace": "default", "uid": "s-1",
            "annotations": {"kubernetes.io/config.source": "file", "kubernetes.io/config.hash": "s-1"}}});
    let life = Life::beside(
        Script::default(),
        ScriptedImages::default(),
        ScriptedEdges::default(),
        Some(object),
    );
    life.pass(3).await;
    let first = life.last()["metadata"]["uid"].clone();
    life.delete(30);
    life.pass(2).await;
    assert_eq!(life.phases(), ["Pending", "Running", "<deleted>", "Pending", "Running"]);
    assert_ne!(life.last()["metadata"]["uid"], first);
    assert_eq!(life.runtime.instances("app").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn runtime_class_with_unknown_handler_fails_sandbox() {
    let life = Life::new(Script::default());
    let class = |name: &str, handler: &str| {
        let key = Key::new(Resource::RuntimeClasses, "", name);
        life.store
            .create(key, json!({"metadata": {"name": name}, "handler": handler}))
            .unwrap();
    };
    class("kata", "kata");
    life.create(json!({"containers": [{"name": "app"}], "runtimeClassName": "kata"}));
    life.pass(5).await;
    assert_eq!(life.phases(), ["Pending"]);
    let events = life.events();
    let refused = "FailedCreatePodSandBox : Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get \
                   sandbox runtime: no runtime for \"kata\" is configured";
    assert!(events.iter().any(|event| event == refused), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn runtime_class_of_the_node_runs_the_pod() {
    let life = Life::new(Script::default());
    let key = Key::new(Resource::RuntimeClasses, "", "usual");
    life.store
        .create(key, json!({"metadata": {"name": "usual"}, "handler": "runc"}))
        .unwrap();
    life.create(json!({"containers": [{"name": "app"}], "runtimeClassName": "usual"}));
    life.pass(5).await;
    assert_eq!(life.phases(), ["Pending", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn static_pod_is_not_counted_beside_its_own_mirror() {
    let object = json!({"metadata": {"name": "p", "namespace": "default", "uid": "s-1",
        "annotations": {"kubernetes.io/config.source": "file", "kubernetes.io/config.hash": "s-1"}},
        "spec": {"nodeName": "emulator", "containers": [{"name": "app", "image": "busybox:1",
            "resources": {"requests": {"cpu": "3"}}}]}});
    let mut life = Life::beside(
        Script::default(),
        ScriptedImages::default(),
        ScriptedEdges::default(),
        Some(object),
    );
    life.pass(3).await;
    assert_eq!(life.phases(), ["Pending", "Running"]);
    // The machine starts again: nothing runs, and the mirror is still there.
    life.tasks.remove(0).abort();
    life.runtime = ScriptedRuntime::new(Script::default(), life.clock.clone());
    life.start_kubelet(life.clock.clone(), ScriptedImages::default(), ScriptedEdges::default());
    life.pass(3).await;
    assert_eq!(life.last()["status"]["reason"], Value::Null);
    assert_eq!(life.runtime.instances("app").len(), 1);
}
