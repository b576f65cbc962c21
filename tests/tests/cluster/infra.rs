//! Pause as the infra container below containerd and the kubelet.

use std::fs;
use std::time::{Duration, Instant};

use tests::cluster::Cluster;
use tests::kubectl::{Kubectl, Version};

/// A pod whose containers see pause as process 1, and which ends at once when it is told to.
const SHARED: &str = "apiVersion: v1
kind: Pod
metadata: {name: shared}
spec:
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 600
  securityContext:
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', \"trap 'exit 0' TERM; while :; do sleep 0.1; done\"]
";

fn with_shared_pod(kubectl: &Kubectl) {
    let _ = kubectl.feed("apply -f -", SHARED).succeeded();
    kubectl.until_ready("shared");
}

/// What a shell prints that runs in the pod.
fn inside(kubectl: &Kubectl, script: &str) -> String {
    let mut command = kubectl.command("exec shared -- sh -c");
    command.arg(script);
    tests::output::Output::of(&mut command).succeeded()
}

/// The line `key:` of pause's status.
fn status(kubectl: &Kubectl, key: &str) -> String {
    let status = inside(kubectl, "cat /proc/1/status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {key} in {status}")).trim().to_owned()
}

#[test]
fn every_sandbox_is_made_from_the_image_and_the_kubelet_was_given_its_name() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl(Version::Current);
    with_shared_pod(&kubectl);
    let containers = cluster.ctr(&["containers", "list"]);
    // Another test gives the image a second name, and containerd tells either.
    assert!(containers.contains("localhost/pause:"), "{containers}");
    // The kubelet tells of its images now and then.
    kubectl.until("get node node -o jsonpath={.status.images[*].names}", |images| {
        images.contains("localhost/pause:test")
    });
    let root = format!("--root-dir={}", cluster.path_inside("pods").display());
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).into_owned())
    });
    let kubelet: Vec<String> = lines.filter(|line| line.contains(&root)).collect();
    // What it starts has its command line until the exec.
    let flag = "\0--pod-infra-container-image=localhost/pause:test";
    assert!(
        !kubelet.is_empty() && kubelet.iter().all(|line| line.contains(flag)),
        "{kubelet:?}"
    );
}

#[test]
fn it_is_pid_1_of_a_pod_that_shares_its_pid_namespace_with_no_privilege_at_all() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl(Version::Current);
    with_shared_pod(&kubectl);
    assert_eq!(inside(&kubectl, "cat /proc/1/cmdline"), "/pause\0");
    assert_eq!(status(&kubectl, "Uid"), "65535\t65535\t65535\t65535");
    assert_eq!(status(&kubectl, "Gid"), "65535\t65535\t65535\t65535");
    assert_eq!(status(&kubectl, "CapEff"), "0000000000000000");
    // The runtime's default profile, as a filter.
    assert_eq!(status(&kubectl, "Seccomp"), "2");
    let root = inside(&kubectl, "awk '$5 == \"/\" {print $6}' /proc/1/mountinfo");
    assert!(root.starts_with("ro,"), "{root}");
}

#[test]
fn a_thousand_orphans_leave_no_zombie_and_do_not_wake_it() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl(Version::Current);
    with_shared_pod(&kubectl);
    let switches = || {
        let voluntary = status(&kubectl, "voluntary_ctxt_switches");
        (voluntary, status(&kubectl, "nonvoluntary_ctxt_switches"))
    };
    let before = switches();
    // Each shell ends before what it started, which thereby becomes a child of process 1.
    let script = "i=0; while [ $i -lt 1000 ]; do (sleep 1000 &); i=$((i+1)); done; \
                  orphans=$(ps -o pid,ppid,comm | awk '$2 == 1 && $3 == \"sleep\" {print $1}'); \
                  echo $orphans | wc -w; kill $orphans";
    let adopted: u32 = inside(&kubectl, script).trim().parse().unwrap();
    assert!(adopted > 0, "none of them was pause's");
    // One that nobody had buried would stay in the list; the container's own are its shell's to bury.
    kubectl.until("exec shared -- ps -o ppid,comm", |processes| {
        !processes.contains(" 1 sleep")
    });
    assert_eq!(switches(), before, "the kernel reaps, not pause");
}

#[test]
fn a_deletion_does_not_wait_out_its_grace_period() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let kubectl = namespace.kubectl(Version::Current);
    with_shared_pod(&kubectl);
    let start = Instant::now();
    kubectl.does("delete pod shared --timeout=120s");
    // A busy machine takes its time, but never this much.
    assert!(
        start.elapsed() < Duration::from_secs(120),
        "{:?} of 600 s",
        start.elapsed()
    );
}
