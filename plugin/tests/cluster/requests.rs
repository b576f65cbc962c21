//! What a command asks, how often, as whom, and what it tells of that.

use serde_json::json;

use crate::round::Round;
use crate::support::{Server, list, pod, refusal, transcript};

#[test]
fn describe_asks_twice_at_once_and_discovers_nothing() {
    let server = Server::of_one_pod();
    let said = transcript(&["describe", "web", "-s", &server.url], "");
    assert!(said.starts_with("exit code: 0"), "{said}");
    let mut asked = server.requests();
    asked.sort();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].starts_with("/api/v1/namespaces/default/events?"), "{asked:?}");
    assert!(asked[1].starts_with("/api/v1/namespaces/default/pods/web"), "{asked:?}");
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
        let server = Server::of_one_pod();
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
    let server = Server::of_one_pod();
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
    let server = Server::of_one_pod();
    let told = transcript(&["describe", "warned", "-s", &server.url], "");
    assert!(told.starts_with("exit code: 0"), "{told}");
    assert!(told.contains("Warning: spec.x: deprecated\n"), "{told}");
    let refused = transcript(&["describe", "warned", "-s", &server.url, "--warnings-as-errors"], "");
    assert!(refused.starts_with("exit code: 1"), "{refused}");
    assert!(refused.ends_with("error: 1 warning received\n"), "{refused}");
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
