//! top: what pods and the node use.

use tests::kubectl::Version;

use crate::World;

crate::with_either_kubectl! { usage }

/// Uses a processor as far as its limit lets it, and 20 MiB of memory.
const BUSY: &str = "apiVersion: v1
kind: Pod
metadata: {name: busy, labels: {app: busy}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: burns
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', 'while :; do :; done']
    resources: {limits: {cpu: 200m}}
  - name: holds
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', 'head -c 20971520 /dev/zero > /held/zero; while :; do sleep 1; done']
    volumeMounts: [{name: held, mountPath: /held}]
  volumes:
  - name: held
    emptyDir: {medium: Memory}
";

fn usage(version: Version) {
    let world = World::with_sleeper(version);
    let _ = world.kubectl.feed("create -f -", BUSY).succeeded();
    world.kubectl.until_ready("busy");
    let held = |said: &str| number(said, "holds", 3, "Mi").is_some_and(|memory| (20..40).contains(&memory));
    // Quotas are of 100 ms; and while the machine stands still, nobody burns anything.
    let burnt = |said: &str| number(said, "burns", 2, "m").is_some_and(|burnt| (20..=260).contains(&burnt));
    world.kubectl.until("top pod busy --containers --no-headers", |said| {
        held(said) && burnt(said)
    });
    let all = world.kubectl.says("top pods --no-headers");
    let names: Vec<&str> = all.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["busy", "sleeper"]);
    let one = world.kubectl.says("top pods -l app=sleeper --no-headers");
    assert!(one.starts_with("sleeper ") && one.lines().count() == 1, "{one}");
    let missing = world.kubectl.run("top pod nobody").failed();
    assert!(
        missing.contains("podmetrics.metrics.k8s.io \"default/nobody\" not found"),
        "{missing}"
    );
    let burns = |node: &str| number(node, "emulator", 1, "m").is_some_and(|burnt| burnt > 0);
    let node = world.kubectl.until("top node --no-headers", burns);
    assert!(node.starts_with("emulator "), "{node}");
}

/// The number in a column of the line that has a word.
fn number(said: &str, word: &str, column: usize, unit: &str) -> Option<u64> {
    let line = said
        .lines()
        .find(|line| line.split_whitespace().any(|one| one == word))?;
    line.split_whitespace().nth(column)?.strip_suffix(unit)?.parse().ok()
}
