//! The pause image below podman: as the infra container of pods.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tests::podman::Podman;
use tests::tools::busybox_archive;

/// Stops a pod, of which nothing has to be killed.
fn ends_at_once(podman: &Podman, pod: &str) {
    let start = Instant::now();
    let _ = podman.says(&["pod", "stop", "--time", "240", pod]);
    // A busy machine takes its time, but never this much.
    assert!(
        start.elapsed() < Duration::from_secs(120),
        "{:?} of 240 s",
        start.elapsed()
    );
}

#[test]
fn it_holds_a_pod_and_ends_at_once() {
    let podman = Podman::new();
    let _ = podman.says(&["pod", "create", "--name", "held", "--network", "none"]);
    let _ = podman.says(&["pod", "start", "held"]);
    let pid = podman.infra("held");
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(line.starts_with("/pause"), "{line}");
    ends_at_once(&podman, "held");
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

#[test]
fn it_holds_what_kube_play_makes() {
    let podman = Podman::new();
    let _ = podman.says(&["load", "-i", &busybox_archive().to_string_lossy()]);
    let pod = "apiVersion: v1
kind: Pod
metadata: {name: played}
spec:
  containers:
  - name: main
    image: docker.io/library/busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', \"trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done\"]
";
    let manifest = podman.path("pod.yaml");
    fs::write(&manifest, pod).unwrap();
    let _ = podman.says(&["kube", "play", "--network", "none", &manifest]);
    let pid = podman.infra("played");
    let proc = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    assert_eq!(proc("cmdline"), "/pause\0");
    // Before it has set its trap, a container's first process is deaf to TERM.
    let start = Instant::now();
    while podman.says(&["logs", "played-main"]) != "ready" {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not get ready");
        thread::sleep(Duration::from_millis(100));
    }
    // `kube down` alone would kill after 10 s what is slow to end.
    ends_at_once(&podman, "played");
    let _ = podman.says(&["kube", "down", &manifest]);
}

#[test]
fn it_needs_no_user_of_its_own_no_writable_root_and_no_more_calls_than_the_default_profile_lets_through() {
    let podman = Podman::new();
    let run = "run --detach --network none --read-only --read-only-tmpfs=false --cap-drop all --name alone localhost/pause:test";
    let _ = podman.says(&run.split(' ').collect::<Vec<_>>());
    let pid = podman.pause("alone");
    let proc = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let status = proc("status");
    for line in [
        "Uid:\t65535\t65535\t65535\t65535",
        "Gid:\t65535\t65535\t65535\t65535",
        "CapEff:\t0000000000000000",
        // A filter.
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "no {line} in {status}");
    }
    let mounts = proc("mountinfo");
    let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    let options = root.split(' ').nth(5).unwrap();
    assert!(options.starts_with("ro"), "{root}");
    let _ = podman.says(&["stop", "--time", "240", "alone"]);
    let code = podman.says(&["inspect", "--format", "{{.State.ExitCode}}", "alone"]);
    let log = podman.says(&["logs", "alone"]);
    assert_eq!(code, "0", "{log}");
    let _ = podman.says(&["rm", "alone"]);
}
