//! What is asked of an API server, and what is made of its answers.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Server, change, list, pod, refusal, transcript};

/// The times of a live view are those of the run, and so is the chart below it.
fn settled(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut is_chart = false;
    for line in text.lines() {
        is_chart = (is_chart || line.is_empty()) && !line.starts_with("Next:") && !line.starts_with("-----");
        if is_chart {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [time, elapsed, rest @ ..] if time.contains(':') && elapsed.starts_with('+') => lines.push(rest.join(" ")),
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

#[test]
fn describe_asks_twice_at_once_and_discovers_nothing() {
    let server = Server::start(|path, _| {
        if path.contains("/events") {
            list("EventList", &[], None)
        } else {
            (200, vec![pod("web", "Running", true).to_string()])
        }
    });
    let said = transcript(&["describe", "web", "-s", &server.url], "");
    assert!(said.starts_with("exit code: 0"), "{said}");
    let mut asked = server.requests();
    asked.sort();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].starts_with("/api/v1/namespaces/default/events?"), "{asked:?}");
    assert!(asked[1].starts_with("/api/v1/namespaces/default/pods/web"), "{asked:?}");
}

#[test]
fn a_pod_that_does_not_exist_is_said_as_kubectl_says_it() {
    let server = Server::start(|path, _| {
        if path.contains("/events") {
            list("EventList", &[], None)
        } else {
            refusal(404, "NotFound", "pods \"web\" not found")
        }
    });
    insta::assert_snapshot!(transcript(&["describe", "web", "-s", &server.url], ""));
}

#[test]
fn who_may_not_read_events_still_sees_the_pod() {
    let server = Server::start(|path, _| {
        if path.contains("/events") {
            refusal(
                403,
                "Forbidden",
                "events is forbidden: User \"u\" cannot list resource \"events\"",
            )
        } else {
            (200, vec![pod("web", "Running", true).to_string()])
        }
    });
    let said = transcript(&["describe", "web", "-s", &server.url], "");
    assert!(said.starts_with("exit code: 0"), "{said}");
    assert!(
        said.contains("could not be fetched: Error from server (Forbidden): events is forbidden"),
        "{said}"
    );
}

#[test]
fn all_pages_are_read() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("continue=next") => list("PodList", &[pod("two", "Running", true)], None),
        _ => list("PodList", &[pod("one", "Running", true)], Some("next")),
    });
    insta::assert_snapshot!(transcript(&["describe", "-A", "-o", "name", "-s", &server.url], ""));
}

#[test]
fn nothing_in_a_namespace_is_no_error() {
    let server = Server::start(|path, _| {
        list(
            if path.contains("/events") {
                "EventList"
            } else {
                "PodList"
            },
            &[],
            None,
        )
    });
    insta::assert_snapshot!(transcript(&["describe", "-s", &server.url], ""));
}

/// A server whose pod goes through some states, one watch event each.
fn living(states: Vec<Value>) -> Server {
    Server::start(move |path, before| match path {
        path if path.contains("/events") && path.contains("watch=true") => {
            std::thread::sleep(std::time::Duration::from_secs(5));
            (200, vec![])
        }
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("watch=true") && before == 0 => {
            (200, states.iter().map(|state| change("MODIFIED", state)).collect())
        }
        path if path.contains("watch=true") => {
            std::thread::sleep(std::time::Duration::from_secs(5));
            (200, vec![])
        }
        _ => list("PodList", &[pod("web", "Pending", false)], None),
    })
}

#[test]
fn waiting_for_ready_ends_when_it_is() {
    let server = living(vec![pod("web", "Running", false), pod("web", "Running", true)]);
    let said = transcript(&["lifecycle", "web", "--until", "Ready", "-s", &server.url], "");
    insta::assert_snapshot!(settled(&said));
}

#[test]
fn waiting_for_what_cannot_come_any_more_ends_with_2() {
    let server = living(vec![pod("web", "Failed", false)]);
    let said = transcript(
        &["lifecycle", "web", "--until", "ready", "-o", "name", "-s", &server.url],
        "",
    );
    insta::assert_snapshot!(said);
}

#[test]
fn waiting_too_long_ends_with_3() {
    let server = living(vec![]);
    let said = transcript(
        &[
            "lifecycle",
            "web",
            "--until=Ready",
            // Time enough to be told of the pod.
            "--timeout=5s",
            "-o",
            "name",
            "-s",
            &server.url,
        ],
        "",
    );
    insta::assert_snapshot!(said);
}

#[test]
fn a_deleted_pod_is_what_some_wait_for() {
    let server = Server::start(|path, before| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("watch=true") && before == 0 => {
            (200, vec![change("DELETED", &pod("web", "Running", false))])
        }
        path if path.contains("watch=true") => (200, vec![]),
        _ => list("PodList", &[pod("web", "Running", true)], None),
    });
    let said = transcript(
        &[
            "lifecycle",
            "web",
            "--until",
            "Deleted",
            "-o",
            "name",
            "-s",
            &server.url,
        ],
        "",
    );
    assert!(said.starts_with("exit code: 0"), "{said}");
}

#[test]
fn a_pod_that_went_while_the_watch_was_broken_is_seen_to_be_gone() {
    let server = Server::start(|path, before| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("watch=true") && before == 0 => {
            let expired =
                json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
            (200, vec![change("ERROR", &expired)])
        }
        path if path.contains("watch=true") => (200, vec![]),
        _ if before == 0 => list("PodList", &[pod("web", "Running", true)], None),
        _ => list("PodList", &[], None),
    });
    let said = transcript(
        &[
            "lifecycle",
            "web",
            "--until",
            "Deleted",
            "--timeout",
            "20s",
            "-s",
            &server.url,
        ],
        "",
    );
    assert!(said.starts_with("exit code: 0"), "{said}");
    assert!(said.contains("deleted"), "{said}");
}

#[test]
fn a_forgotten_version_is_mended_by_reading_everything_again() {
    let server = Server::start(|path, before| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("watch=true") && before == 0 => {
            let gone =
                json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
            (200, vec![change("ERROR", &gone)])
        }
        path if path.contains("watch=true") => (200, vec![]),
        _ => list(
            "PodList",
            &[pod("web", if before == 0 { "Pending" } else { "Running" }, before > 0)],
            None,
        ),
    });
    let said = transcript(
        &["lifecycle", "web", "--until", "Ready", "-o", "name", "-s", &server.url],
        "",
    );
    assert!(said.starts_with("exit code: 0"), "{said}");
}

#[test]
fn watching_a_pod_that_does_not_exist_is_an_error() {
    let server = Server::start(|path, _| {
        list(
            if path.contains("/events") {
                "EventList"
            } else {
                "PodList"
            },
            &[],
            None,
        )
    });
    insta::assert_snapshot!(transcript(&["lifecycle", "web", "-w", "-s", &server.url], ""));
}

/// A server that has one pod.
fn one_pod() -> Server {
    Server::start(|path, _| {
        if path.contains("/events") {
            list("EventList", &[], None)
        } else {
            (200, vec![pod("web", "Running", true).to_string()])
        }
    })
}

#[test]
fn who_asks_is_told_as_the_flags_say() {
    for (flags, headers) in [
        (vec!["--token", "t"], vec!["authorization: bearer t"]),
        (
            vec!["--username", "u", "--password", "p"],
            vec!["authorization: basic dtpw"],
        ),
        (
            vec![
                "--as=u",
                "--as-group=g",
                "--as-group=h",
                "--as-uid=7",
                "--as-user-extra=k=v",
            ],
            vec![
                "impersonate-user: u",
                "impersonate-group: g",
                "impersonate-group: h",
                "impersonate-uid: 7",
                "impersonate-extra-k: v",
            ],
        ),
    ] {
        let server = one_pod();
        let said = transcript(
            &[&["describe", "web", "-s", &server.url], flags.as_slice()].concat(),
            "",
        );
        assert!(said.starts_with("exit code: 0"), "{said}");
        let told = server.headers();
        for header in headers {
            assert!(told.contains(&format!("{header}\r\n")), "{header}: {told}");
        }
    }
}

#[test]
fn requests_are_told_from_level_6_on_and_secrets_are_not() {
    let server = one_pod();
    let at = |level: &str| transcript(&["describe", "web", "-s", &server.url, "--token", "hush", level], "");
    let told = at("-v=6");
    let line = format!(
        "\"Response\" verb=\"GET\" url=\"{}/api/v1/namespaces/default/pods/web\" status=\"200 OK\"",
        server.url
    );
    assert!(told.contains(&line), "{told}");
    assert!(!told.contains("hush"), "{told}");
    assert!(!at("-v=5").contains("Response"));
}

#[test]
fn warnings_of_the_server_are_told_and_are_errors_where_asked() {
    let server = one_pod();
    let told = transcript(&["describe", "warned", "-s", &server.url], "");
    assert!(told.starts_with("exit code: 0"), "{told}");
    assert!(told.contains("Warning: spec.x: deprecated\n"), "{told}");
    let refused = transcript(&["describe", "warned", "-s", &server.url, "--warnings-as-errors"], "");
    assert!(refused.starts_with("exit code: 1"), "{refused}");
    assert!(refused.ends_with("error: 1 warning received\n"), "{refused}");
}

#[test]
fn pods_are_found_through_what_they_belong_to() {
    let workload = |selector: Value| {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "uid": "o1"}, "spec": {"selector": selector},
        });
        (200, vec![object.to_string()])
    };
    let server = Server::start(move |path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.starts_with("/apis/apps/v1/namespaces/default/deployments/web") => {
            workload(json!({"matchLabels": {"app": "web"}}))
        }
        path if path.starts_with("/api/v1/namespaces/default/services/web") => workload(json!({"tier": "front"})),
        path if path.starts_with("/apis/batch/v1/namespaces/default/cronjobs/web") => workload(json!({})),
        path if path.starts_with("/apis/batch/v1/namespaces/default/jobs") => list(
            "JobList",
            &[json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "web-1", "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "web", "uid": "o1"}]},
                "spec": {"selector": {"matchLabels": {"job": "web-1"}}},
            })],
            None,
        ),
        path if path.starts_with("/api/v1/nodes/n1") => workload(json!({})),
        path if path.contains("labelSelector=app%3Dweb") => {
            list("PodList", &[pod("of-deployment", "Running", true)], None)
        }
        path if path.contains("labelSelector=tier%3Dfront") => {
            list("PodList", &[pod("of-service", "Running", true)], None)
        }
        path if path.contains("labelSelector=job%3Dweb-1") => list("PodList", &[pod("of-job", "Running", true)], None),
        path if path.starts_with("/api/v1/pods") && path.contains("fieldSelector=spec.nodeName%3Dn1") => {
            list("PodList", &[pod("of-node", "Running", true)], None)
        }
        path => panic!("asked for {path}"),
    });
    for (named, found) in [
        ("deploy/web", "of-deployment"),
        ("svc/web", "of-service"),
        ("cronjob/web", "of-job"),
        ("node/n1", "of-node"),
    ] {
        let said = transcript(&["describe", named, "-o", "name", "-s", &server.url], "");
        assert!(said.contains(&format!("pod/{found}\n")), "{named}: {said}");
    }
}

#[test]
fn a_type_that_the_server_lacks_is_said_as_kubectl_says_it() {
    let server = Server::start(|_, _| (404, vec!["404 page not found".to_owned()]));
    let said = transcript(&["describe", "deploy/web", "-s", &server.url], "");
    assert!(
        said.ends_with("error: the server doesn't have a resource type \"deploy\"\n"),
        "{said}"
    );
}

#[test]
fn the_beginning_of_a_name_describes_all_pods_that_begin_so() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("/pods/we") => refusal(404, "NotFound", "pods \"we\" not found"),
        path if path.starts_with("/api/v1/namespaces/default?") || path == "/api/v1/namespaces/default" => (
            200,
            vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}).to_string()],
        ),
        _ => list(
            "PodList",
            &[
                pod("web-1", "Running", true),
                pod("db", "Running", true),
                pod("web-2", "Running", true),
            ],
            None,
        ),
    });
    let said = transcript(&["describe", "we", "-o", "name", "-s", &server.url], "");
    assert!(
        said.contains("----- stdout -----\npod/web-1\npod/web-2\n----- stderr"),
        "{said}"
    );
}

#[test]
fn one_container_is_described_where_it_is_named() {
    let server = one_pod();
    let said = transcript(&["describe", "web", "-s", &server.url, "-c", "app"], "");
    assert!(said.starts_with("exit code: 0"), "{said}");
    let refused = transcript(&["describe", "web", "-s", &server.url, "-c", "nope"], "");
    assert!(
        refused.ends_with("error: container nope is not valid for pod web out of: app\n"),
        "{refused}"
    );
}

#[test]
fn flags_that_would_do_nothing_are_refused() {
    for (flags, said) in [
        (vec!["--logs"], "--logs follows what containers write"),
        (vec!["-c", "app", "-w"], "-c says whose output --logs shows"),
    ] {
        let refused = transcript(&[&["lifecycle", "web"], flags.as_slice()].concat(), "");
        assert!(
            refused.starts_with("exit code: 1") && refused.contains(said),
            "{refused}"
        );
    }
}

/// Holds requests until so many have come: were they not made at once, nobody would ever be answered.
#[derive(Clone)]
struct Round(Arc<(Mutex<usize>, Condvar)>, usize);

impl Round {
    fn of(count: usize) -> Self {
        Self(Arc::default(), count)
    }

    fn wait_for_all(&self) {
        let (come, all) = &*self.0;
        let mut come = come.lock().unwrap();
        *come += 1;
        all.notify_all();
        let waited = all
            .wait_timeout_while(come, Duration::from_secs(120), |come| *come < self.1)
            .unwrap()
            .1;
        assert!(
            !waited.timed_out(),
            "requests that belong together were made one after the other"
        );
    }
}

#[test]
fn a_broken_pod_is_read_in_two_rounds_of_requests_and_nothing_is_discovered() {
    let broken = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web", "namespace": "default", "uid": "u", "labels": {"app": "web"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": true}],
        },
        "spec": {"nodeName": "n1", "containers": [{
            "name": "app", "image": "i:1", "resources": {"limits": {"memory": "64Mi"}},
            "readinessProbe": {"tcpSocket": {"port": 80}},
        }]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"},
                {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}],
            "containerStatuses": [{
                "name": "app", "image": "i:1", "imageID": "", "ready": false, "started": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }],
        },
    });
    let event = json!({
        "metadata": {"name": "web.1", "namespace": "default"}, "type": "Warning", "reason": "Unhealthy", "count": 3,
        "message": "Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused",
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default", "uid": "u", "fieldPath": "spec.containers{app}"},
        "firstTimestamp": "2026-01-01T00:00:01Z", "lastTimestamp": "2026-01-01T00:00:09Z",
    });
    let around = [
        "/api/v1/nodes/n1",
        "/api/v1/namespaces/default/services",
        "/apis/apps/v1/namespaces/default/replicasets/web-1",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/web",
        "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
    ];
    for command in [&["describe", "web"][..], &["explain", "pod/web"]] {
        let (first, second) = (Round::of(2), Round::of(around.len()));
        let (pod, event) = (broken.clone(), event.clone());
        let server = Server::start(move |path, _| match path {
            path if path.starts_with("/api/v1/namespaces/default/pods/web") => {
                first.wait_for_all();
                (200, vec![pod.to_string()])
            }
            path if path.starts_with("/api/v1/namespaces/default/events?") => {
                first.wait_for_all();
                list("EventList", std::slice::from_ref(&event), None)
            }
            path if around.iter().any(|known| path.starts_with(known)) => {
                second.wait_for_all();
                match path {
                    path if path.contains("/services") => list("ServiceList", &[], None),
                    path if path.contains("/endpointslices") => list("EndpointSliceList", &[], None),
                    path if path.contains("/poddisruptionbudgets") => list("PodDisruptionBudgetList", &[], None),
                    _ => refusal(404, "NotFound", "there is none"),
                }
            }
            path => panic!("asked for {path}"),
        });
        let said = transcript(&[command, &["-s", &server.url]].concat(), "");
        assert!(said.starts_with("exit code: 0"), "{said}");
        assert!(said.contains("its readiness probe fails"), "{said}");
        let asked = server.requests();
        assert_eq!(asked.len(), 2 + around.len(), "{asked:?}");
    }
}

#[test]
fn pods_are_told_while_further_pages_come() {
    for command in [
        &["describe", "-A"][..],
        &["describe", "-A", "-o", "json"],
        &["lifecycle", "-A", "-o", "name"],
    ] {
        let told = Round::of(2);
        let held = told.clone();
        let server = Server::start(move |path, _| match path {
            path if path.contains("/events") => list("EventList", &[], None),
            path if path.contains("continue=next") => {
                held.wait_for_all();
                list("PodList", &[pod("three", "Succeeded", false)], None)
            }
            _ => list(
                "PodList",
                &[pod("one", "Succeeded", false), pod("two", "Succeeded", false)],
                Some("next"),
            ),
        });
        let mut child = support::started(&[command, &["-s", &server.url]].concat());
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut is_told = |name| out.any(|line| line.unwrap().trim_end_matches([',', '"']).ends_with(name));
        assert!(is_told("one") && is_told("two"), "{command:?}");
        told.wait_for_all();
        assert!(is_told("three"), "{command:?}");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_name_costs_no_look_at_events() {
    let server = Server::start(|path, _| match path {
        path if path.starts_with("/api/v1/pods") => list("PodList", &[pod("web", "Failed", false)], None),
        path => panic!("asked for {path}"),
    });
    for command in ["describe", "lifecycle"] {
        let said = transcript(&[command, "-A", "-o", "name", "-s", &server.url], "");
        assert!(said.starts_with("exit code: 0") && said.contains("pod/web\n"), "{said}");
    }
}

#[test]
fn a_page_that_cannot_be_had_leaves_those_before_it() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("continue=next") => refusal(410, "Expired", "The provided continue parameter is too old"),
        _ => list(
            "PodList",
            &[pod("one", "Succeeded", false), pod("two", "Succeeded", false)],
            Some("next"),
        ),
    });
    let said = transcript(
        &["describe", "-A", "-o", "jsonpath={.items[*].name}", "-s", &server.url],
        "",
    );
    assert!(said.starts_with("exit code: 1") && said.contains("one two"), "{said}");
    assert!(said.contains("The provided continue parameter is too old"), "{said}");
    let said = transcript(&["describe", "-A", "-o", "json", "-s", &server.url], "");
    let json = said
        .split("----- stdout -----\n")
        .nth(1)
        .unwrap()
        .split("----- stderr")
        .next()
        .unwrap();
    let list: Value = serde_json::from_str(json).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[test]
fn a_name_that_is_mistyped_gets_the_nearest_one() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("/pods/") => refusal(404, "NotFound", "pods \"wbe\" not found"),
        path if path.contains("/pods?") => list(
            "PartialObjectMetadataList",
            &[pod("db", "Running", true), pod("web", "Running", true)],
            None,
        ),
        path if path.starts_with("/api/v1/namespaces/default") => (
            200,
            vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}).to_string()],
        ),
        path => panic!("asked for {path}"),
    });
    for command in [&["explain", "pod/wbe"][..], &["lifecycle", "wbe"]] {
        let said = transcript(&[command, &["-s", &server.url]].concat(), "");
        assert!(
            said.ends_with("Error from server (NotFound): pods \"wbe\" not found\n\nDid you mean this?\n\tweb\n"),
            "{said}"
        );
    }
    // What is no topic may be a pod.
    let said = transcript(&["explain", "shop-db-0"], "");
    assert!(said.ends_with("Did you mean this?\n\tpod/shop-db-0\n"), "{said}");
}
