//! The pause image below podman: as the infra container of pods.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::fs;
use std::time::{Duration, Instant};

use tests::podman::Podman;
use tests::tools::busybox_archive;

#[test]
fn it_holds_a_pod_and_ends_at_once() {
    let podman = Podman::new();
    let _ = podman.says(&["pod", "create", "--name", "held", "--network", "none"]);
    let _ = podman.says(&["pod", "start", "held"]);
    let pid = podman.infra("held");
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(line.starts_with("/pause"), "{line}");
    let start = Instant::now();
    let _ = podman.says(&["pod", "stop", "--time", "30", "held"]);
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "the stop took the grace period: {:?}",
        start.elapsed()
    );
}

#[test]
fn it_is_pid_1_of_a_shared_pid_namespace_and_reaps_there() {
    let podman = Podman::new();
    let _ = podman.says(&["load", "-i", &busybox_archive().to_string_lossy()]);
    let _ = podman.says(&[
        "pod",
        "create",
        "--name",
        "shared",
        "--network",
        "none",
        "--share",
        "pid,ipc,uts",
    ]);
    let busybox = "docker.io/library/busybox:1";
    // Each child of the inner shell outlives it, and so becomes pause's.
    let script = "i=0; while [ $i -lt 200 ]; do (sh -c 'sleep 0.1 &'); i=$((i+1)); done; sleep 1; cat /proc/1/cmdline; echo; \
                  ps -o stat | grep -c Z; true";
    let said = podman.says(&["run", "--rm", "--pod", "shared", busybox, "sh", "-c", script]);
    let lines: Vec<&str> = said.lines().map(|line| line.trim_matches('\0')).collect();
    assert_eq!(lines, ["/pause", "0"], "{said}");
}
