//! Pods whose users are not the machine's.

use serde_json::{Value, json};
use tests::kubectl::Version;

use crate::World;

/// A pod with volumes of every kind.
fn pod(script: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "own-users"}, "spec": {
        "hostUsers": false,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"fsGroup": 3000},
        "containers": [{"name": "main", "image": "busybox:1", "imagePullPolicy": "Never", "command": ["sh", "-c", script],
            "securityContext": {"procMount": "Unmasked"},
            "readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1},
            "volumeMounts": [
                {"name": "disk", "mountPath": "/disk"},
                {"name": "disk", "mountPath": "/part", "subPath": "a/b"},
                {"name": "memory", "mountPath": "/memory"},
                {"name": "image", "mountPath": "/image"},
                {"name": "image", "mountPath": "/etc-of", "subPath": "etc"},
            ]}],
        "volumes": [
            {"name": "disk", "emptyDir": {}},
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
            {"name": "image", "image": {"reference": "busybox:1", "pullPolicy": "Never"}},
        ],
    }})
}

const SCRIPT: &str = "
for path in / /disk /part /memory /image /image/bin/busybox /etc-of/passwd /etc/hosts /dev/termination-log \
    /var/run/secrets/kubernetes.io/serviceaccount/token; do
    echo $path $(ls -ldnL $path | tr -s ' ' | cut -d' ' -f3,4)
done
echo x > /disk/x && echo x > /part/x && echo x > /memory/x && echo written
ls -n /disk/a/b | tail -n 1 | tr -s ' ' | cut -d' ' -f3,4
grep -c '^[^ ]* /proc/' /proc/mounts
while :; do echo hello | nc -l -p 80; done
";

#[test]
fn such_a_pod_finds_its_files_as_ever() {
    let world = World::new(Version::Current);
    let _ = world.kubectl.feed("apply -f -", &pod(SCRIPT).to_string()).succeeded();
    if !tests::user::is_root() {
        let words = "a user namespace for the pod (hostUsers: false) needs root";
        let line = "get events -o jsonpath={.items[?(@.reason==\"FailedCreatePodSandBox\")].message}";
        let _ = world.kubectl.until(line, |messages| messages.contains(words));
        return;
    }
    world.kubectl.until_ready("own-users");
    assert_eq!(
        world.kubectl.says("logs own-users"),
        "/ 0 0\n/disk 0 3000\n/part 0 3000\n/memory 0 3000\n/image 0 0\n/image/bin/busybox 0 0\n/etc-of/passwd 0 0\n\
         /etc/hosts 0 0\n/dev/termination-log 0 0\n/var/run/secrets/kubernetes.io/serviceaccount/token 0 3000\n\
         written\n0 3000\n0\n"
    );
    let map = world.kubectl.says("exec own-users -- cat /proc/self/uid_map");
    let numbers: Vec<u32> = map.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert!(matches!(numbers[..], [0, first, 65536] if first >= 65536), "{map}");
    let _ = world.kubectl.run("delete pod own-users").succeeded();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let folder = format!("{}/", world.emulator.data().join("volumes").display());
    let left: Vec<&str> = mounts.lines().filter(|line| line.contains(&folder)).collect();
    assert!(left.is_empty(), "{left:#?}");
}
