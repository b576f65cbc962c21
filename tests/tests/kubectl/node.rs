//! What a node does for a pod beyond running it: volumes that only it writes, limits that change while a pod runs. And
//! that it says it is there.

use tests::kubectl::Version;

use crate::World;

const CONFIGURED: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue}
---
apiVersion: v1
kind: Pod
metadata: {name: sized}
spec:
  terminationGracePeriodSeconds: 0
  volumes:
  - {name: settings, configMap: {name: settings}}
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', \"trap 'exit 0' TERM; while :; do sleep 0.1; done\"]
    volumeMounts: [{name: settings, mountPath: /settings}]
    resources: {limits: {cpu: 100m, memory: 64Mi}}
";

/// The limit on memory as the container's own cgroup has it, by either version.
const LIMIT: &str = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true";

#[test]
fn what_only_the_kubelet_writes_is_read_only_and_limits_change_while_a_pod_runs() {
    let world = World::new(Version::Current);
    let _ = world.kubectl.feed("apply -f -", CONFIGURED).succeeded();
    world.kubectl.until_ready("sized");
    let mut write = world
        .kubectl
        .command_of(&["exec", "sized", "--", "touch", "/settings/x"]);
    let refused = tests::output::Output::of(&mut write);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("Read-only file system"), "{}", refused.stderr);

    let limit = || {
        let mut read = world.kubectl.command_of(&["exec", "sized", "--", "sh", "-c", LIMIT]);
        tests::output::Output::of(&mut read).succeeded().trim().to_owned()
    };
    assert_eq!(limit(), (64 << 20).to_string());
    let more = r#"{"spec":{"containers":[{"name":"main","resources":{"limits":{"memory":"128Mi"},"requests":{"memory":"128Mi"}}}]}}"#;
    let mut patch = world
        .kubectl
        .command_of(&["patch", "pod", "sized", "--subresource=resize", "-p", more]);
    let _ = tests::output::Output::of(&mut patch).succeeded();
    world
        .kubectl
        .until("get events", |events| events.contains("ResizeCompleted"));
    assert_eq!(limit(), (128 << 20).to_string());
    for (resources, words) in [
        (
            r#"{"limits":{"memory":"8192Gi"},"requests":{"memory":"8192Gi"}}"#,
            "pods \"sized\" is forbidden: Node didn't have enough allocatable resources: memory, requested: 8796093022208, allocatable: ",
        ),
        (
            r#"{"limits":null}"#,
            "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
        ),
    ] {
        let change = format!(r#"{{"spec":{{"containers":[{{"name":"main","resources":{resources}}}]}}}}"#);
        let mut patch = world
            .kubectl
            .command_of(&["patch", "pod", "sized", "--subresource=resize", "-p", &change]);
        let refused = tests::output::Output::of(&mut patch);
        assert_eq!(refused.code, 1, "{refused:#?}");
        assert!(refused.stderr.contains(words), "{refused:#?}");
    }
}

crate::with_either_kubectl! { leases }

fn leases(version: Version) {
    let world = World::new(version);
    let said = world.kubectl.says("describe node emulator");
    assert!(
        said.contains("HolderIdentity:  emulator") && said.contains("RenewTime:"),
        "{said}"
    );
    let table = world
        .kubectl
        .says("get leases --namespace kube-node-lease --no-headers");
    assert!(table.starts_with("emulator   emulator   "), "{table}");
}
