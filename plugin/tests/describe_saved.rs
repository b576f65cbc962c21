//! Pods saved from a real cluster: whatever `kubectl describe pod` said of them, and the row of `kubectl get pod`, is in
//! our description too.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn saved() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/saved")
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(saved())
        .unwrap()
        .filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .into_string()
                .unwrap()
                .strip_suffix(".yaml")
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

fn describe(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-pod"))
        .args(["describe", "-f"])
        .arg(saved().join(format!("{name}.yaml")))
        .args(arguments)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What a line of kubectl's description says: its value, with ages and what means "nothing" left out.
fn fact(line: &str) -> Option<String> {
    if line.ends_with(' ') && line.trim().ends_with(':') {
        return None;
    }
    let line = line.trim();
    let value = match line.split_once(": ") {
        // An event's message has colons of its own; its columns are taken apart elsewhere.
        Some((name, value)) if !name.contains("  ") => value.trim(),
        _ => line.trim_end_matches(':'),
    };
    let is_nothing = matches!(value, "" | "<none>" | "<unset>")
        || value.chars().all(|character| character == '-' || character == ' ');
    (!is_nothing).then(|| value.to_owned())
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_fact_of_kubectls_description_is_in_ours() {
    let mut missing = Vec::new();
    for name in names() {
        let ours = squeezed(&describe(&name, &[]));
        let theirs = fs::read_to_string(saved().join(format!("{name}.describe.txt"))).unwrap();
        let (described, events) = theirs.split_once("\nEvents:").unwrap();
        for line in described.lines() {
            let Some(fact) = fact(line) else { continue };
            // Rows of tables: every cell counts.
            let cells: Vec<&str> = fact
                .split("   ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect();
            for cell in cells {
                if !ours.contains(&squeezed(cell)) {
                    missing.push(format!("{name}: {cell:?} of {line:?}"));
                }
            }
        }
        for line in events.lines().skip(3) {
            let cells: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect();
            for (column, cell) in cells.iter().enumerate() {
                // The age is measured against another moment; how often it happened is not.
                let wanted = match (column, cell.split_once("(x")) {
                    (2, None) => continue,
                    (2, Some((_, rest))) => format!("(x{}", rest.split(' ').next().unwrap()),
                    _ => squeezed(cell),
                };
                if !ours.contains(&wanted) {
                    missing.push(format!("{name}: {wanted:?} of the event {line:?}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_computed_status_is_that_of_kubectl_get() {
    for name in names() {
        let row = fs::read_to_string(saved().join(format!("{name}.get.txt"))).unwrap();
        let cells: Vec<&str> = row.lines().nth(1).unwrap().split_whitespace().collect();
        let record: serde_json::Value = serde_json::from_str(&describe(&name, &["-o", "json"])).unwrap();
        let ready = format!("{}/{}", record["ready"], record["containersTotal"]);
        assert_eq!(
            [&ready, record["status"].as_str().unwrap()],
            [cells[1], cells[2]],
            "{name}"
        );
        assert_eq!(record["restarts"].to_string(), cells[3], "{name}");
    }
}

#[test]
fn what_kubectl_leaves_out_is_there() {
    let gated = describe("gated", &[]);
    assert!(gated.contains("SchedulingGated"), "{gated}");
    assert!(gated.contains("Scheduling Gates:"), "{gated}");
    let backing_off = describe("poststart-fails", &[]);
    assert!(
        backing_off.contains("back-off 10s restarting failed container=app"),
        "{backing_off}"
    );
    assert!(backing_off.contains("Next Start:"), "{backing_off}");
    assert!(
        backing_off.contains("containers with unready status: [app]"),
        "{backing_off}"
    );
    assert!(
        describe("prestop-exec", &[]).contains("Before Stop:"),
        "the hook is missing"
    );
}
