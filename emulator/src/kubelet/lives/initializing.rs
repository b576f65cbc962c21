//! Init containers and sidecars.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn init_containers_run_one_after_the_other() {
    let script = Script::default().with("one", [fails(2, 0)]).with("two", [fails(2, 0)]);
    let spec = json!({"initContainers": [{"name": "one", "image": "i"}, {"name": "two", "image": "i"}], "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 10).await;
    for name in ["one", "two"] {
        assert_eq!(life.states(name), [INITIALIZING, "running", "terminated:Completed(0)"]);
        assert_eq!(life.flag(name, "started"), ["false", "true", "false"]);
        assert_eq!(life.flag(name, "ready"), ["false", "true"]);
    }
    assert_eq!(life.starts("two"), [2]);
    assert_eq!(life.starts("app"), [4]);
    assert_eq!(
        life.condition("Initialized"),
        ["False/ContainersNotInitialized", "True"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_init_container_is_tried_again_with_back_off() {
    let script = Script::default().with("setup", [fails(1, 4)]);
    let spec = json!({"initContainers": [{"name": "setup", "image": "i"}], "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 20).await;
    assert_eq!(life.starts("setup"), [0, 1, 12]);
    assert_eq!(life.phases(), ["Pending"]);
    assert_eq!(life.states("setup").last().unwrap(), "terminated:Error(4)");
    assert_eq!(life.states("app"), [INITIALIZING]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_init_container_fails_a_pod_that_never_restarts() {
    let script = Script::default().with("setup", [fails(1, 4)]);
    let spec = json!({"restartPolicy": "Never", "initContainers": [{"name": "setup", "image": "i"}, {"name": "next", "image": "i"}],
        "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 10).await;
    assert_eq!(life.phases(), ["Pending", "Failed"]);
    assert_eq!(life.states("next"), [INITIALIZING]);
    assert_eq!(life.states("app"), [INITIALIZING]);
    assert_eq!(life.condition("Initialized"), ["False/ContainersNotInitialized"]);
    assert_eq!(life.condition("Ready"), ["False/ContainersNotReady", "False/PodFailed"]);
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_ends_after_the_containers() {
    let script = Script::default().with("app", [fails(4, 0)]);
    let spec = json!({"restartPolicy": "Never", "initContainers": [{"name": "proxy", "image": "i", "restartPolicy": "Always"}],
        "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 20).await;
    assert_eq!(life.phases(), ["Pending", "Running", "Succeeded"]);
    assert_eq!(
        life.condition("Ready"),
        [
            "False/ContainersNotReady",
            "True",
            "False/ContainersNotReady",
            "False/PodCompleted"
        ]
    );
    assert_eq!(
        life.condition("Initialized"),
        ["False/ContainersNotInitialized", "True", "True/PodCompleted"]
    );
    assert_eq!(
        life.states("proxy"),
        [INITIALIZING, "running", "terminated:Completed(0)"]
    );
    assert!(
        life.events()
            .contains(&"Killing spec.initContainers{proxy}: Stopping container proxy".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn sidecars_stop_in_reverse_order_after_the_containers_on_deletion() {
    let slow = |code| Play::Runs {
        lasts: None,
        termination: Termination::default(),
        on_term: Some((Duration::from_secs(2), Termination::exit(code))),
    };
    let script = Script::default()
        .with("a", [slow(0)])
        .with("b", [slow(0)])
        .with("app", [slow(0)]);
    let sidecar = |name| json!({"name": name, "image": "i", "restartPolicy": "Always"});
    let life = Life::run(
        script,
        json!({"initContainers": [sidecar("a"), sidecar("b")], "containers": [{"name": "app"}]}),
        5,
    )
    .await;
    life.delete(30);
    life.pass(20).await;
    let gone = life.phases();
    assert_eq!(gone, ["Pending", "Running", "Succeeded", "<deleted>"]);
    let last = life.last();
    let finished = |name: &str| {
        container(&last, name).unwrap()["state"]["terminated"]["finishedAt"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(finished("app") < finished("b") && finished("b") < finished("a"));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_has_ended_waits_for_a_sidecar_that_is_backed_off() {
    let script = Script::default()
        .with("proxy", [fails(1, 1)])
        .with("app", [fails(3, 1)]);
    let spec = json!({"initContainers": [{"name": "proxy", "image": "i", "restartPolicy": "Always"}],
        "containers": [{"name": "app"}]});
    let life = Life::run(script, spec, 15).await;
    assert_eq!(life.starts("proxy"), [0, 1, 12]);
    assert_eq!(life.starts("app"), [0, 12]);
}
