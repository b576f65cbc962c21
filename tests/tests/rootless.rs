//! What the kernel does not allow without root, each as `docs/rootless.md` says it, where a user has been given nothing:
//! no cgroup and no further IDs. Whoever runs these tests is root of a user namespace in them, and nothing else.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};
use tests::{
    emulator::{Emulator, within},
    kubectl::{Kubectl, Version},
    output::Output,
};

const NOBODY: &[&str] = &[
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    r#"mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@""#,
];

/// An emulator of such a user, and a kubectl for it.
struct World {
    _emulator: Emulator,
    kubectl: Kubectl,
    /// What the start has said.
    said: String,
}

impl World {
    fn new() -> Self {
        let emulator = Emulator::prepare();
        let said = emulator.up_within(NOBODY);
        let kubectl = emulator.kubectl(Version::Current);
        Self {
            _emulator: emulator,
            kubectl,
            said,
        }
    }

    /// Runs a script in a pod's one container, with more for the container and the pod.
    fn run(&self, name: &str, script: &str, container: &Value, spec: &Value) {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "terminationGracePeriodSeconds": 0, "restartPolicy": "Never", "automountServiceAccountToken": false,
            "containers": [{"name": "main", "image": "busybox:1", "imagePullPolicy": "Never",
                "command": ["sh", "-c", script]}]}});
        for (place, more) in [("/spec/containers/0", container), ("/spec", spec)] {
            let fields = more.as_object().unwrap().clone();
            pod.pointer_mut(place).unwrap().as_object_mut().unwrap().extend(fields);
        }
        let _ = self.kubectl.feed("apply -f -", &pod.to_string()).succeeded();
    }

    /// What the pod has written, once it has ended well.
    fn written(&self, name: &str) -> String {
        let line = format!("get pod {name} -o jsonpath={{.status.phase}}");
        self.kubectl.until(&line, |phase| phase == "Succeeded");
        self.kubectl.says(&format!("logs {name}"))
    }

    /// Waits for an event of the pod with these words.
    #[track_caller]
    fn until_event(&self, name: &str, reason: &str, words: &str) {
        let line = format!(
            "get events --field-selector involvedObject.name={name},reason={reason} -o jsonpath={{.items[*].message}}"
        );
        self.kubectl.until(&line, |messages| messages.contains(words));
    }
}

#[test]
fn what_the_machine_does_not_give_is_said_at_the_start() {
    let world = World::new();
    for sentence in [
        "memory limits of containers are not enforced: this user has no cgroup with the memory controller",
        "CPU limits of containers are not enforced: this user has no cgroup with the cpu controller",
        "limits on processes of containers are not enforced: this user has no cgroup with the pids controller",
        "containers can run as user 0 only: this user needs a range of IDs in /etc/subuid and /etc/subgid",
        "the pods' addresses are reached by pods and probes alone",
    ] {
        let lines = world.said.lines();
        let found = lines
            .filter(|line| line.starts_with(&format!("note: {sentence}")))
            .count();
        assert_eq!(found, 1, "{sentence}\n{}", world.said);
    }
    assert_eq!(world.said.lines().count(), 5, "{}", world.said);
}

#[test]
fn other_users_and_groups_are_refused_by_name() {
    let world = World::new();
    world.run(
        "user",
        "true",
        &json!({"securityContext": {"runAsUser": 1000}}),
        &json!({}),
    );
    world.until_event("user", "Failed", "running as user 1000 needs root, or a range of IDs");
    world.run(
        "group",
        "true",
        &json!({"securityContext": {"runAsGroup": 1000}}),
        &json!({}),
    );
    world.until_event("group", "Failed", "running in group 1000 needs root, or a range of IDs");
    world.run("users", "true", &json!({}), &json!({"hostUsers": false}));
    world.until_event(
        "users",
        "FailedCreatePodSandBox",
        "a user namespace for the pod (hostUsers: false) needs root",
    );
    let files = json!({"securityContext": {"fsGroup": 2000}, "volumes": [{"name": "data", "emptyDir": {}}]});
    let mounts = json!({"volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    world.run("files", "true", &mounts, &files);
    world.until_event(
        "files",
        "FailedMount",
        "files of group 2000 need root, or a range of IDs",
    );
}

#[test]
fn limits_without_a_cgroup_are_not_changed_and_nothing_is_measured() {
    let world = World::new();
    let resources = json!({"requests": {"memory": "10Mi"}, "limits": {"memory": "20Mi"}});
    world.run("limited", "sleep 1000", &json!({"resources": resources}), &json!({}));
    world.kubectl.until_ready("limited");
    let more = r#"{"spec":{"containers":[{"name":"main","resources":{"limits":{"memory":"30Mi"}}}]}}"#;
    let words = ["patch", "pod", "limited", "--subresource", "resize", "-p", more];
    let _ = Output::of(&mut world.kubectl.command_of(&words)).succeeded();
    world.until_event("limited", "ResizeError", "memory limits of containers are not enforced");
    let told = world.kubectl.run("top pod limited").failed();
    assert!(
        told.contains("what containers use is not measured: this user has no cgroup"),
        "{told}"
    );
    assert!(world.kubectl.says("top node --no-headers").starts_with("emulator "));
}

#[test]
fn storage_is_limited_without_cgroups_too() {
    let world = World::new();
    let fill = "dd if=/dev/zero of=/data/x bs=1M count=8 2>&1; wc -c < /data/x";
    let mounts = json!({"volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    let memory = json!({"volumes": [{"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}]});
    world.run("memory", fill, &mounts, &memory);
    let written = world.written("memory");
    assert!(
        written.contains("No space left on device") && written.ends_with("\n4194304\n"),
        "{written}"
    );
    let limits = json!({"resources": {"limits": {"ephemeral-storage": "2Mi"}}});
    let fill = "dd if=/dev/zero of=/x bs=1M count=8; sleep 1000";
    world.run("writes", fill, &limits, &json!({}));
    let evicted = "get pod writes -o jsonpath={.status.reason}";
    world.kubectl.until(evicted, |reason| reason == "Evicted");
}

/// What a server answers, where there is one. The emulator of another may have a pod of the same address.
fn get(address: &str, patience: Duration) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address.parse().unwrap(), patience).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.lines().last().unwrap_or_default().to_owned())
}

/// A port that nobody has, and that nobody gets meanwhile: it lies below those that the kernel gives to whoever asks for
/// any, and other tests look for theirs elsewhere.
fn free() -> u16 {
    let first = u16::try_from(10_000 + std::process::id() % 2_000 * 10).unwrap();
    let mut ports = first..first + 10;
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

#[test]
fn a_pod_is_reached_by_its_host_port_and_not_by_its_address() {
    let world = World::new();
    // Nobody else says this.
    let words = format!("hello from {}", std::process::id());
    let serve = |port| format!("mkdir /www; echo {words} > /www/index.html; exec httpd -f -p {port} -h /www");
    let ready = |port| json!({"httpGet": {"path": "/", "port": port}, "periodSeconds": 1});
    let long = Duration::from_secs(60);
    let port = free();
    let ports = json!({"ports": [{"containerPort": 8080, "hostPort": port}], "readinessProbe": ready(8080)});
    world.run("port", &serve(8080), &ports, &json!({}));
    world.kubectl.until_ready("port");
    assert_eq!(get(&format!("127.0.0.1:{port}"), long).as_ref(), Some(&words));
    let address = world.kubectl.says("get pod port -o jsonpath={.status.podIP}:8080");
    assert_ne!(get(&address, Duration::from_secs(1)), Some(words.clone()), "{address}");

    let port = free();
    let ports = json!({"ports": [{"containerPort": port, "hostPort": port}], "readinessProbe": ready(port)});
    world.run("network", &serve(port), &ports, &json!({"hostNetwork": true}));
    world.kubectl.until_ready("network");
    assert_eq!(get(&format!("127.0.0.1:{port}"), long).as_ref(), Some(&words));
}

#[test]
fn a_privileged_pod_has_the_rights_of_the_user_and_no_more() {
    let world = World::new();
    let privileged = json!({"securityContext": {"privileged": true}});
    let script = "mkdir -p /mnt; mount -t tmpfs none /mnt && echo mounts
        mknod /disk b 8 0 2>/dev/null || echo makes no disk
        head -c 1 /dev/kmsg >/dev/null 2>&1; [ -r /proc/kcore ] && head -c 1 /proc/kcore >/dev/null 2>&1 || echo reads no memory
        [ $(ls /proc 2>/dev/null | grep -c '^[0-9]') -gt 3 ] && echo sees the processes of the machine";
    world.run("privileged", script, &privileged, &json!({"hostPID": true}));
    assert_eq!(
        world.written("privileged"),
        "mounts\nmakes no disk\nreads no memory\nsees the processes of the machine\n"
    );
}

#[test]
fn sysctls_of_the_pods_own_namespaces_are_set() {
    let world = World::new();
    let sysctls = json!({"securityContext": {"sysctls": [
        {"name": "net.ipv4.ip_unprivileged_port_start", "value": "100"},
        {"name": "kernel.shm_rmid_forced", "value": "1"}]}});
    let script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced";
    world.run("sysctls", script, &json!({}), &sysctls);
    assert_eq!(world.written("sysctls"), "100\n1\n");
}

/// `lifecycle --emulate` of a pod that ends well, by way of another program.
fn emulate_within(program: &[&str]) -> Output {
    let emulator = Emulator::prepare();
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: ends}, spec: {restartPolicy: Never, containers: [\
               {name: main, image: localhost/host, command: ['true']}]}}";
    let manifest = emulator.file("pod.yaml", pod);
    let command = emulator.plugin_command(&["lifecycle", "--emulate", "-f", &manifest]);
    Output::of(&mut within(program, &command))
}

#[test]
fn a_pod_runs_wherever_one_is_root_of_something() {
    for program in [
        "unshare --user --map-root-user",
        "unshare --user --map-root-user --mount",
        "unshare --user --map-root-user --mount --pid --fork --mount-proc",
        // Whose loopback is down.
        "unshare --user --map-root-user --net",
        // As in a container that was not given the right to mount.
        "unshare --user --map-root-user setpriv --bounding-set -sys_admin",
        "unshare --user --map-root-user setpriv --bounding-set -net_admin",
    ] {
        let words: Vec<&str> = program.split(' ').collect();
        let output = emulate_within(&words);
        assert!(
            output.stdout.contains("Succeeded: all containers ended well"),
            "{output:#?}"
        );
        assert_eq!(output.code, 0, "{output:#?}");
    }
}

#[test]
fn cgroups_that_can_only_be_read_are_as_none() {
    let read_only = r#"for folder in $(awk '/ - cgroup/ {print $5}' /proc/self/mountinfo); do
        mount -o remount,bind,ro "$folder"; done; exec "$0" "$@""#;
    let output = emulate_within(&["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", read_only]);
    assert!(
        output.stderr.contains("no cgroup with the memory controller"),
        "{output:#?}"
    );
    assert!(
        output.stdout.contains("Succeeded: all containers ended well"),
        "{output:#?}"
    );
}

#[test]
fn a_loopback_that_may_not_be_brought_up_is_said_in_a_line() {
    let output = emulate_within(&[
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "setpriv",
        "--bounding-set",
        "-net_admin",
    ]);
    assert_eq!(
        output.failed(),
        "error: the loopback interface of this network is down, and cannot be brought up here (Operation not permitted (os \
         error 1)): run `ip link set lo up` as root of this network namespace, or start the emulator outside of it\n"
    );
}

#[test]
fn a_machine_that_forbids_it_says_in_a_line_what_to_do() {
    let none_more = r#"echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -sys_admin "$0" "$@""#;
    let output = emulate_within(&["unshare", "--user", "--map-root-user", "sh", "-c", none_more]);
    let said = output.failed();
    assert_eq!(
        said,
        "error: this machine lets only root run containers: this root has no CAP_SYS_ADMIN and CAP_NET_ADMIN: give it \
         both (to a container, with --privileged), or allow user namespaces with `sysctl user.max_user_namespaces=15000`\n"
    );
}
