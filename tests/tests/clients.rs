//! Kubernetes' clients for Python and JavaScript against the emulator, each with a script as their users write them.
#![cfg(target_os = "linux")]

use std::process::Command;

use tests::emulator::Emulator;
use tests::output::Output;
use tests::tools::{cache, checkout, prepared};

/// What a script prints when all went as it should.
const STEPS: &str = "created\nwatched\nlogged\nexecuted\npatched\ndeleted\n";

#[test]
fn pods_live_through_the_python_client() {
    let emulator = Emulator::start();
    let packages = prepared(cache().join("client-python"));
    let mut script = Command::new("python3");
    script
        .arg(checkout().join("tests/clients/life_of_a_pod.py"))
        .env("PYTHONPATH", packages)
        .env("KUBECONFIG", emulator.kubeconfig());
    assert_eq!(Output::of(&mut script).succeeded(), STEPS);
}

#[test]
fn pods_live_through_the_javascript_client() {
    let emulator = Emulator::start();
    let packages = prepared(cache().join("client-node"));
    let mut script = Command::new("node");
    script
        .arg(checkout().join("tests/clients/life_of_a_pod.mjs"))
        .arg(packages)
        .env("KUBECONFIG", emulator.kubeconfig());
    assert_eq!(Output::of(&mut script).succeeded(), STEPS);
}
