//! Pods on a machine whose firewall drops what it would forward, as Docker leaves it.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use tests::kubectl::Version;

use crate::World;

const PODS: &str = "apiVersion: v1
kind: Pod
metadata:
  name: server
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: [nc, -ll, -p, '8080', -e, echo, served]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata:
  name: client
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: [sleep, '3600']
";

#[test]
fn firewall_of_docker_does_not_part_pods() {
    // The network of this test, and of the emulator and kubectl, which it starts.
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    let rules = "ip link set lo up; iptables -P FORWARD DROP; echo 1 >/proc/sys/net/ipv4/ip_forward";
    assert!(Command::new("sh").args(["-ec", rules]).status().unwrap().success());
    let world = World::new(Version::Current);
    let _ = world.kubectl.feed("apply -f -", PODS).succeeded();
    world.kubectl.until_ready("server");
    world.kubectl.until_ready("client");
    let address = world.kubectl.says("get pod server -o jsonpath={.status.podIP}");
    let line = format!("exec client -- nc -w 10 {address} 8080");
    assert_eq!(world.kubectl.says(&line), "served\n");
    let here = Command::new("busybox")
        .args(["nc", "-w", "10", &address, "8080"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&here.stdout), "served\n");
}
