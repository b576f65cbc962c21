//! kubectl completes `kubectl pod`: it asks `kubectl_complete-pod`, which it finds on PATH.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::path::Path;

use tests::emulator::Emulator;
use tests::kubectl::{Kubectl, Version};
use tests::output::Output;
use tests::tools;

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: busybox:1, imagePullPolicy: Never, command: [sleep, '1000']}
";

/// What kubectl offers after `kubectl pod …`, without the directive; `path` is where it finds programs.
fn offered(kubectl: &Kubectl, path: &Path, words: &[&str]) -> Vec<String> {
    let mut command = kubectl.command_of(&[&["__complete", "pod"], words].concat());
    command.env("PATH", format!("{}:/usr/bin:/bin", path.display()));
    let said = Output::of(&mut command).succeeded();
    let lines = said.lines().map(|line| line.split('\t').next().unwrap().to_owned());
    let (directives, offered): (Vec<String>, Vec<String>) = lines.partition(|line| line.starts_with(':'));
    assert_eq!(directives.len(), 1, "{said}");
    offered
}

#[test]
fn kubectl_completes_pods_namespaces_contexts_topics_and_flags() {
    let emulator = Emulator::start();
    let kubectl = emulator.kubectl(Version::Current);
    let _ = kubectl.feed("apply -f -", POD).succeeded();
    let path = tools::plugin().parent().unwrap();
    for (words, expected) in [
        (vec!["desc"], vec!["describe"]),
        (vec!["describe", ""], vec!["web"]),
        (vec!["describe", "pod/"], vec!["pod/web"]),
        (vec!["lifecycle", "-n", "default", "w"], vec!["web"]),
        (vec!["lifecycle", "-n", "kube-system", "w"], vec![]),
        (vec!["explain", "node/"], vec!["node/emulator"]),
        (vec!["describe", "--context", ""], vec!["pod-emulator"]),
        (vec!["describe", "--namespace=kube-p"], vec!["kube-public"]),
        (vec!["explain", "CrashL"], vec!["CrashLoopBackOff"]),
        (vec!["explain", "spec.contai"], vec!["spec.containers."]),
        (vec!["describe", "--field-sel"], vec!["--field-selector"]),
    ] {
        assert_eq!(offered(&kubectl, path, &words), expected, "{words:?}");
    }
}

#[test]
fn the_script_that_the_plugin_writes_completes_as_well() {
    use std::os::unix::fs::PermissionsExt;

    let emulator = Emulator::prepare();
    let kubectl = emulator.kubectl(Version::Current);
    let script = emulator.plugin(&["completion"]).succeeded();
    let path = emulator.folder().join("bin");
    std::fs::create_dir(&path).unwrap();
    let file = path.join("kubectl_complete-pod");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(tools::plugin(), path.join("kubectl-pod")).unwrap();
    assert_eq!(offered(&kubectl, &path, &["explain", "CrashL"]), ["CrashLoopBackOff"]);
}
