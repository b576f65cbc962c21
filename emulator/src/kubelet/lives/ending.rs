//! Deletion, deadlines, and what a pod is given to end.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_ends_gracefully_and_its_object_goes() {
    let life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 4).await;
    life.delete(30);
    life.pass(3).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Succeeded", "<deleted>"]);
    assert_eq!(
        life.facet(|pod| Some(pod["metadata"]["deletionGracePeriodSeconds"].to_string())),
        ["null", "30", "0"]
    );
    assert_eq!(
        life.condition("Ready"),
        ["False/ContainersNotReady", "True", "False/PodCompleted"]
    );
    assert_eq!(life.condition("PodReadyToStartContainers"), ["False", "True", "False"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ignores_sigterm_is_killed_when_its_grace_is_over_but_not_before_two_seconds() {
    for (grace, expected) in [(3, 3), (1, 2)] {
        let life = Life::run(
            Script::default().with("app", [Play::stubborn()]),
            json!({"containers": [{"name": "app"}]}),
            4,
        )
        .await;
        life.delete(grace);
        life.pass(10).await;
        let ended = life
            .timed_states("app")
            .into_iter()
            .find(|(_, state)| state == "terminated:Error(137)")
            .unwrap();
        assert_eq!(ended.0, 4 + expected);
        assert_eq!(life.phases(), ["Pending", "Running", "Failed", "<deleted>"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_forced_deletion_still_kills_the_containers() {
    let life = Life::run(
        Script::default().with("app", [Play::stubborn()]),
        json!({"containers": [{"name": "app"}]}),
        4,
    )
    .await;
    life.delete(0);
    life.pass(5).await;
    assert_eq!(life.phases(), ["Pending", "Running", "<deleted>"]);
    assert!(
        life.events()
            .contains(&"Killing spec.containers{app}: Stopping container app".to_owned())
    );
    assert!(life.runtime.instances("app").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shorter_grace_period_comes_too_late_for_what_is_being_ended() {
    let life = Life::run(
        Script::default().with("app", [Play::stubborn()]),
        json!({"containers": [{"name": "app"}]}),
        4,
    )
    .await;
    life.delete(20);
    life.pass(2).await;
    life.delete(1);
    life.pass(20).await;
    let killed = &(24, "terminated:Error(137)".to_owned());
    assert_eq!(life.timed_states("app").iter().rev().nth(1), Some(killed));
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_object_is_gone_is_ended_at_once() {
    let life = Life::run(
        Script::default().with("app", [Play::stubborn()]),
        json!({"containers": [{"name": "app"}]}),
        4,
    )
    .await;
    life.delete(600);
    life.pass(2).await;
    life.delete(0);
    life.pass(5).await;
    assert!(life.runtime.instances("app").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_post_start_hook_ends_before_a_deleted_pod_does() {
    let edges = ScriptedEdges::default().hook("hello", 10, Ok(()));
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    let hooked = json!({"name": "app", "lifecycle": {"postStart": {"exec": {"command": ["hello"]}}}});
    life.create(json!({"containers": [hooked, {"name": "next"}]}));
    life.pass(3).await;
    life.delete(30);
    life.pass(20).await;
    for name in ["app", "next"] {
        assert_eq!(life.starts(name), [10]);
        assert_eq!(life.states(name), [CREATING, "running", "terminated:Completed(0)"]);
    }
    assert_eq!(life.phases(), ["Pending", "Running", "Succeeded", "<deleted>"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_probe_has_a_container_restarted_for_is_carried_out_before_a_deleted_pod_ends() {
    let edges = ScriptedEdges::default().probe("alive", [(2, Outcome::Failure(String::new()))]);
    let script = Script::default().with("app", [Play::stubborn()]);
    let life = Life::with(script, ScriptedImages::default(), edges);
    let probe = json!({"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1});
    life.create(json!({"terminationGracePeriodSeconds": 10, "containers": [{"name": "app", "livenessProbe": probe}]}));
    life.pass(4).await;
    life.delete(10);
    life.pass(30).await;
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    assert_eq!(life.timed_states("app").last(), Some(&(22, "<deleted>".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_while_it_is_backed_off_ends_at_once() {
    let script = Script::default().with("app", [fails(0, 1)]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 60).await;
    life.delete(30);
    life.pass(2).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Failed", "<deleted>"]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_fails_the_pod() {
    let life = Life::run(
        Script::default(),
        json!({"activeDeadlineSeconds": 4, "containers": [{"name": "app"}]}),
        10,
    )
    .await;
    assert_eq!(life.phases(), ["Pending", "Running", "Failed/DeadlineExceeded"]);
    assert_eq!(life.states("app"), [CREATING, "running", "terminated:Completed(0)"]);
    assert_eq!(
        life.condition("Ready"),
        ["False/ContainersNotReady", "True", "False/PodFailed"]
    );
    let message = "Pod was active on the node longer than the specified deadline";
    assert_eq!(life.last()["status"]["message"], message);
    assert!(life.events().contains(&format!("DeadlineExceeded : {message}")));
}

#[tokio::test(start_paused = true)]
async fn a_pre_stop_hook_spends_the_grace_period() {
    let script = Script::default().with("app", [Play::stubborn()]);
    let edges = ScriptedEdges::default().hook("bye", 3, Ok(()));
    let life = Life::with(script, ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["bye"]}}}}]}));
    life.pass(4).await;
    life.delete(10);
    life.pass(15).await;
    let ended = life
        .timed_states("app")
        .into_iter()
        .find(|(_, state)| state == "terminated:Error(137)")
        .unwrap();
    assert_eq!(ended.0, 14);
}

#[tokio::test(start_paused = true)]
async fn a_pre_stop_hook_that_outlives_the_grace_period_fails_with_its_container() {
    let script = Script::default().with("app", [Play::stubborn()]);
    let edges = ScriptedEdges::default().hook("bye", 6, Err("killed".into()));
    let life = Life::with(script, ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["bye"]}}}}]}));
    life.pass(4).await;
    life.delete(4);
    life.pass(15).await;
    let ended = life
        .timed_states("app")
        .into_iter()
        .find(|(_, state)| state == "terminated:Error(137)");
    assert_eq!(ended.unwrap().0, 10);
    let message = "FailedPreStopHook spec.containers{app}: PreStopHook failed";
    assert!(life.events().contains(&message.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_before_it_ever_ran_fails_and_keeps_its_conditions() {
    let images = ScriptedImages::without(&["nowhere:1"]);
    let life = Life::with(Script::default(), images, ScriptedEdges::default());
    life.create(json!({"containers": [{"name": "app", "image": "nowhere:1", "imagePullPolicy": "Never"}]}));
    life.pass(6).await;
    life.delete(2);
    life.pass(3).await;
    assert_eq!(life.phases(), ["Pending", "Failed", "<deleted>"]);
    assert_eq!(life.condition("Ready"), ["False/ContainersNotReady"]);
    assert_eq!(
        life.states("app"),
        [
            CREATING,
            "waiting:ErrImageNeverPull",
            CREATING,
            "terminated:ContainerStatusUnknown(137)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_many_containers_share_twelve_kibibytes() {
    let names = ["a", "b", "d", "e"];
    let script = names.iter().fold(Script::default(), |script, name| {
        script.with(name, [Play::FailsToStart("m".repeat(9000))])
    });
    let containers: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    let life = Life::run(script, json!({"restartPolicy": "Never", "containers": containers}), 5).await;
    let message = life.last()["status"]["containerStatuses"][3]["state"]["terminated"]["message"].clone();
    assert_eq!(message.as_str().unwrap().len(), 3072);
}

#[tokio::test(start_paused = true)]
async fn what_never_started_is_told_lost_where_it_had_been_due() {
    let lost = "terminated:ContainerStatusUnknown(137)";
    let missing = |name: &str| json!({"name": name, "image": "nowhere:1", "imagePullPolicy": "Never"});
    let there = |name: &str| json!({"name": name, "image": "i"});
    let sidecar = json!({"name": "init", "image": "i", "restartPolicy": "Always"});
    for (init, app, expected_of_init, expected_of_app) in [
        (there("init"), missing("app"), "terminated:Completed(0)", lost),
        (sidecar, missing("app"), "terminated:Completed(0)", lost),
        (missing("init"), there("app"), lost, INITIALIZING),
    ] {
        let script = if init["restartPolicy"].is_string() {
            Script::default()
        } else {
            Script::default().with("init", [fails(1, 0)])
        };
        let images = ScriptedImages::without(&["nowhere:1"]);
        let life = Life::with(script, images, ScriptedEdges::default());
        life.create(json!({"initContainers": [init], "containers": [app]}));
        life.pass(6).await;
        life.delete(2);
        life.pass(3).await;
        assert_eq!(life.states("init").last().unwrap(), expected_of_init);
        assert_eq!(life.states("app").last().unwrap(), expected_of_app);
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_was_due_only_by_the_end_of_its_pod_stays_waiting() {
    let script = Script::default();
    let spec = json!({"initContainers": [{"name": "init", "image": "i"}], "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 4).await;
    life.delete(5);
    life.pass(5).await;
    assert_eq!(life.states("init").last().unwrap(), "terminated:Completed(0)");
    assert_eq!(life.states("app"), [INITIALIZING]);
}

#[tokio::test(start_paused = true)]
async fn liveness_is_not_asked_for_while_a_pod_ends_by_its_deadline() {
    let edges = ScriptedEdges::default().probe("alive", [(5, Outcome::Failure(String::new()))]);
    let script = Script::default().with("app", [Play::stubborn()]);
    let life = Life::with(script, ScriptedImages::default(), edges);
    let probe = json!({"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1});
    life.create(json!({"activeDeadlineSeconds": 4, "terminationGracePeriodSeconds": 5,
        "containers": [{"name": "app", "livenessProbe": probe}]}));
    life.pass(15).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Failed/DeadlineExceeded"]);
    assert!(!life.events().iter().any(|event| event.starts_with("Unhealthy")));
}

async fn shut_down(life: &Life, seconds: u64) -> u64 {
    let began = Instant::now();
    let node = life.node_shutdown.as_ref().unwrap();
    node.end_pods(Duration::from_secs(seconds)).await;
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn node_shutdown_ends_a_pod_within_its_grace_period() {
    let obeys = Play::Runs {
        lasts: None,
        termination: Termination::default(),
        on_term: Some((Duration::from_secs(20), Termination::exit(0))),
    };
    let edges = ScriptedEdges::default().hook("bye", 4, Ok(()));
    let life = Life::with(Script::default().with("app", [obeys]), ScriptedImages::default(), edges);
    life.create(
        json!({"terminationGracePeriodSeconds": 30, "containers": [{"name": "app",
        "lifecycle": {"preStop": {"exec": {"command": ["bye"]}}}}]}),
    );
    life.pass(3).await;
    assert_eq!(shut_down(&life, 60).await, 24);
    assert_eq!(life.phases(), ["Pending", "Running", "Failed/Terminated"]);
    assert_eq!(life.states("app"), [CREATING, "running", "terminated:Completed(0)"]);
    let status = life.last()["status"].clone();
    assert_eq!(
        status["message"],
        "Pod was terminated in response to imminent node shutdown."
    );
    let disrupted = &status["conditions"][0];
    assert_eq!(
        (&disrupted["type"], &disrupted["reason"]),
        (&json!("DisruptionTarget"), &json!("TerminationByKubelet"))
    );
    let key = Key::new(Resource::Pods, "default", "late");
    let late = json!({"metadata": {"name": "late", "namespace": "default", "uid": "u-2"}, "status": {"phase": "Pending"},
        "spec": {"nodeName": "emulator", "containers": [{"name": "a", "image": "i"}]}});
    life.store.create(key.clone(), late).unwrap();
    life.pass(1).await;
    assert_eq!(life.store.get(&key).unwrap()["status"]["reason"], "NodeShutdown");
}

#[tokio::test(start_paused = true)]
async fn node_shutdown_is_bounded_by_its_timeout() {
    let life = Life::new(Script::default().with("app", [Play::stubborn()]));
    life.create(json!({"terminationGracePeriodSeconds": 600, "containers": [{"name": "app"}]}));
    life.pass(3).await;
    assert_eq!(shut_down(&life, 10).await, 10);
    assert_eq!(life.states("app"), [CREATING, "running", "terminated:Error(137)"]);
    assert_eq!(life.phases(), ["Pending", "Running", "Failed/Terminated"]);
}

#[tokio::test(start_paused = true)]
async fn node_shutdown_keeps_a_finished_pod_and_ends_one_that_waits() {
    let life = Life::new(Script::default().with("app", [fails(1, 0)]));
    life.create(json!({"restartPolicy": "Never", "containers": [{"name": "app"}]}));
    let key = Key::new(Resource::Pods, "default", "waits");
    let waits = json!({"metadata": {"name": "waits", "namespace": "default", "uid": "u-2"}, "status": {"phase": "Pending"},
        "spec": {"containers": [{"name": "a", "image": "i", "imagePullPolicy": "Never"}]}});
    life.store.create(key.clone(), waits).unwrap();
    life.pass(5).await;
    assert!(shut_down(&life, 10).await <= 2);
    assert_eq!(life.phases(), ["Pending", "Running", "Succeeded"]);
    assert_eq!(life.store.get(&key).unwrap()["status"]["reason"], "Terminated");
}
