//! Lists that come in pages.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::round::Round;
use crate::support::{Server, list, pod, refusal, started, stdout, transcript};

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
        let mut child = started(&[command, &["-s", &server.url]].concat());
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut is_told = |name| out.any(|line| line.unwrap().trim_end_matches([',', '"']).ends_with(name));
        assert!(is_told("one") && is_told("two"), "{command:?}");
        told.wait_for_all();
        assert!(is_told("three"), "{command:?}");
        assert!(child.wait().unwrap().success());
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
    let list: Value = serde_json::from_str(stdout(&said)).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}
