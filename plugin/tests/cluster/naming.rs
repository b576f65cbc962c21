//! Which pods are meant: by name, by the beginning of one, by what they belong to.

use serde_json::{Value, json};

use crate::support::{Server, list, pod, refusal, transcript};

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
fn nothing_in_a_namespace_is_no_error() {
    let server = Server::of_no_pods();
    insta::assert_snapshot!(transcript(&["describe", "-s", &server.url], ""));
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
    let server = Server::of_one_pod();
    let said = transcript(&["describe", "web", "-s", &server.url, "-c", "app"], "");
    assert!(said.starts_with("exit code: 0"), "{said}");
    let refused = transcript(&["describe", "web", "-s", &server.url, "-c", "nope"], "");
    assert!(
        refused.ends_with("error: container nope is not valid for pod web out of: app\n"),
        "{refused}"
    );
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
