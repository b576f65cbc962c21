//! The emulator against the traces of a real kubelet: no difference, three times in a row.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::fs;
use std::process::Command;

use tests::emulator::Emulator;
use tests::kubectl::Version;
use tests::output::Output;
use tests::tools::conformance;

/// How often each case is recorded: what depends on chance shows. Once where an ordinary user repeats what root has run.
const ROUNDS: usize = 3;

fn conforms(case: &str) {
    let emulator = Emulator::prepare();
    let manifests = emulator.folder().join("manifests");
    fs::create_dir(&manifests).unwrap();
    emulator.up(&["--static-pod-path", &manifests.to_string_lossy()]);
    let kubectl = emulator.kubectl(Version::Current);
    let rounds = if tests::user::is_root() { ROUNDS } else { 1 };
    for round in 1..=rounds {
        let mut record = Command::new("python3");
        record
            .arg(conformance("trace.py"))
            .arg("record")
            .arg(conformance(&format!("cases/{case}.yaml")));
        record
            .arg("--kubeconfig")
            .arg(emulator.kubeconfig())
            .arg("--kubectl")
            .arg(Version::Current.program());
        record.arg("--manifest-dir").arg(&manifests);
        let recorded = emulator.file("recorded.json", &Output::of(&mut record).succeeded());
        let mut compare = Command::new("python3");
        compare
            .arg(conformance("trace.py"))
            .arg("diff")
            .arg(conformance(&format!("traces/{case}.trace.json")));
        let compared = Output::of(compare.arg(&recorded));
        assert_eq!(
            compared.code, 0,
            "round {round}:\n{}{}",
            compared.stdout, compared.stderr
        );
        // The next round makes the same namespace anew.
        kubectl.until("get namespaces -o name", |names| !names.contains("namespace/trace-"));
        kubectl.until("get pods -o name", |names| names.is_empty());
    }
}

macro_rules! cases {
    ($($name:ident: $case:literal,)*) => {
        $(#[test] fn $name() { conforms($case); })*

        #[test]
        fn every_case_is_listed() {
            let mut listed = vec![$($case),*];
            listed.sort_unstable();
            let mut cases: Vec<String> = fs::read_dir(conformance("cases"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".yaml").to_owned())
                .collect();
            cases.sort();
            assert_eq!(listed, cases);
        }
    };
}

cases! {
    bad_command: "bad-command",
    completes_never: "completes-never",
    configmap_missing: "configmap-missing",
    configmap_volume: "configmap-volume",
    crashloop: "crashloop",
    deadline: "deadline",
    delete_shortened: "delete-shortened",
    downward: "downward",
    fails_never: "fails-never",
    fails_onfailure: "fails-onfailure",
    force_delete: "force-delete",
    gated: "gated",
    image_invalid_name: "image-invalid-name",
    image_never_missing: "image-never-missing",
    init_fails_always: "init-fails-always",
    init_fails_never: "init-fails-never",
    liveness_exec: "liveness-exec",
    liveness_http: "liveness-http",
    one_fails_one_runs: "one-fails-one-runs",
    oom_killed: "oom-killed",
    poststart_fails: "poststart-fails",
    prestop_exec: "prestop-exec",
    readiness_flips: "readiness-flips",
    readiness_gate: "readiness-gate",
    readiness_tcp: "readiness-tcp",
    seed_init: "seed-init",
    seed_pod: "seed-pod",
    shared_pid: "shared-pid",
    sidecar: "sidecar",
    sigterm_handled: "sigterm-handled",
    sigterm_ignored: "sigterm-ignored",
    startup_gates: "startup-gates",
    static_logs: "static-logs",
    static_pod: "static-pod",
    termination_message: "termination-message",
    unschedulable: "unschedulable",
}
