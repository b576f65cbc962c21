//! What-if: a manifest's life in virtual time, from the command line.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;

use support::{stdout, transcript};

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 30
  containers:
  - name: app
    image: registry.example/app:1
    livenessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 10, failureThreshold: 3}
    readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 5}
    lifecycle: {preStop: {sleep: {seconds: 20}}}
";

fn simulated(pod: &str, more: &[&str]) -> String {
    let mut arguments = vec!["lifecycle", "--simulate", "-f", "-"];
    arguments.extend(more);
    transcript(&arguments, pod)
}

#[test]
fn a_liveness_probe_that_kills_a_slow_start_is_found() {
    let said = simulated(POD, &["--assume", "app: start 40s", "--timeout", "5m"]);
    assert!(said.starts_with("exit code: 0"), "{said}");
    assert!(said.contains("app: its liveness probe kills it"), "{said}");
    assert!(said.contains("which needs 40s to start"), "{said}");
    assert!(said.contains("not Ready within 5m"), "{said}");
    let at_once = POD.replace("    lifecycle: {preStop: {sleep: {seconds: 20}}}\n", "");
    let said = simulated(&at_once, &["--assume", "app: start 40s", "--timeout", "5m"]);
    assert!(said.contains("the first time 20s after its start"), "{said}");
    let said = simulated(POD, &["--assume", "app: start 10s"]);
    assert!(
        said.contains("leaves its start alone, which needs 10s to start"),
        "{said}"
    );
}

#[test]
fn the_fifth_restart_comes_when_the_back_off_lets_it() {
    let said = simulated(POD, &["--assume", "app: run 0s, exit 1", "--timeout", "10m"]);
    assert!(
        said.contains("restarts: 1 at +0s, 2 at +10s, 3 at +30s, 4 at +1m10s, 5 at +2m30s"),
        "{said}"
    );
}

#[test]
fn a_grace_period_is_long_enough_or_not() {
    let deleted = ["--assume", "node: delete at 1m"];
    let said = simulated(POD, &deleted);
    assert!(
        said.contains("the grace of 30s is long enough: it ends 20s after the deletion, its preStop hook included"),
        "{said}"
    );
    let mut stubborn = deleted.to_vec();
    stubborn.extend(["--assume", "app: stop never"]);
    let said = simulated(POD, &stubborn);
    assert!(
        said.contains("the grace of 30s is too short: it is killed (SIGKILL, exit code 137) 30s after"),
        "{said}"
    );
}

#[test]
fn waiting_in_virtual_time_has_the_exit_codes_of_waiting() {
    let ready = simulated(
        POD,
        &["--until", "Ready", "--assume", "app: ready after 90s", "-o", "name"],
    );
    assert!(ready.starts_with("exit code: 0"), "{ready}");
    let late = simulated(
        POD,
        &["--until", "Ready", "--assume", "app: ready after 3h", "-o", "name"],
    );
    assert!(late.starts_with("exit code: 3"), "{late}");
    let lost = POD.replace("spec:", "spec:\n  restartPolicy: Never");
    let lost = simulated(
        &lost,
        &[
            "--until",
            "Ready",
            "--assume",
            "app: run 1s, exit 1, ready after 90s",
            "-o",
            "name",
        ],
    );
    assert!(lost.starts_with("exit code: 2"), "{lost}");
    assert!(
        lost.contains("Ready cannot be reached any more: the pod has failed"),
        "{lost}"
    );
}

#[test]
fn a_wrong_assumption_gets_one_clear_error() {
    let said = simulated(POD, &["--assume", "app: strat 40s"]);
    assert!(said.starts_with("exit code: 1"), "{said}");
    assert!(said.contains("did you mean 'start 40s'?"), "{said}");
    let said = simulated(POD, &["--assume", "ap: start 40s"]);
    assert!(
        said.contains("the pod has no container \"ap\", did you mean \"app\"?"),
        "{said}"
    );
    let said = transcript(&["lifecycle", "web", "--simulate"], "");
    assert!(said.starts_with("exit code: 1"), "{said}");
}

#[test]
fn what_the_api_would_refuse_is_refused() {
    let said = simulated(&POD.replace("    image: registry.example/app:1\n", ""), &[]);
    assert!(said.starts_with("exit code: 1"), "{said}");
    assert!(said.contains("spec.containers[0].image: Required value"), "{said}");
}

#[test]
fn a_program_gets_the_answers_too() {
    let said = simulated(POD, &["-o", "json", "--assume", "app: start 10s"]);
    let record: serde_json::Value = serde_json::from_str(stdout(&said)).unwrap();
    assert_eq!(record["kind"], "PodLifecycle");
    assert_eq!(record["answers"][0], "Ready after 10s");
    assert!(record["assumed"][0].as_str().unwrap().starts_with("app: "), "{record}");
    assert_eq!(record["runs"][0]["container"], "app");
}

#[test]
fn what_nobody_looks_at_is_answered_with_what_would_look() {
    let bare = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: i}]}\n";
    let said = simulated(bare, &["--assume", "app: ready after 90s", "--timeout", "5m"]);
    assert!(said.contains("Ready after 0s\n"), "{said}");
    assert!(
        said.contains("app has no readinessProbe: it counts as Ready as soon as it has started, 1m30s before it is"),
        "{said}"
    );
}

#[test]
fn a_node_that_is_too_small_takes_no_pod() {
    let big = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n\
               \x20 - {name: app, image: i, resources: {requests: {cpu: 3}}}\n";
    assert!(simulated(big, &[]).contains("Ready after 0s"));
    let said = simulated(big, &["--assume", "node: cpu 2, memory 4Gi"]);
    assert!(
        said.contains("not scheduled: 0/1 nodes are available: 1 Insufficient cpu"),
        "{said}"
    );
    assert!(said.contains("the node: cpu 2, memory 4Gi\n"), "{said}");
}

#[test]
fn every_line_of_a_simulated_life_says_that_it_is_one() {
    let said = simulated(POD, &["--assume", "app: start 40s", "--timeout", "5m"]);
    let lines: Vec<&str> = said.lines().filter(|line| line.trim_start().starts_with('+')).collect();
    assert!(
        lines.len() > 5 && lines.iter().all(|line| line.contains("   simulated   ")),
        "{said}"
    );
    let record = simulated(POD, &["-o", "json"]);
    assert!(
        record.contains("\"source\": \"simulated\"") && !record.contains("\"recorded\""),
        "{record}"
    );
}
