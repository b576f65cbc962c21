//! Every manifest of `examples/` runs on the emulator to the state that the handbook promises of it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where something that it needs fails")]

use std::path::Path;

use nix::unistd::Uid;
use tests::{emulator::Emulator, kubectl::Version, output::Output};

/// The examples, and the state that each reaches.
const REACHED: [(&str, &str); 18] = [
    ("completes.yaml", "Succeeded"),
    ("configuration.yaml", "Succeeded"),
    ("crash-loop.yaml", "Running"),
    ("init-containers.yaml", "Ready"),
    ("out-of-memory.yaml", "Failed"),
    ("probes.yaml", "Ready"),
    ("readiness-gate.yaml", "Running"),
    ("resources.yaml", "Ready"),
    ("security.yaml", "Ready"),
    ("service-account-token.yaml", "Ready"),
    ("shared-process-namespace.yaml", "Ready"),
    ("sidecar.yaml", "Succeeded"),
    ("simple-pod.yaml", "Running"),
    ("slow-start.yaml", "Running"),
    ("static-pod.yaml", "Ready"),
    ("termination.yaml", "Ready"),
    ("user-namespace.yaml", "Ready"),
    ("volumes.yaml", "Ready"),
];

/// The examples that no scheduler places, with the reason that is shown.
const HELD: [(&str, &str); 2] = [
    ("scheduling-gate.yaml", "SchedulingGated"),
    ("unschedulable.yaml", "Unschedulable"),
];

/// What an ordinary user cannot run everywhere: limits need a delegated cgroup, other users subordinate IDs.
const NEEDS_ROOT: [&str; 3] = ["out-of-memory.yaml", "security.yaml", "user-namespace.yaml"];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"))
}

fn emulate(file: &str, until: &str, timeout: &str) -> Output {
    let emulator = Emulator::prepare();
    let manifest = folder().join(file);
    let words = [
        "lifecycle",
        "--emulate",
        "-f",
        &manifest.to_string_lossy(),
        "--map-image",
        "arisu1000/*=localhost/host",
    ];
    emulator.plugin(&[&words[..], &["--until", until, "--timeout", timeout]].concat())
}

#[test]
fn examples_reach_the_state_the_handbook_promises() {
    let may_run = |file: &str| Uid::effective().is_root() || !NEEDS_ROOT.contains(&file);
    // A few at a time: each has an emulator of its own.
    for group in REACHED.chunks(4) {
        std::thread::scope(|scope| {
            let group = group.iter().filter(|(file, _)| may_run(file));
            let runs: Vec<_> = group
                .map(|(file, state)| (file, scope.spawn(|| emulate(file, state, "90s"))))
                .collect();
            for (file, run) in runs {
                let output = run.join().unwrap();
                assert_eq!(output.code, 0, "{file}: {output:#?}");
            }
        });
    }
}

#[test]
fn examples_that_wait_show_the_reason() {
    let emulator = Emulator::start();
    let kubectl = emulator.kubectl(Version::Current);
    for (file, reason) in HELD {
        let manifest = folder().join(file);
        let pod = kubectl.says(&format!("create -o name -f {}", manifest.display()));
        let has_condition = |conditions: &str| conditions.contains("PodScheduled");
        kubectl.until(
            &format!("get {} -o jsonpath={{.status.conditions}}", pod.trim()),
            has_condition,
        );
        let explained = emulator.plugin(&["explain", pod.trim()]);
        assert!(explained.stdout.contains(reason), "{file}: {explained:#?}");
    }
    emulator.stop();
}

#[test]
fn every_example_is_tested() {
    let tested = |name: &str| REACHED.iter().chain(&HELD).any(|(file, _)| *file == name);
    for file in std::fs::read_dir(folder()).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        assert!(!name.ends_with(".yaml") || tested(&name), "{name} is not tested");
    }
}
