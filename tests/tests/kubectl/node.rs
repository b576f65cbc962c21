//! What a node does for a pod beyond running it: volumes that only it writes, limits that change while a pod runs. And
//! that it says it is there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

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

crate::with_either_kubectl! { leases extended_resource_is_advertised_and_scheduled }

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

/// The pod of Kubernetes' documentation on extended resources.
const DEMO: &str = "apiVersion: v1
kind: Pod
metadata: {name: extended-resource-demo}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: extended-resource-demo-ctr
    image: busybox:1
    imagePullPolicy: Never
    command: [sleep, '1000']
    resources:
      requests: {example.com/dongle: 3}
      limits: {example.com/dongle: 3}
";

fn extended_resource_is_advertised_and_scheduled(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    let _ = kubectl.feed("apply -f -", DEMO).succeeded();
    let message = "get pod extended-resource-demo -o jsonpath={.status.conditions[0].message}";
    kubectl.until(message, |message| message.contains("Insufficient example.com/dongle"));
    // What `kubectl proxy` and curl do in the documentation; kubectl of that time has no --subresource.
    let patch = |operation: &str| {
        let mut proxy = kubectl.start("proxy --port=0");
        let mut line = String::new();
        BufReader::new(proxy.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("Starting to serve on ").unwrap().to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        let body = format!("[{operation}]");
        let request = format!(
            "PATCH /api/v1/nodes/emulator/status HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json-patch+json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        proxy.kill().unwrap();
        proxy.wait().unwrap();
        answer
    };
    let path = "/status/capacity/example.com~1dongle";
    let refused = patch(&format!(r#"{{"op": "add", "path": "{path}", "value": "1500m"}}"#));
    assert!(
        refused.contains("status.capacity.example.com/dongle: Invalid value: \\\"1500m\\\": must be an integer"),
        "{refused}"
    );
    let _ = patch(&format!(r#"{{"op": "add", "path": "{path}", "value": "4"}}"#));
    let allocatable = r"get node emulator -o jsonpath={.status.allocatable.example\.com/dongle}";
    let began = Instant::now();
    kubectl.until(allocatable, |amount| amount == "4");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    kubectl.until_ready("extended-resource-demo");
    let second = DEMO
        .replace("name: extended-resource-demo}", "name: second}")
        .replace(": 3}", ": 2}");
    let _ = kubectl.feed("apply -f -", &second).succeeded();
    let message = "get pod second -o jsonpath={.status.conditions[0].message}";
    kubectl.until(message, |message| message.contains("Insufficient example.com/dongle"));
    let _ = patch(&format!(r#"{{"op": "remove", "path": "{path}"}}"#));
    kubectl.until(allocatable, str::is_empty);
}
