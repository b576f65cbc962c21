//! The life of a pod from the command line: in every width and form, recorded and told again.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use support::{Server, change, list, pod, refusal, transcript};

fn saved() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/saved");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() > 30, "{files:?}");
    files
}

/// Runs on a terminal of so many columns, as far as the environment says.
fn told(file: &Path, columns: &str, form: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-pod"))
        .args(["lifecycle", "-o", form, "-f"])
        .arg(file)
        .env("TZ", "UTC")
        .env("COLUMNS", columns)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {output:?}", file.display());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_line_says_how_it_is_known_and_none_is_wider_than_the_terminal() {
    for file in saved() {
        for columns in [40, 80, 200] {
            let told = told(&file, &columns.to_string(), "text");
            let mut lines = told.lines();
            assert!(lines.next().unwrap().starts_with("saved-"), "{told}");
            for line in lines.clone() {
                assert!(
                    line.chars().count() <= columns,
                    "{} at {columns}: {line}",
                    file.display()
                );
            }
            let timeline: Vec<&str> = lines.skip(1).take_while(|line| !line.is_empty()).collect();
            assert!(!timeline.is_empty(), "{told}");
            if columns == 200 {
                // What is broken goes on far to the right.
                for line in timeline.into_iter().filter(|line| !line.starts_with(&" ".repeat(25))) {
                    let is_marked = [" recorded ", " inferred ", " expired "]
                        .iter()
                        .any(|mark| line.contains(mark));
                    assert!(is_marked, "{}: {line}", file.display());
                }
            }
        }
    }
}

#[test]
fn a_picture_and_a_page_are_made_of_every_saved_pod() {
    for file in saved() {
        let picture = told(&file, "80", "svg");
        assert!(
            picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"),
            "{}",
            file.display()
        );
        let page = told(&file, "80", "html");
        assert!(
            page.starts_with("<!doctype html>") && page.contains("What happened"),
            "{}",
            file.display()
        );
        assert!(!page.contains("<script"), "{}", file.display());
    }
}

#[test]
fn several_pods_are_compared_stage_by_stage() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/saved");
    let told = told(&folder, "200", "text");
    assert!(told.contains("Stages, over all pods:"), "{told}");
    let ready = told
        .lines()
        .find(|line| line.trim_start().starts_with("ready "))
        .unwrap();
    assert!(ready.ends_with("saved-startup-gates/startup-gates"), "{ready}");
}

#[test]
fn a_recording_tells_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.life");
    let file = file.to_str().unwrap();
    let server = Server::start(|path, before| match path {
        path if path.contains("/events") && path.contains("watch=true") => {
            std::thread::sleep(std::time::Duration::from_secs(3));
            (200, vec![])
        }
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("watch=true") && before == 0 => {
            let states = [pod("web", "Running", false), pod("web", "Running", true)];
            (200, states.iter().map(|state| change("MODIFIED", state)).collect())
        }
        path if path.contains("watch=true") => {
            std::thread::sleep(std::time::Duration::from_secs(3));
            (200, vec![])
        }
        _ => list("PodList", &[pod("web", "Pending", false)], None),
    });
    let arguments = [
        "lifecycle",
        "web",
        "--until",
        "Ready",
        "--record",
        file,
        "-s",
        &server.url,
    ];
    let live = transcript(&arguments, "");
    assert!(live.starts_with("exit code: 0"), "{live}");
    let again = transcript(&["lifecycle", "-f", file], "");
    assert!(again.starts_with("exit code: 0"), "{again}");
    for word in ["default/web", "scheduled to node node1", "Ready"] {
        assert!(live.contains(word) || word == "default/web", "{live}");
        assert!(again.contains(word), "{again}");
    }
    // What was recorded once is not written over.
    let refused = transcript(&arguments, "");
    assert!(refused.starts_with("exit code: 1"), "{refused}");
    assert!(
        refused.contains("the file exists already; name another, or remove it"),
        "{refused}"
    );
}

#[test]
fn a_watch_that_tells_only_its_end_needs_an_end() {
    let said = transcript(&["lifecycle", "web", "-w", "-o", "html"], "");
    assert!(said.starts_with("exit code: 1"), "{said}");
    assert!(
        said.contains("-o html tells the end: with -w, it needs --until"),
        "{said}"
    );
    let said = transcript(&["lifecycle", "web", "--record", "x"], "");
    assert!(
        said.contains("--record keeps what a watch tells: add -w or --until"),
        "{said}"
    );
}

#[test]
fn a_page_tells_what_stands_around_the_pod() {
    let server = Server::start(|path, _| match path {
        path if path.contains("/events") => list("EventList", &[], None),
        path if path.contains("/pods/web") => {
            let mut pod = pod("web", "Running", false);
            pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "r", "controller": true}]);
            pod["status"]["containerStatuses"] = json!([{
                "name": "app", "image": "i", "imageID": "", "ready": false, "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
            }]);
            pod["metadata"]["labels"] = json!({"app": "web"});
            (200, vec![pod.to_string()])
        }
        path if path.contains("/replicasets/web-1") => {
            let set = json!({
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web-1"},
                "spec": {"replicas": 2, "selector": {}}, "status": {"replicas": 2, "readyReplicas": 1},
            });
            (200, vec![set.to_string()])
        }
        _ => refusal(403, "Forbidden", "it is forbidden"),
    });
    let said = transcript(&["lifecycle", "web", "-o", "html", "-s", &server.url], "");
    assert!(said.starts_with("exit code: 0"), "{said}");
    assert!(said.contains("ReplicaSet/web-1"), "{said}");
    assert!(
        said.contains("services: Error from server (Forbidden): it is forbidden"),
        "{said}"
    );
}
