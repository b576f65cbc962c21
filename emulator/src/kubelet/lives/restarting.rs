//! Containers that end and come back, or not.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_well_completes_the_pod() {
    let script = Script::default().with("app", [fails(2, 0)]);
    let life = Life::run(
        script,
        json!({"restartPolicy": "Never", "containers": [{"name": "app"}]}),
        10,
    )
    .await;
    assert_eq!(life.phases(), ["Pending", "Running", "Succeeded"]);
    assert_eq!(life.states("app"), [CREATING, "running", "terminated:Completed(0)"]);
    assert_eq!(
        life.condition("Ready"),
        ["False/ContainersNotReady", "True", "False/PodCompleted"]
    );
    assert_eq!(life.condition("Initialized"), ["True", "True/PodCompleted"]);
    assert_eq!(life.condition("PodReadyToStartContainers"), ["False", "True", "False"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_restarts_after_0_10_30_70_150_and_310_seconds() {
    let script = Script::default().with("app", [fails(0, 1)]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 320).await;
    assert_eq!(life.starts("app"), [0, 0, 10, 30, 70, 150, 310]);
    assert_eq!(
        life.states("app")[..9],
        [
            CREATING,
            "running",
            "terminated:Error(1)",
            "running",
            "terminated:Error(1)",
            "waiting:CrashLoopBackOff",
            "running",
            "terminated:Error(1)",
            "waiting:CrashLoopBackOff",
        ]
    );
    assert_eq!(life.phases(), ["Pending", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn between_restarts_the_status_stays_terminated_until_just_before_the_next() {
    let script = Script::default().with("app", [fails(0, 1)]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 28).await;
    assert_eq!(life.states("app").last().unwrap(), "terminated:Error(1)");
    assert_eq!(life.last()["status"]["containerStatuses"][0]["restartCount"], 2);
    assert_eq!(
        life.flag("app", "ready"),
        ["false", "true", "false", "true", "false", "true", "false"]
    );
}

#[tokio::test(start_paused = true)]
async fn another_image_restarts_the_container() {
    let life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 3).await;
    life.store
        .modify(&Life::key(), |pod| {
            pod["spec"]["containers"][0]["image"] = json!("busybox:2");
            pod["metadata"]["generation"] = json!(2);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    life.pass(3).await;
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    assert_eq!(life.last()["status"]["containerStatuses"][0]["image"], "busybox:2");
    assert_eq!(life.last()["status"]["observedGeneration"], 2);
    let message = "Killing spec.containers{app}: Container app definition changed, will be restarted";
    assert!(life.events().contains(&message.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_changed_while_no_kubelet_ran_is_noticed_by_the_next() {
    let mut life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 3).await;
    for (image, restarts) in [("busybox:1", 0), ("busybox:2", 1)] {
        life.tasks.remove(0).abort();
        life.pass(1).await;
        life.change(|pod| pod["spec"]["containers"][0]["image"] = json!(image));
        let clock = life.clock.clone();
        life.start_kubelet(clock, ScriptedImages::default(), ScriptedEdges::default());
        let kubelet = life.tasks.pop().unwrap();
        life.tasks.insert(0, kubelet);
        life.pass(3).await;
        let status = life.last()["status"]["containerStatuses"][0].clone();
        assert_eq!(
            (&status["image"], &status["restartCount"]),
            (&json!(image), &json!(restarts))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rules_restart_for_the_exit_codes_that_they_name() {
    let script = Script::default().with("app", [fails(1, 42), fails(1, 1)]);
    let life = Life::run(
        script,
        json!({"restartPolicy": "Never", "containers": [{"name": "app", "restartPolicy": "Never",
            "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}]}),
        20,
    )
    .await;
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    assert_eq!(life.phases(), ["Pending", "Running", "Failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_kubelet_goes_on_where_it_was() {
    let script = Script::default().with("app", [fails(0, 1)]);
    let mut life = Life::run(script, json!({"containers": [{"name": "app"}, {"name": "other"}]}), 15).await;
    let others = life.runtime.instances("other").len();
    life.tasks.remove(0).abort();
    let now = Timestamp::from_second(1_800_000_000 + 15).unwrap();
    life.start_kubelet(
        Clock::scripted(now),
        ScriptedImages::default(),
        ScriptedEdges::default(),
    );
    life.pass(60).await;
    assert_eq!(life.runtime.instances("other").len(), others);
    let counts = life.flag("app", "restartCount");
    assert_eq!(counts, ["0", "1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_the_runtime_has_lost_is_started_again() {
    let mut life = Life::run(Script::default(), json!({"containers": [{"name": "app"}]}), 3).await;
    let id = life.runtime.instances("app")[0].id.clone();
    life.runtime.lose(&id);
    life.pass(3).await;
    assert_eq!(life.states("app").last().unwrap(), "running");
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    life.tasks.clear();
}

#[tokio::test(start_paused = true)]
async fn a_rule_can_start_all_containers_anew() {
    let script = Script::default()
        .with("setup", [fails(0, 0)])
        .with("app", [fails(3, 42), Play::forever()]);
    let life = Life::run(
        script,
        json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 30,
            "initContainers": [{"name": "setup", "image": "i"}],
            "containers": [{"name": "other"}, {"name": "app", "restartPolicy": "Never",
                "restartPolicyRules": [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]}]}),
        20,
    )
    .await;
    // While its init container runs anew it is Pending again.
    assert_eq!(life.phases(), ["Pending", "Running", "Pending", "Running"]);
    assert_eq!(
        life.states("app"),
        [
            INITIALIZING,
            "running",
            "terminated:Error(42)",
            "waiting:RestartingAllContainers",
            INITIALIZING,
            "running"
        ]
    );
    assert_eq!(
        life.states("other"),
        [
            INITIALIZING,
            "running",
            "waiting:RestartingAllContainers",
            INITIALIZING,
            "running"
        ]
    );
    assert_eq!(
        life.condition("AllContainersRestarting"),
        ["False", "True/RestartAllContainersStarted", "False"]
    );
    for name in ["setup", "other", "app"] {
        assert_eq!(life.flag(name, "restartCount"), ["0", "1"], "{name}");
        let last = life.last();
        let ended = &container(&last, name).unwrap()["lastState"]["terminated"];
        assert_eq!(
            (&ended["reason"], &ended["exitCode"]),
            (&json!("RestartingAllContainers"), &json!(137))
        );
    }
    assert!(
        life.events()
            .contains(&"Killing spec.containers{other}: killing".to_owned())
    );
    assert_eq!(
        life.last()["status"]["conditions"][5]["type"],
        "AllContainersRestarting"
    );
}

#[tokio::test(start_paused = true)]
async fn sidecars_rule_starts_all_containers_anew() {
    let script = Script::default()
        .with("side", [fails(2, 42), Play::forever()])
        .with("app", [Play::stubborn()]);
    let life = Life::run(
        script,
        json!({"initContainers": [{"name": "side", "restartPolicy": "Always", "image": "i", "restartPolicyRules":
                [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]}],
            "containers": [{"name": "app"}]}),
        30,
    )
    .await;
    for name in ["side", "app"] {
        assert_eq!(
            life.flag(name, "restartCount"),
            ["0", "1"],
            "{name}: {:?}",
            life.events()
        );
        assert_eq!(life.states(name).last().unwrap(), "running", "{name}");
    }
    assert_eq!(life.phases().last().unwrap(), "Running");
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_sandbox_is_lost_starts_from_its_beginning() {
    let script = Script::default().with("setup", [fails(2, 0)]);
    let life = Life::run(
        script,
        json!({"initContainers": [{"name": "setup", "image": "i"}], "containers": [{"name": "app"}]}),
        5,
    )
    .await;
    life.runtime.lose_sandboxes();
    life.pass(5).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Pending", "Running"]);
    assert_eq!(
        life.states("app"),
        [INITIALIZING, "running", "terminated:Completed(0)", "running"]
    );
    assert_eq!(
        life.condition("PodReadyToStartContainers"),
        ["False", "True", "False", "True"]
    );
    let events = life.events();
    let place = |words: &str| events.iter().position(|event| event.contains(words)).unwrap();
    assert!(place("SandboxChanged") < place("Stopping container app"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn containers_that_end_with_their_sandbox_are_neither_told_ended_nor_backed_off() {
    let script = Script::default().with("app", [Play::forever(), fails(1, 1), Play::forever()]);
    let life = Life::run(script, json!({"containers": [{"name": "app"}]}), 3).await;
    life.runtime.lose_sandboxes();
    life.pass(5).await;
    assert_eq!(
        life.states("app"),
        [CREATING, "running", "terminated:Error(1)", "running"]
    );
    assert_eq!(life.flag("app", "restartCount"), ["0", "1", "2"]);
    assert_eq!(life.phases(), ["Pending", "Running"]);
    assert!(life.condition("Ready").iter().all(|ready| !ready.contains("Completed")));
}
