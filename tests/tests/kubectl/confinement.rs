//! What a container can't reach, beyond what its manifest asks for.

use tests::kubectl::Version;

use crate::World;

crate::with_either_kubectl! {
    the_machine_is_out_of_reach a_volume_does_not_lead_out last_words_and_settings_are_read_from_nowhere_else
    the_hosts_can_be_written_where_the_root_can_not
}

/// Tries what would reach the machine, and says of each whether it did.
const TRIES: &str = r#"
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name: done"; else echo "$name: refused"; fi; }
# Where not even the node can be made there is none to write to: dd would make a file.
try 'write to the disk' sh -c '[ -b /disk ] && dd if=/dev/zero of=/disk count=1'
try 'read the disk' dd if=/disk of=/dev/null count=1
try 'read memory' dd if=/mem of=/dev/null count=1
try 'write to the kernel' sh -c 'echo b > /proc/sysrq-trigger'
try 'change the kernel' sh -c 'echo 1 > /proc/sys/vm/drop_caches'
try 'read the keys' grep . /proc/keys
try 'read kernel memory' dd if=/proc/kcore of=/dev/null count=1
try 'see timers' grep . /proc/timer_list
try 'mount' mount -t tmpfs tmpfs /mnt
try 'mount the disk' mount /disk /mnt
try 'change cgroups' mkdir /sys/fs/cgroup/escape
try 'load a module' sh -c 'insmod /bin/sh'
try 'see other processes' sh -c '[ $(ls -d /proc/[0-9]* | wc -l) -gt 20 ]'
try 'enter the first process of the machine' ls /proc/1/root/../../../../home
head -c 1 /dev/null && echo 'its own devices: done'
exit 0
"#;

fn the_machine_is_out_of_reach(version: Version) {
    let world = World::new(version);
    let disk = block_device();
    let script = format!("mknod /disk b {disk} 2>/dev/null; mknod /mem c 1 1 2>/dev/null\nmkdir -p /mnt\n{TRIES}");
    let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tries"}, "spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "busybox:1", "imagePullPolicy": "Never", "command": ["sh", "-c", script]}],
    }});
    let _ = world.kubectl.feed("apply -f -", &pod.to_string()).succeeded();
    let _ = world
        .kubectl
        .until("get pod tries -o jsonpath={.status.phase}", |phase| {
            phase == "Succeeded"
        });
    let log = world.kubectl.says("logs tries");
    let done: Vec<&str> = log.lines().filter(|line| line.ends_with(": done")).collect();
    // Its own first process, whose root is its own.
    assert_eq!(done, ["its own devices: done"], "{log}");
    assert_eq!(log.lines().count(), 15, "{log}");
}

/// The numbers of a disk of this machine; those of a first SCSI disk where it has none that is seen.
fn block_device() -> String {
    let disks = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let numbers = disks.filter_map(|disk| std::fs::read_to_string(disk.path().join("dev")).ok());
    let found = numbers.map(|numbers| numbers.trim().replace(':', " ")).next();
    found.unwrap_or_else(|| "8 0".to_owned())
}

fn a_volume_does_not_lead_out(version: Version) {
    let world = World::new(version);
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "links"}, "spec": {
        "restartPolicy": "Never",
        "initContainers": [{"name": "link", "image": "busybox:1", "imagePullPolicy": "Never",
            "command": ["sh", "-c", "ln -s /etc /data/out; ln -s ../../../../../../../../etc /data/up; mkdir /data/in"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
        "containers": [
            {"name": "NAME", "image": "busybox:1", "imagePullPolicy": "Never", "command": ["ls", "/seen"],
                "volumeMounts": [{"name": "data", "mountPath": "/seen", "subPath": "NAME"}]}],
        "volumes": [{"name": "data", "emptyDir": {}}]}}"#;
    for (sub_path, leads_out) in [("out", true), ("up", true), ("in", false)] {
        let pod = pod
            .replace("\"links\"", &format!("\"{sub_path}\""))
            .replace("NAME", sub_path);
        let _ = world.kubectl.feed("apply -f -", &pod).succeeded();
        if !leads_out {
            let line = format!("get pod {sub_path} -o jsonpath={{.status.phase}}");
            let _ = world.kubectl.until(&line, |phase| phase == "Succeeded");
            assert_eq!(world.kubectl.says(&format!("logs {sub_path}")), "");
            continue;
        }
        let line = format!("get pod {sub_path} -o jsonpath={{.status.containerStatuses[0].state.waiting}}");
        let waiting = world
            .kubectl
            .until(&line, |waiting| waiting.contains("CreateContainerConfigError"));
        assert!(waiting.contains("failed to prepare subPath"), "{waiting}");
    }
}

/// Tries to put links where the emulator reads and writes, and then says its last words.
const LINKS: &str = r#"
for place in /dev/termination-log /data/words /etc/hosts /settings/..data /settings/key; do
    rm -rf $place; mv $place /data/moved; ln -sfn /etc/shadow $place
done
grep -E 'Cap(Bnd|Eff)' /proc/self/status | tr '\t' ' '
for place in /dev/termination-log /data/words; do echo mine > $place; done
exit 0
"#;

fn last_words_and_settings_are_read_from_nowhere_else(version: Version) {
    let world = World::new(version);
    let container = |name: &str, words: &str| {
        serde_json::json!({"name": name, "image": "busybox:1", "imagePullPolicy": "Never", "command": ["sh", "-c", LINKS],
            "terminationMessagePath": words,
            "volumeMounts": [{"name": name, "mountPath": "/data"}, {"name": "settings", "mountPath": "/settings"}]})
    };
    let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "words"}, "spec": {
        "restartPolicy": "Never",
        "containers": [container("usual", "/dev/termination-log"), container("own", "/data/words")],
        "volumes": [
            {"name": "usual", "emptyDir": {}}, {"name": "own", "emptyDir": {}},
            {"name": "settings", "configMap": {"name": "settings"}},
        ],
    }});
    world.kubectl.does("create configmap settings --from-literal=key=value");
    let _ = world.kubectl.feed("apply -f -", &pod.to_string()).succeeded();
    let _ = world
        .kubectl
        .until("get pod words -o jsonpath={.status.phase}", |phase| {
            phase == "Succeeded"
        });
    let words = "get pod words -o jsonpath={.status.containerStatuses[*].state.terminated.message}";
    assert_eq!(world.kubectl.says(words), "mine\n mine\n");
    // What containerd leaves to every container.
    let default = ["CapEff: 00000000a80425fb", "CapBnd: 00000000a80425fb"];
    for container in ["usual", "own"] {
        // Between them stands what was said on standard error, in any order.
        let log = world.kubectl.says(&format!("logs words -c {container}"));
        for set in default {
            assert!(log.lines().any(|line| line == set), "{log}");
        }
    }
}

fn the_hosts_can_be_written_where_the_root_can_not(version: Version) {
    let world = World::new(version);
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sealed"}, "spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "busybox:1", "imagePullPolicy": "Never",
            "securityContext": {"readOnlyRootFilesystem": true},
            "command": ["sh", "-c",
                "for file in /etc/hosts /etc/hostname /etc/resolv.conf /new; do touch $file 2>/dev/null && echo $file; done; true"]}]}}"#;
    let _ = world.kubectl.feed("apply -f -", pod).succeeded();
    let line = "get pod sealed -o jsonpath={.status.phase}";
    let _ = world.kubectl.until(line, |phase| phase == "Succeeded");
    assert_eq!(world.kubectl.says("logs sealed").trim(), "/etc/hosts");
}
