//! Pods of real clusters in small: what has to be told apart, and what must not be claimed.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::reading::Reading;
use super::{Severity, Verdict};
use crate::cluster::pods::PodAndEvents;

const NOW: &str = "2026-01-02T00:00:00Z";

/// A pod with one container `app`, as far as it is told, and its events.
fn read(metadata: Value, status: Value, events: Value) -> Reading {
    Reading::of(fetched(metadata, status, events), NOW.parse::<Timestamp>().unwrap())
}

fn fetched(metadata: Value, status: Value, events: Value) -> PodAndEvents {
    let mut pod = json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"nodeName": "node1", "containers": [{"name": "app", "image": "app:1"}]},
        "status": {"startTime": "2026-01-01T00:00:00Z"},
    });
    for (part, more) in [("metadata", metadata), ("status", status)] {
        for (key, value) in more.as_object().unwrap() {
            pod[part][key] = value.clone();
        }
    }
    if let Some(spec) = pod["status"].as_object_mut().unwrap().remove("spec") {
        for (key, value) in spec.as_object().unwrap() {
            pod["spec"][key] = value.clone();
        }
    }
    let events = events.as_array().unwrap().iter().map(|event| {
        let mut event = event.clone();
        event["metadata"] = json!({});
        event["involvedObject"] = json!({"kind": "Pod", "name": "web", "uid": "u", "fieldPath": event["path"]});
        serde_json::from_value(event).unwrap()
    });
    PodAndEvents {
        events: events.collect(),
        pod: serde_json::from_value(pod).unwrap(),
        events_error: None,
    }
}

fn container(state: Value, last: Value, restarts: i32, is_ready: bool) -> Value {
    json!([{"name": "app", "image": "", "imageID": "", "ready": is_ready, "started": is_ready, "restartCount": restarts,
        "state": state, "lastState": last}])
}

fn ready(is_ready: bool) -> Value {
    let status = if is_ready { "True" } else { "False" };
    json!([{"type": "Ready", "status": status}, {"type": "ContainersReady", "status": status}])
}

/// A pod that runs and is ready, whose last instance ended so.
fn running_after(last: Value, events: Value) -> Reading {
    let status = json!({
        "phase": "Running", "conditions": ready(true),
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T23:59:00Z"}}), last, 1, true),
    });
    read(json!({}), status, events)
}

fn ended(code: i32, reason: &str, finished: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": "2025-12-20T00:00:00Z", "finishedAt": finished}})
}

fn told(reading: &Reading) -> Vec<(Severity, &str)> {
    reading
        .findings
        .iter()
        .map(|finding| (finding.severity, finding.topic.as_str()))
        .collect()
}

#[test]
fn an_old_oom_is_no_trouble_of_today() {
    let reading = running_after(ended(137, "OOMKilled", "2025-12-28T00:00:00Z"), json!([]));
    assert_eq!((reading.verdict, told(&reading)), (Verdict::Healthy, vec![]));
    let reading = running_after(ended(137, "OOMKilled", "2026-01-01T21:00:00Z"), json!([]));
    assert_eq!(
        (reading.verdict, told(&reading)),
        (Verdict::Healthy, vec![(Severity::Note, "OOMKilled")])
    );
    let reading = running_after(ended(137, "OOMKilled", "2026-01-01T23:58:00Z"), json!([]));
    assert_eq!(reading.verdict, Verdict::AtRisk);
}

#[test]
fn a_137_that_nothing_explains_is_called_unknown() {
    let reading = running_after(ended(137, "Error", "2026-01-01T23:58:59Z"), json!([]));
    assert_eq!(told(&reading), [(Severity::Warning, "137")]);
    let invented = running_after(ended(137, "ContainerStatusUnknown", "2026-01-01T23:58:59Z"), json!([]));
    assert_eq!(told(&invented), [(Severity::Warning, "ContainerStatusUnknown")]);
}

#[test]
fn a_kill_of_another_instance_does_not_explain_this_one() {
    let kill = |at: &str| {
        json!([{"type": "Normal", "reason": "Killing", "path": "spec.containers{app}", "source": {"component": "kubelet"},
            "message": "Container app failed liveness probe, will be restarted", "firstTimestamp": at, "lastTimestamp": at}])
    };
    let last = ended(137, "Error", "2026-01-01T23:58:59Z");
    let before = running_after(last.clone(), kill("2025-12-19T00:00:00Z"));
    assert_eq!(told(&before), [(Severity::Warning, "137")]);
    let after = running_after(last.clone(), kill("2026-01-01T23:59:59Z"));
    assert_eq!(told(&after), [(Severity::Warning, "137")]);
    let its_own = running_after(last, kill("2026-01-01T23:58:29Z"));
    assert_eq!(told(&its_own), [(Severity::Warning, "livenessProbe")]);
}

#[test]
fn what_ends_with_its_pods_deletion_is_told_as_a_part_of_it() {
    let metadata = json!({"deletionTimestamp": "2026-01-01T23:59:58Z", "deletionGracePeriodSeconds": 30,
        "finalizers": ["example.com/backup"]});
    let status = json!({
        "phase": "Running", "conditions": ready(false),
        "containerStatuses": container(
            json!({"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": "2026-01-01T23:59:58Z"}}), json!({}), 0, false
        ),
    });
    let reading = read(metadata, status, json!([]));
    assert!(
        told(&reading).contains(&(Severity::Note, "termination")),
        "{:?}",
        told(&reading)
    );
    assert_eq!(reading.verdict, Verdict::AtRisk);
}

#[test]
fn an_evicted_pod_is_broken_for_the_reason_that_the_kubelet_gives() {
    let status = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. Container app \
        was using 900Mi, request is 64Mi, has larger consumption of memory. "});
    let reading = read(json!({}), status, json!([]));
    assert_eq!(reading.verdict, Verdict::Broken);
    let causes: Vec<String> = reading.findings[0].causes.iter().map(ToString::to_string).collect();
    assert!(causes.join(" ").contains("900Mi"), "{causes:?}");
}

#[test]
fn a_pod_that_failed_is_broken_even_where_nothing_says_why() {
    let reading = read(json!({}), json!({"phase": "Failed"}), json!([]));
    assert_eq!(reading.verdict, Verdict::Broken);
}

#[test]
fn a_pod_that_nobody_has_taken_up_is_told_from_one_that_is_new() {
    let pending = json!({"phase": "Pending", "spec": {"nodeName": ""}, "startTime": null});
    let old = read(json!({}), pending.clone(), json!([]));
    assert_eq!(told(&old)[0], (Severity::Error, "PodScheduled"));
    let new = read(json!({"creationTimestamp": "2026-01-01T23:59:59Z"}), pending, json!([]));
    assert_eq!(
        (new.verdict, told(&new)[0]),
        (Verdict::OnItsWay, (Severity::Note, "PodScheduled"))
    );
    let placed = json!({"phase": "Pending", "startTime": null,
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"}]});
    let silent = read(json!({}), placed, json!([]));
    assert_eq!(told(&silent)[0], (Severity::Error, "NodeLost"));
}

#[test]
fn of_a_pod_that_no_kubelet_has_taken_up_the_node_is_looked_at_however_young_it_is() {
    let young = json!({"creationTimestamp": "2026-01-01T23:59:59Z"});
    let untaken = read(young.clone(), json!({"phase": "Pending", "startTime": null}), json!([]));
    assert_eq!(untaken.needs().node.as_deref(), Some("node1"));
    let taken = read(
        young,
        json!({"phase": "Pending", "startTime": "2026-01-01T23:59:59Z"}),
        json!([]),
    );
    assert_eq!(taken.needs().node, None);
}

#[test]
fn a_readiness_probe_has_failed_for_good_when_all_its_tries_are_over_however_few_events_were_written() {
    for (started, severity) in [
        ("2026-01-01T23:59:30Z", Severity::Error),
        ("2026-01-01T23:59:50Z", Severity::Warning),
    ] {
        let status = json!({
            "phase": "Running", "conditions": ready(false),
            "spec": {"containers": [{"name": "app", "image": "app:1", "readinessProbe": {"exec": {"command": ["false"]}}}]},
            "containerStatuses": container(json!({"running": {"startedAt": started}}), json!({}), 0, false),
        });
        let event = json!([{"reason": "Unhealthy", "type": "Warning", "message": "Readiness probe failed: no",
            "path": "spec.containers{app}", "count": 1, "lastTimestamp": "2026-01-01T23:59:55Z"}]);
        let reading = read(json!({}), status, event);
        assert_eq!(told(&reading)[0], (severity, "readinessProbe"), "{started}");
    }
}

#[test]
fn a_liveness_probe_that_errs_threatens_nobody() {
    let status = json!({
        "phase": "Running", "conditions": ready(true),
        "spec": {"containers": [{"name": "app", "image": "app:1", "livenessProbe": {"exec": {"command": ["nope"]}}}]},
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T23:50:00Z"}}), json!({}), 0, true),
    });
    for (message, severity, threatens) in [
        ("Liveness probe failed: no", Severity::Error, true),
        (
            "Liveness probe errored and resulted in unknown state: rpc error: code = Unknown desc = exec failed: unable to \
            start container process: exec: \"nope\": executable file not found in $PATH",
            Severity::Warning,
            false,
        ),
    ] {
        let event = json!([{"reason": "Unhealthy", "type": "Warning", "message": message,
            "path": "spec.containers{app}", "count": 9, "lastTimestamp": "2026-01-01T23:59:55Z"}]);
        let reading = read(json!({}), status.clone(), event);
        assert_eq!(told(&reading)[0], (severity, "livenessProbe"), "{message}");
        let causes: Vec<String> = reading.findings[0].causes.iter().map(ToString::to_string).collect();
        let restarted = causes.iter().any(|cause| cause.contains("the container is restarted"));
        assert_eq!(restarted, threatens, "{causes:?}");
    }
}

#[test]
fn a_node_that_is_silent_makes_its_pods_broken() {
    let status = json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}],
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T00:00:01Z"}}), json!({}), 0, true),
    });
    let reading = read(json!({}), status, json!([]));
    assert_eq!(told(&reading), [(Severity::Error, "NodeLost")]);
}

#[test]
fn a_file_without_events_does_not_date_the_last_restart() {
    let status = json!({
        "phase": "Running", "conditions": ready(true),
        "containerStatuses": container(json!({"running": {"startedAt": "2025-12-28T00:00:02Z"}}),
            ended(137, "OOMKilled", "2025-12-28T00:00:00Z"), 12, true),
        "startTime": "2025-12-01T00:00:00Z",
    });
    let metadata = json!({"creationTimestamp": "2025-12-01T00:00:00Z"});
    let saved = Reading::of_saved(fetched(metadata.clone(), status.clone(), json!([])));
    assert_eq!(
        (saved.verdict, told(&saved)),
        (Verdict::Healthy, vec![(Severity::Note, "OOMKilled")])
    );
    let said = saved.findings[0].what.to_string();
    assert!(!said.contains("ago"), "{said}");
    let restart = json!([{"type": "Normal", "reason": "Started", "path": "spec.containers{app}", "message": "Started",
        "lastTimestamp": "2025-12-28T00:00:02Z"}]);
    let dated = Reading::of_saved(fetched(metadata, status, restart));
    assert_eq!(
        (dated.verdict, told(&dated)),
        (Verdict::AtRisk, vec![(Severity::Warning, "OOMKilled")])
    );
}

#[test]
fn a_file_without_events_does_not_call_a_probe_early() {
    let status = json!({
        "phase": "Running", "conditions": ready(false), "startTime": "2026-01-01T00:00:00Z",
        "spec": {"containers": [{"name": "app", "image": "app:1", "readinessProbe": {"exec": {"command": ["false"]}}}]},
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T00:00:01Z"}}), json!({}), 0, false),
    });
    let saved = Reading::of_saved(fetched(json!({}), status, json!([])));
    assert_eq!(told(&saved), [(Severity::Warning, "readinessProbe")]);
    assert_eq!(saved.findings[0].causes, [super::message::say("probes.no-events")]);
}

#[test]
fn a_pod_that_failed_for_a_disruption_says_which() {
    let status = json!({"phase": "Failed",
        "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "m"}]});
    let reading = read(json!({}), status, json!([]));
    assert_eq!(told(&reading)[0], (Severity::Error, "DisruptionTarget"));
    assert_eq!(
        reading.findings[0].causes,
        [super::message::say("conditions.preempted")]
    );
}

#[test]
fn an_image_that_a_volume_asks_for_is_not_called_the_containers() {
    let state = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"model:1\": ErrImagePull: \
        model:1: not found"}});
    let status = json!({"phase": "Pending", "conditions": ready(false),
        "spec": {"volumes": [{"name": "model", "image": {"reference": "model:1"}}]},
        "containerStatuses": container(state, json!({}), 0, false)});
    let said = read(json!({}), status, json!([])).findings[0].what.to_string();
    assert!(said.contains("the volume model") && said.contains("model:1"), "{said}");
}

#[test]
fn a_container_that_was_lost_with_its_evicted_pod_is_no_trouble_of_its_own() {
    let status = json!({"phase": "Failed", "reason": "Evicted", "message": "The node had condition: [DiskPressure]. ",
        "containerStatuses": container(
            json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}), json!({}), 0, false)});
    let reading = read(json!({}), status, json!([]));
    let errors: Vec<_> = told(&reading)
        .into_iter()
        .filter(|(severity, _)| *severity == Severity::Error)
        .collect();
    assert_eq!(errors, [(Severity::Error, "Evicted")]);
}

#[test]
fn a_container_that_is_killed_before_it_has_ever_started_is_broken_between_two_kills_too() {
    let status = json!({
        "phase": "Running", "conditions": ready(false),
        "spec": {"containers": [{"name": "app", "image": "app:1", "startupProbe": {"exec": {"command": ["false"]}}}]},
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T23:59:45Z"}}),
            ended(137, "Error", "2026-01-01T23:59:44Z"), 6, false),
    });
    let kill = json!([{"type": "Normal", "reason": "Killing", "path": "spec.containers{app}", "count": 6,
        "message": "Container app failed startup probe, will be restarted",
        "firstTimestamp": "2026-01-01T23:00:00Z", "lastTimestamp": "2026-01-01T23:59:14Z"}]);
    let reading = read(json!({}), status, kill);
    assert_eq!(
        (reading.verdict, told(&reading)[0]),
        (Verdict::Broken, (Severity::Error, "startupProbe"))
    );
}

#[test]
fn an_end_by_a_signal_is_no_success_whatever_the_code_says() {
    let state = json!({"terminated": {"exitCode": 0, "signal": 11}});
    let status = json!({"phase": "Failed", "containerStatuses": container(state, json!({}), 0, false)});
    assert_eq!(told(&read(json!({}), status, json!([])))[0], (Severity::Error, "139"));
}

#[test]
fn a_gated_pod_is_told_by_its_spec_where_no_condition_is_written_yet() {
    let status = json!({"phase": "Pending", "startTime": null,
        "spec": {"nodeName": "", "schedulingGates": [{"name": "example.com/quota"}]}});
    assert_eq!(
        told(&read(json!({}), status, json!([]))),
        [(Severity::Warning, "SchedulingGated")]
    );
}

#[test]
fn an_error_of_the_scheduler_is_not_called_a_lack_of_nodes() {
    let status = json!({"phase": "Pending", "startTime": null, "spec": {"nodeName": ""},
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulerError", "message": "binding rejected"}]});
    let reading = read(json!({}), status, json!([]));
    assert_eq!(told(&reading), [(Severity::Error, "SchedulerError")]);
    assert_eq!(
        reading.findings[0].causes,
        [super::message::say("scheduling.error.cause")]
    );
}

#[test]
fn a_lost_node_is_told_once_and_holds_a_deletion_too() {
    let lost = |reason: Value, metadata: Value, events: Value| {
        let status = json!({
            "phase": "Running", "reason": reason,
            "conditions": [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}],
            "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T00:00:01Z"}}), json!({}), 0, true),
        });
        read(metadata, status, events)
    };
    assert_eq!(
        told(&lost(json!("NodeLost"), json!({}), json!([]))),
        [(Severity::Error, "NodeLost")]
    );
    let deleted = json!({"deletionTimestamp": "2026-01-02T00:00:20Z", "deletionGracePeriodSeconds": 30});
    let news = json!([{"type": "Warning", "reason": "NodeNotReady", "path": "", "message": "Node is not ready",
        "source": {"component": "node-controller"}, "lastTimestamp": "2026-01-01T23:54:50Z"}]);
    let deleted = lost(Value::Null, deleted, news);
    assert_eq!(
        (deleted.verdict, told(&deleted)[0]),
        (Verdict::Broken, (Severity::Error, "NodeLost"))
    );
}

#[test]
fn a_kubelet_that_tells_nothing_of_a_pod_that_it_took_up_is_told() {
    let status = json!({"phase": "Pending", "conditions": ready(false)});
    assert_eq!(
        told(&read(json!({}), status, json!([]))),
        [(Severity::Warning, "ContainerCreating")]
    );
}

#[test]
fn a_condition_that_is_bad_when_true_is_no_sign_of_health() {
    let status = json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"},
            {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}],
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T00:00:01Z"}}), json!({}), 0, true),
    });
    let reading = read(json!({}), status, json!([]));
    assert_eq!(
        (reading.verdict, told(&reading)[0].1),
        (Verdict::AtRisk, "DisruptionTarget")
    );
}

#[test]
fn a_debug_container_that_failed_does_not_break_its_pod() {
    let mut status = json!({
        "phase": "Running", "conditions": ready(true),
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T00:00:01Z"}}), json!({}), 0, true),
        "spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox:1"}]},
    });
    status["ephemeralContainerStatuses"] = json!([{"name": "debug", "image": "", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"terminated": {"exitCode": 130, "reason": "Error"}}}]);
    let reading = read(json!({}), status, json!([]));
    assert_eq!(reading.verdict, Verdict::Healthy);
}

#[test]
fn a_program_that_ends_well_again_and_again_is_told() {
    let status = json!({
        "phase": "Running", "conditions": ready(true),
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T23:59:50Z"}}),
            ended(0, "Completed", "2026-01-01T23:59:30Z"), 5, true),
    });
    let reading = read(json!({}), status, json!([]));
    assert_eq!(
        (reading.verdict, told(&reading)),
        (Verdict::AtRisk, vec![(Severity::Warning, "Completed")])
    );
}

#[test]
fn a_volume_that_cannot_be_had_is_told_with_the_object_that_is_missing() {
    let status = json!({
        "phase": "Pending", "conditions": ready(false),
        "containerStatuses": container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({}), 0, false),
        "spec": {"volumes": [{"name": "config", "configMap": {"name": "settings"}}]},
    });
    let events = json!([{"type": "Warning", "reason": "FailedMount", "path": "", "source": {"component": "kubelet"},
        "message": "MountVolume.SetUp failed for volume \"config\" : configmap \"settings\" not found",
        "lastTimestamp": "2026-01-01T23:59:00Z", "count": 8}]);
    let reading = read(json!({}), status, events);
    assert_eq!(told(&reading), [(Severity::Error, "FailedMount")]);
    let places: Vec<_> = reading.findings[0]
        .evidence
        .iter()
        .map(|seen| seen.place.as_str())
        .collect();
    assert!(places.contains(&"spec.volumes[0].configMap.name"), "{places:?}");
}

#[test]
fn a_volumes_own_event_tells_more_than_the_summary_that_comes_after_it() {
    let status = json!({
        "phase": "Pending", "conditions": ready(false),
        "containerStatuses": container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({}), 0, false),
        "spec": {"volumes": [{"name": "config", "configMap": {"name": "settings"}}]},
    });
    let event = |message: &str, at: &str| {
        json!({"type": "Warning", "reason": "FailedMount", "path": "", "source": {"component": "kubelet"},
            "message": message, "lastTimestamp": at})
    };
    let events = json!([
        event(
            "MountVolume.SetUp failed for volume \"config\" : configmap \"settings\" not found",
            "2026-01-01T23:58:00Z"
        ),
        event(
            "Unable to attach or mount volumes: unmounted volumes=[config], unattached volumes=[config]: timed out waiting \
            for the condition",
            "2026-01-01T23:59:00Z"
        ),
    ]);
    let reading = read(json!({}), status, events);
    assert_eq!(told(&reading), [(Severity::Error, "FailedMount")]);
    assert!(reading.findings[0].evidence[0].quote.contains("settings"));
}

#[test]
fn a_warning_that_no_rule_knows_is_told_where_nothing_else_explains_the_pod() {
    let status = json!({
        "phase": "Running", "conditions": ready(false),
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T23:59:00Z"}}), json!({}), 0, false),
    });
    let events = json!([{"type": "Warning", "reason": "OddThing", "path": "", "message": "something odd",
        "lastTimestamp": "2026-01-01T23:59:30Z"}]);
    let reading = read(json!({}), status, events);
    assert_eq!(told(&reading), [(Severity::Warning, "OddThing")]);
    assert_eq!(reading.verdict, Verdict::OnItsWay);
}

/// Whatever a cluster says, and wherever it stops saying it, it is read without a crash, and what is broken stays so.
#[test]
fn no_message_is_too_odd_to_be_read() {
    let messages = [
        "0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had untolerated taint {a: b, c}. preemption: 0/4 nodes are available.",
        "failed to create containerd task: OCI runtime create failed: exec: \"/no/such\": stat /no/such: no such file",
        "The node was low on resource: memory. Container app was using 900Mi, request is 64Mi, has larger consumption of memory. ",
        "MountVolume.SetUp failed for volume \"config\" : configmap \"settings\" not found, unmounted volumes=[a b]",
        "couldn't find key 파드 in Secret prod/db: \"{container}\" {{}} \u{1b}[31m",
        "back-off 5m0s restarting failed container=app pod=web_shop(u)",
    ];
    for message in messages {
        let ends = message.char_indices().map(|(end, _)| end).step_by(3);
        for part in ends.map(|end| &message[..end]) {
            let waiting = |reason: &str| {
                let state = json!({"waiting": {"reason": reason, "message": part}});
                json!({"phase": "Pending", "conditions": ready(false),
                    "containerStatuses": container(state, json!({}), 0, false)})
            };
            for reason in [
                "RunContainerError",
                "CreateContainerConfigError",
                "ImagePullBackOff",
                "CrashLoopBackOff",
                "Odd",
            ] {
                assert_eq!(
                    read(json!({}), waiting(reason), json!([])).verdict,
                    Verdict::Broken,
                    "{reason}: {part}"
                );
            }
            let failed = json!({"phase": "Failed", "reason": "Evicted", "message": part});
            assert_eq!(read(json!({}), failed, json!([])).verdict, Verdict::Broken, "{part}");
            let unplaced = json!({"phase": "Pending", "spec": {"nodeName": ""},
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": part}]});
            assert_eq!(read(json!({}), unplaced, json!([])).verdict, Verdict::Broken, "{part}");
        }
    }
}

/// A pod whose container waits for its volumes, two hours after its creation.
fn creating(events: Value) -> Reading {
    let status = json!({
        "phase": "Pending", "conditions": ready(false), "startTime": "2026-01-01T22:00:00Z",
        "containerStatuses": container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({}), 0, false),
        "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]},
    });
    read(json!({"creationTimestamp": "2026-01-01T22:00:00Z"}), status, events)
}

fn warning(reason: &str, message: &str, at: &str) -> Value {
    json!({"type": "Warning", "reason": reason, "path": "", "message": message, "lastTimestamp": at})
}

const MULTI_ATTACH: &str = "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be \
                            attached to another";

#[test]
fn old_event_holds_until_something_newer_contradicts_it() {
    let old = warning("FailedAttachVolume", MULTI_ATTACH, "2026-01-01T22:10:00Z");
    let reading = creating(json!([old]));
    assert_eq!(
        (reading.verdict, told(&reading)),
        (Verdict::Broken, vec![(Severity::Error, "FailedAttachVolume")])
    );
    let place = &reading.findings[0].evidence[0].place;
    assert!(place.contains("age 110m"), "{place}");
    let attached = json!({"type": "Normal", "reason": "SuccessfulAttachVolume", "path": "",
        "message": "AttachVolume.Attach succeeded for volume \"pvc-1\"", "lastTimestamp": "2026-01-01T22:20:00Z"});
    let after = creating(json!([old, attached]));
    assert!(
        !told(&after).contains(&(Severity::Error, "FailedAttachVolume")),
        "{:?}",
        told(&after)
    );
    let sandbox = warning(
        "FailedCreatePodSandBox",
        "Failed to create pod sandbox: plugin type=\"calico\" failed (add): no IP addresses available in range set",
        "2026-01-01T23:50:00Z",
    );
    assert_eq!(
        told(&creating(json!([sandbox]))),
        [(Severity::Error, "FailedCreatePodSandBox")]
    );
}

#[test]
fn attach_error_comes_before_the_time_out_that_follows_from_it() {
    let summary = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[]: timed out waiting for the \
                   condition";
    let reading = creating(json!([
        warning("FailedAttachVolume", MULTI_ATTACH, "2026-01-01T22:10:00Z"),
        warning("FailedMount", summary, "2026-01-01T23:59:40Z"),
    ]));
    assert_eq!(told(&reading), [(Severity::Error, "FailedAttachVolume")]);
}

#[test]
fn crash_loop_is_one_finding_with_its_cause() {
    let state =
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=app"}});
    let loops = |last: Value| {
        let status = json!({"phase": "Running", "conditions": ready(false),
            "containerStatuses": container(state.clone(), last, 6, false)});
        read(json!({}), status, json!([]))
    };
    let illegal = loops(ended(132, "Error", "2026-01-01T23:59:00Z"));
    assert_eq!(told(&illegal), [(Severity::Error, "CrashLoopBackOff")]);
    assert!(illegal.findings[0].causes.contains(&super::message::say("exit.132")));
    let start = json!({"terminated": {"exitCode": 128, "reason": "StartError", "startedAt": "1970-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T23:59:00Z", "message": "exec: \"/app/start.sh\": permission denied: unknown"}});
    let start = loops(start);
    let steps: Vec<String> = start.findings[0].next.iter().map(|step| format!("{step:?}")).collect();
    assert!(!steps.iter().any(|step| step.contains("logs")), "{steps:?}");
    let causes: Vec<String> = start.findings[0].causes.iter().map(ToString::to_string).collect();
    assert!(causes.iter().any(|cause| cause.contains("/app/start.sh")), "{causes:?}");
}

#[test]
fn grace_period_of_a_file_is_told_only_where_something_is_newer() {
    let status = json!({"phase": "Running", "conditions": ready(true), "startTime": "2026-01-01T00:00:00Z",
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T00:00:01Z"}}), json!({}), 0, true)});
    let deleted = json!({"deletionTimestamp": "2026-01-02T00:00:30Z", "deletionGracePeriodSeconds": 30});
    let undated = Reading::of_saved(fetched(deleted.clone(), status.clone(), json!([])));
    assert_eq!(
        (undated.verdict, told(&undated)),
        (Verdict::AtRisk, vec![(Severity::Warning, "Terminating")])
    );
    let kill = json!([{"type": "Normal", "reason": "Killing", "path": "spec.containers{app}", "message": "Stopping container app",
        "lastTimestamp": "2026-01-02T00:00:00Z"}]);
    let dated = Reading::of_saved(fetched(deleted, status, kill));
    assert_eq!(
        (dated.verdict, told(&dated)),
        (Verdict::OnItsWay, vec![(Severity::Note, "termination")])
    );
}

#[test]
fn failed_event_of_a_pull_that_succeeded_is_no_news() {
    let status = json!({
        "phase": "Running", "conditions": ready(false),
        "containerStatuses": container(json!({"running": {"startedAt": "2026-01-01T23:59:55Z"}}), json!({}), 0, false),
    });
    let pull = json!([{"type": "Warning", "reason": "Failed", "path": "spec.containers{app}", "message": "Error: ErrImagePull",
        "lastTimestamp": "2026-01-01T23:59:00Z"}]);
    assert_eq!(told(&read(json!({}), status, pull)), []);
}
