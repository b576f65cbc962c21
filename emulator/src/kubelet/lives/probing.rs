//! Probes and the hook after a start.

use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failed_post_start_hook_kills_the_container() {
    let script = Script::default().with("app", [Play::stubborn()]);
    let edges = ScriptedEdges::default().hook("greet", 0, Err("it said no".into()));
    let life = Life::with(script, ScriptedImages::default(), edges);
    life.create(
        json!({"terminationGracePeriodSeconds": 1, "containers": [{"name": "app",
        "lifecycle": {"postStart": {"exec": {"command": ["greet"]}}}}]}),
    );
    life.pass(28).await;
    assert_eq!(
        life.states("app"),
        [
            CREATING,
            "waiting:PostStartHookError",
            "waiting:CrashLoopBackOff",
            "waiting:PostStartHookError",
            "waiting:CrashLoopBackOff",
        ]
    );
    assert_eq!(life.flag("app", "restartCount"), ["0", "1", "2"]);
    assert_eq!(life.flag("app", "started"), ["false"]);
    let events = life.events();
    assert!(events.contains(&"FailedPostStartHook spec.containers{app}: PostStartHook failed".to_owned()));
    assert!(events.contains(&"Killing spec.containers{app}: FailedPostStartHook".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn readiness_follows_its_probe() {
    let fails = || Outcome::Failure("no".into());
    let edges = ScriptedEdges::default().probe("ready", [(0, fails()), (6, Outcome::Success), (12, fails())]);
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app", "readinessProbe":
        {"exec": {"command": ["ready"]}, "periodSeconds": 1, "failureThreshold": 1}}]}));
    life.pass(20).await;
    assert_eq!(life.flag("app", "ready"), ["false", "true", "false"]);
    assert_eq!(life.flag("app", "started"), ["false", "true"]);
    assert!(
        life.events()
            .contains(&"Unhealthy spec.containers{app}: Readiness probe failed: no".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_liveness_probe_restarts_the_container_within_one_sync() {
    let edges = ScriptedEdges::default().probe(
        "alive",
        [
            (0, Outcome::Success),
            (6, Outcome::Failure("gone".into())),
            (9, Outcome::Success),
        ],
    );
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app", "livenessProbe":
        {"exec": {"command": ["alive"]}, "periodSeconds": 2, "failureThreshold": 2}}]}));
    life.pass(15).await;
    assert_eq!(life.states("app"), [CREATING, "running"]);
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
    assert_eq!(life.flag("app", "ready"), ["false", "true"]);
    let message = "Killing spec.containers{app}: Container app failed liveness probe, will be restarted";
    assert!(life.events().contains(&message.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_startup_probe_holds_back_the_others() {
    let edges = ScriptedEdges::default()
        .probe("up", [(0, Outcome::Failure("not yet".into())), (5, Outcome::Success)])
        .probe(
            "alive",
            [(0, Outcome::Failure("never asked".into())), (5, Outcome::Success)],
        );
    let life = Life::with(Script::default(), ScriptedImages::default(), edges);
    let probe =
        |name, threshold| json!({"exec": {"command": [name]}, "periodSeconds": 1, "failureThreshold": threshold});
    life.create(
        json!({"containers": [{"name": "app", "startupProbe": probe("up", 20), "livenessProbe": probe("alive", 1),
        "readinessProbe": probe("true", 1)}]}),
    );
    life.pass(10).await;
    assert_eq!(life.states("app"), [CREATING, "running"]);
    assert_eq!(life.flag("app", "started"), ["false", "true"]);
    assert_eq!(life.flag("app", "ready"), ["false", "true"]);
    assert_eq!(life.flag("app", "restartCount"), ["0"]);
}

#[tokio::test(start_paused = true)]
async fn readiness_is_told_while_a_pod_ends() {
    let script = Script::default().with("app", [Play::stubborn()]);
    let fails = || Outcome::Failure("going".into());
    let edges = ScriptedEdges::default().probe("ready", [(0, Outcome::Success), (6, fails())]);
    let life = Life::with(script, ScriptedImages::default(), edges);
    life.create(json!({"containers": [{"name": "app", "readinessProbe":
        {"exec": {"command": ["ready"]}, "periodSeconds": 1, "failureThreshold": 1}}]}));
    life.pass(4).await;
    life.delete(10);
    life.pass(4).await;
    assert_eq!(life.flag("app", "ready").last().unwrap(), "false");
    assert_eq!(life.states("app").last().unwrap(), "running");
    assert_eq!(
        life.condition("ContainersReady").last().unwrap(),
        "False/ContainersNotReady"
    );
    assert_eq!(life.condition("Ready").last().unwrap(), "False/ContainersNotReady");
}

#[tokio::test(start_paused = true)]
async fn what_probes_find_is_told_while_another_container_is_being_killed() {
    let fails = || Outcome::Failure("no".into());
    let edges = ScriptedEdges::default()
        .probe("alive", [(0, Outcome::Success), (4, fails())])
        .probe("up", [(0, fails()), (7, Outcome::Success)]);
    let life = Life::with(
        Script::default().with("app", [Play::stubborn()]),
        ScriptedImages::default(),
        edges,
    );
    let probe = |name| json!({"exec": {"command": [name]}, "periodSeconds": 1, "failureThreshold": 1});
    let mut startup = probe("up");
    startup["failureThreshold"] = json!(30);
    life.create(json!({"terminationGracePeriodSeconds": 20, "containers": [
        {"name": "app", "livenessProbe": probe("alive"), "readinessProbe": probe("alive")},
        {"name": "slow", "startupProbe": startup, "readinessProbe": probe("up")}]}));
    life.pass(12).await;
    assert_eq!(life.states("app"), [CREATING, "running"]);
    assert_eq!(life.flag("app", "ready"), ["false", "true", "false"]);
    assert_eq!(life.flag("slow", "started"), ["false", "true"]);
    assert_eq!(life.flag("slow", "ready"), ["false", "true"]);
    assert_eq!(life.flag("app", "restartCount"), ["0"]);
    life.pass(20).await;
    assert_eq!(life.flag("app", "restartCount"), ["0", "1"]);
}
