//! A pod that is watched until it is as it is wanted.

use serde_json::{Value, json};

use crate::support::{Server, change, list, pod, transcript};

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
    let server = Server::of_no_pods();
    insta::assert_snapshot!(transcript(&["lifecycle", "web", "-w", "-s", &server.url], ""));
}
