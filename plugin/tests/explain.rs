//! `explain`, as it is typed: manifests, and pods with what stands around them.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;

use serde_json::{Value, json};
use support::{Server, list, pod, refusal, stdout, transcript};

#[test]
fn a_manifest_is_explained_line_by_line_with_what_is_odd_at_its_place() {
    insta::assert_snapshot!(transcript(
        &["explain", "-f", "-", "--lang", "en"],
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    image: nginx:1.27\n    \
         livenessProbe:\n      httpGet: {port: web}\n      timeoutSeconds: 20\n    resources:\n      limits: {memory: 64m}\n"
    ));
}

#[test]
fn manifest_that_api_refuses_fails_with_every_field() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  restartPolicy: always\n  containers:\n  - name: app\n    \
                image: nginx:1.27\n    imagePullPolicy: always\n    ports: [{containerPort: 80, protocol: tcp}]\n";
    let said = transcript(&["explain", "-f", "-", "--lang", "en"], text);
    assert!(said.starts_with("exit code: 1"), "{said}");
    for (place, field) in [
        ("standard input:5:3", "^ spec.restartPolicy"),
        ("standard input:9:5", "^ spec.containers[0].imagePullPolicy"),
        ("standard input:10:33", "^ spec.containers[0].ports[0].protocol"),
    ] {
        assert!(said.contains(place) && said.contains(field), "{field}: {said}");
    }
    assert!(
        said.contains("help: did you mean Always?") && said.contains("\"UDP\""),
        "{said}"
    );
    let korean = transcript(&["explain", "-f", "-", "--lang", "ko"], text);
    assert!(
        korean.contains("API가 거부한다: Unsupported value: \"tcp\""),
        "{korean}"
    );
    let record = transcript(&["explain", "-f", "-", "-o", "json"], text);
    let record: Value = serde_json::from_str(stdout(&record)).unwrap();
    let lints = record["lints"].as_array().unwrap();
    assert_eq!(
        lints.iter().filter(|lint| lint["isRefused"] == true).count(),
        3,
        "{record}"
    );
}

#[test]
fn the_same_is_told_in_korean() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: app, image: 'nginx:1.27', \
                livenessProbe: {httpGet: {port: web}}}\n";
    let said = transcript(&["explain", "-f", "-", "--lang", "ko"], text);
    assert!(said.contains("한 줄씩 보면:"), "{said}");
    assert!(said.contains("이름이 web인 포트가 없다"), "{said}");
}

#[test]
fn any_exit_code_has_an_answer() {
    let said = transcript(&["explain", "150", "--lang", "en"], "");
    assert!(said.contains("Exit code 150 (signal 22)"), "{said}");
    let said = transcript(&["explain", "42", "--lang", "ko"], "");
    assert!(said.contains("종료 코드 42"), "{said}");
}

#[test]
fn a_field_is_told_with_its_default_values_and_version() {
    let said = transcript(&["explain", "spec.initContainers[0].startupProbe", "--lang", "en"], "");
    for part in ["Since:", "1.20", "Default:", "Example:", "periodSeconds"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_description_ends_with_the_verdict_where_it_is_asked_to() {
    let saved = |name: &str| format!("{}/tests/saved/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    for (name, code) in [("seed-pod", 0), ("completes-never", 0), ("crashloop", 2), ("gated", 3)] {
        let said = transcript(&["describe", "--exit-code", "-o", "name", "-f", &saved(name)], "");
        assert!(said.starts_with(&format!("exit code: {code}\n")), "{name}: {said}");
        let said = transcript(&["describe", "-o", "name", "-f", &saved(name)], "");
        assert!(said.starts_with("exit code: 0\n"), "{name}: {said}");
    }
}

#[test]
fn commands_to_paste_reach_the_cluster_that_was_asked() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("/pods/") => (200, vec![pod("web", "Failed", false).to_string()]),
        _ => refusal(404, "NotFound", "not found"),
    });
    let said = transcript(&["explain", "pod/web", "--lang", "en", "-s", &server.url], "");
    let command = format!("kubectl get pod web -o yaml -n default --server {}", server.url);
    assert!(said.contains(&command), "{said}");
}

/// A pod that waits for a ConfigMap that does not exist, behind a Secret that nobody may read.
fn waiting() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "uid": "u1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"nodeName": "node1", "containers": [{"name": "app", "image": "busybox:1", "envFrom": [
            {"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "login"}},
        ]}]},
        "status": {
            "phase": "Pending", "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "app", "ready": false, "restartCount": 0, "image": "", "imageID": "",
                "state": {"waiting": {"reason": "CreateContainerConfigError"}}}],
        },
    })
}

#[test]
fn what_a_pod_refers_to_is_looked_up_where_it_is_permitted() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("/configmaps/settings") => refusal(404, "NotFound", "configmaps \"settings\" not found"),
        path if path.contains("/secrets/login") => refusal(403, "Forbidden", "secrets \"login\" is forbidden"),
        _ => (200, vec![waiting().to_string()]),
    });
    let said = transcript(&["explain", "pod/web", "--lang", "en", "-s", &server.url], "");
    assert!(said.starts_with("exit code: 0"), "{said}");
    assert!(
        said.contains("ConfigMap settings does not exist in namespace default"),
        "{said}"
    );
    assert!(
        said.contains("spec.containers[0].envFrom[0].configMapRef: settings"),
        "{said}"
    );
    assert!(
        said.contains(
            "could not be looked at: Secret login: Error from server (Forbidden): secrets \"login\" is forbidden"
        ),
        "{said}"
    );
}

#[test]
fn who_does_without_a_pod_that_is_not_ready_is_told() {
    let mut web = pod("web-1-a", "Running", false);
    web["metadata"]["labels"] = json!({"app": "web"});
    web["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": true}]);
    web["spec"]["containers"][0]["readinessProbe"] = json!({"httpGet": {"path": "/", "port": 80}});
    web["status"]["containerStatuses"] = json!([{"name": "app", "ready": false, "restartCount": 0, "image": "",
        "imageID": "", "state": {"running": {"startedAt": "2026-01-01T00:00:01Z"}}}]);
    let server = Server::start(move |path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("/replicasets/web-1") => {
            let owner = json!({"metadata": {"name": "web-1", "ownerReferences": [{"apiVersion": "apps/v1",
                "kind": "Deployment", "name": "web", "uid": "d", "controller": true}]},
                "spec": {"replicas": 2, "selector": {}, "template": {}}, "status": {"replicas": 2, "readyReplicas": 1}});
            (200, vec![owner.to_string()])
        }
        path if path.contains("/services") => list(
            "ServiceList",
            &[
                json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}),
                json!({"metadata": {"name": "other"}, "spec": {"selector": {"app": "other"}}}),
            ],
            None,
        ),
        path if path.contains("/endpointslices") => list(
            "EndpointSliceList",
            &[
                json!({"metadata": {"name": "web-x", "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
                "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true}},
                    {"addresses": ["192.0.2.2"], "conditions": {"ready": false}}]}),
            ],
            None,
        ),
        path if path.contains("/poddisruptionbudgets") => list(
            "PodDisruptionBudgetList",
            &[
                json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}},
                "status": {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 2}}),
            ],
            None,
        ),
        path if path.contains("/pods/") => (200, vec![web.to_string()]),
        _ => refusal(404, "NotFound", "the server could not find the requested resource"),
    });
    let said = transcript(&["explain", "pod/web-1-a", "--lang", "en", "-s", &server.url], "");
    for part in [
        "container app is not ready: its readiness probe fails",
        "the Service web skips this pod: 1 of 2 endpoints are ready",
        "the disruption budget web allows no eviction now",
        "ReplicaSet/web-1 has 1 of 2 pods ready",
        "kubectl rollout history deployment/web -n default",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("other"), "{said}");
}

#[test]
fn a_type_and_a_name_are_pods_and_a_topic_of_two_words_is_none() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        _ => (200, vec![pod("web", "Succeeded", false).to_string()]),
    });
    let said = transcript(&["explain", "pod", "web", "--lang", "en", "-s", &server.url], "");
    assert!(said.contains("default/web"), "{said}");
    let said = transcript(&["explain", "pod", "infra", "container", "--lang", "en"], "");
    assert!(said.contains("Pod infra container (pause)"), "{said}");
}

#[test]
fn a_pod_that_is_well_costs_one_round_of_requests() {
    let server = Server::start(|path, _| {
        if path.contains("/events") {
            list("EventList", &[], None)
        } else {
            let mut well = pod("web", "Running", true);
            well["status"]["containerStatuses"] = json!([{"name": "app", "ready": true, "restartCount": 0, "image": "",
                "imageID": "", "state": {"running": {"startedAt": "2026-01-01T00:00:01Z"}}}]);
            (200, vec![well.to_string()])
        }
    });
    let said = transcript(&["explain", "pod/web", "--lang", "en", "-s", &server.url], "");
    assert!(said.contains("healthy"), "{said}");
    assert_eq!(server.requests().len(), 2, "{:?}", server.requests());
}

#[test]
fn a_cluster_is_told_as_a_ranked_list_page_by_page() {
    let crashing = |name: &str| {
        let mut pod = pod(name, "Running", false);
        pod["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": true}]);
        pod["status"]["containerStatuses"] = json!([{"name": "app", "ready": false, "restartCount": 4, "image": "",
            "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}},
            "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": "2026-01-01T00:00:05Z"}}}]);
        pod
    };
    let server = Server::start(move |path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("/replicasets/") => refusal(403, "Forbidden", "replicasets.apps \"web-1\" is forbidden"),
        path if path.contains("/services") => list("ServiceList", &[], None),
        path if path.contains("/endpointslices") => list("EndpointSliceList", &[], None),
        path if path.contains("/poddisruptionbudgets") => list("PodDisruptionBudgetList", &[], None),
        path if path.contains("continue=next") => {
            list("PodList", &[crashing("web-b"), pod("old", "Succeeded", false)], None)
        }
        _ => list("PodList", &[crashing("web-a")], Some("next")),
    });
    let said = transcript(&["explain", "-A", "--lang", "en", "-s", &server.url], "");
    assert!(said.contains("2 of 3 pods are not well:"), "{said}");
    assert!(said.contains("and 1 more of ReplicaSet/web-1"), "{said}");
    assert!(said.contains("the others: 0 healthy, 1 done"), "{said}");
    assert!(said.contains("its last run ended with exit code 3"), "{said}");
}

#[test]
fn nothing_to_worry_about_is_said_in_a_line() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        _ => list("PodList", &[pod("old", "Succeeded", false)], None),
    });
    let said = transcript(&["explain", "-A", "--lang", "en", "-s", &server.url], "");
    assert!(said.contains("all pods are well: 1"), "{said}");
}

#[test]
fn what_is_known_is_data_too_and_in_english_unless_a_language_is_named() {
    let value = |arguments: &[&str]| -> Value { serde_json::from_str(stdout(&transcript(arguments, ""))).unwrap() };
    let topic = value(&["explain", "oomkilled", "-o", "json"]);
    assert_eq!((&topic["kind"], &topic["name"]), (&json!("Topic"), &json!("OOMKilled")));
    for part in ["title", "text", "causes", "look", "fix"] {
        assert!(topic[part].as_str().is_some_and(str::is_ascii), "{part}: {topic}");
    }
    let field = value(&["explain", "spec.restartPolicy", "-o", "json"]);
    assert_eq!((&field["kind"], &field["default"]), (&json!("Field"), &json!("Always")));
    let index = value(&["explain", "-o", "json"]);
    assert_eq!(index["kind"], "TopicList");
    assert!(index["items"].as_array().unwrap().len() > 70);
    let korean = value(&["explain", "OOMKilled", "-o", "json", "--lang", "ko"]);
    assert!(!korean["text"].as_str().unwrap().is_ascii());
    let refused = transcript(&["explain", "OOMKilled", "-o", "wide"], "");
    assert!(
        refused.contains("allowed formats are: custom-columns,custom-columns-file,go-template,"),
        "{refused}"
    );
}

#[test]
fn a_survey_is_a_list_of_what_is_not_well_even_of_one() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.starts_with("/api/v1/pods") => list(
            "PodList",
            &[pod("ill", "Failed", false), pod("done", "Succeeded", false)],
            None,
        ),
        _ => refusal(404, "NotFound", "not found"),
    });
    let template = "-o=jsonpath={.kind} {.items[*].name} {.items[0].verdict} {.verdicts.done}";
    let said = transcript(&["explain", "-A", template, "-s", &server.url], "");
    assert!(
        said.contains("PodSurvey ill broken 1\n") || said.contains("PodSurvey ill broken 1-----"),
        "{said}"
    );
}

#[test]
fn a_verdict_is_told_in_korean_down_to_what_comes_next() {
    let saved = format!("{}/tests/saved/crashloop.yaml", env!("CARGO_MANIFEST_DIR"));
    let said = transcript(&["explain", "-f", &saved, "--lang", "ko"], "");
    assert!(said.contains("다음:\n  컨테이너 app: 10초에서 5분까지"), "{said}");
    let said = transcript(&["describe", "-f", &saved, "--lang", "ko"], "");
    assert!(
        said.contains("컨테이너 app") && said.contains("Restart Policy:"),
        "{said}"
    );
}
