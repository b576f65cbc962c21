//! Faults of a node that any request to its container runtime can report: exhausted limits, cgroups, the runtime itself.

use super::diagnosis::{Diagnosis, Place};
use super::message::{Message, say};

fn of_node(cause: Message) -> Option<Diagnosis> {
    Some(Diagnosis::new(Place::Node, cause))
}

fn advised(cause: Message, advice: Message) -> Option<Diagnosis> {
    of_node(cause).map(|diagnosis| diagnosis.advise(advice))
}

/// Recognizes a fault of the node by the kernel's and the runtime's words. A program's own path may hold any other word:
/// what is recognized by a path alone is left to [`cgroup`].
pub(super) fn diagnose(message: &str) -> Option<Diagnosis> {
    let lower = message.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|words| lower.contains(words));
    exhausted(&lower).or_else(|| {
        match () {
            () if says(&["structure needs cleaning", "input/output error", "bad message"]) => {
                of_node(say("node-error.damaged"))
            }
            () if says(&["transport endpoint is not connected", "stale file handle"]) => {
                of_node(say("node-error.stale"))
            }
            () if says(&["unknown service runtime.v1"]) => of_node(say("node-error.cri")),
            () if is_runtime_down(&lower) => of_node(say("node-error.runtime-down")),
            () if says(&["ttrpc: closed", "shim disconnected", "shim exited", "shim died"]) => {
                of_node(say("node-error.shim"))
            }
            () if says(&[
                "final child's pid from pipe",
                "procready not received",
                "read init-p: connection reset",
            ]) =>
            {
                advised(say("node-error.init-died"), say("node-error.memory-limit.next"))
            }
            // A name that is still taken is the consequence of a request that took too long.
            () if says(&["is reserved for", "name is reserved", "already in use by"]) => {
                of_node(say("start.name-taken"))
            }
            () if says(&[
                "deadline exceeded",
                "deadlineexceeded",
                "create container timeout",
                "container creation timeout",
                "timing out in cri-o",
            ]) =>
            {
                of_node(say("start.deadline"))
            }
            () if says(&["context canceled"]) => of_node(say("node-error.canceled")),
            () if says(&["unable to retrieve oci runtime error", "failed to start shim"])
                || says(&["fork/exec "]) && says(&["no such file or directory", "permission denied"]) =>
            {
                of_node(say("node-error.runtime-broken"))
            }
            () => None,
        }
    })
}

/// Recognizes what is used up: space, inodes, memory, processes, files (`errno(3)`: ENOSPC, EDQUOT, ENOMEM, EAGAIN, EMFILE).
fn exhausted(lower: &str) -> Option<Diagnosis> {
    let says = |any: &[&str]| any.iter().any(|words| lower.contains(words));
    let is_new_cgroup = says(&["mkdir"]) && says(&["/sys/fs/cgroup", "kubepods", "cgroup"]);
    let is_full = says(&["no space left on device"]);
    match () {
        // The kernel's keys, its cgroups and its watches are no disk, but run out with the same words.
        () if says(&["session key", "keyring"]) && says(&["quota exceeded"]) => {
            advised(say("node-error.keys"), say("node-error.keys.next"))
        }
        () if is_new_cgroup && (is_full || says(&["cannot allocate memory"])) => {
            advised(say("node-error.cgroup-leak"), say("node-error.cgroup-leak.next"))
        }
        () if says(&["inotify", "fsnotify"]) && (is_full || says(&["too many open files"])) => {
            advised(say("node-error.inotify"), say("node-error.inotify.next"))
        }
        () if is_full && says(&["cpuset"]) => of_node(say("node-error.cpuset")),
        () if is_full && says(&["/volumes/", "volume-subpaths"]) => of_node(say("node-error.volume-full")),
        () if says(&["thin pool"]) => advised(say("node-error.no-space"), say("pull.no-space.next")),
        () if is_full => advised(say("node-error.no-space"), say("pull.no-space.next")),
        () if says(&["disk quota exceeded"]) => of_node(say("node-error.quota")),
        () if says(&["too many open files"]) => {
            advised(say("node-error.open-files"), say("node-error.open-files.next"))
        }
        () if says(&["resource temporarily unavailable"])
            && says(&["fork", "clone", "thread", "exec", "newosproc"]) =>
        {
            advised(say("node-error.processes"), say("node-error.processes.next"))
        }
        () if says(&["cannot allocate memory"]) => of_node(say("node-error.memory")),
        () => None,
    }
}

fn is_runtime_down(lower: &str) -> bool {
    let says = |any: &[&str]| any.iter().any(|words| lower.contains(words));
    let is_about_socket = says(&[
        "containerd.sock",
        "crio.sock",
        "docker.sock",
        "cri-dockerd.sock",
        "dockershim.sock",
    ]);
    says(&["transport is closing", "cannot connect to the docker daemon"])
        || is_about_socket
            && says(&[
                "connection refused",
                "no such file or directory",
                "connect:",
                "error while dialing",
            ])
}

/// Recognizes trouble with cgroups, which systemd or the runtime writes (runc `libcontainer/cgroups`, kubelet
/// `pkg/kubelet/cm`).
pub(super) fn cgroup(message: &str) -> Option<Diagnosis> {
    let lower = message.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|words| lower.contains(words));
    let is_unit = says(&[".slice", ".scope", "unable to start unit"]);
    match () {
        () if says(&["cgroupspath to be of format", "cgroup manager, but"]) => of_node(say("node-error.cgroup-driver")),
        () if is_unit && says(&["already exists", "already loaded"]) => of_node(say("node-error.cgroup-exists")),
        () if is_unit
            || says(&["systemd", "dbus", "message bus", "org.freedesktop"]) && says(&["cgroup", "unit", "scope"]) =>
        {
            of_node(say("node-error.systemd"))
        }
        () if says(&["cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.max", "cpu.rt_runtime_us"]) => {
            advised(say("node-error.cpu-limit"), say("node-error.cpu-limit.next"))
        }
        () if says(&["memory.max", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]) => {
            advised(say("node-error.memory-limit"), say("node-error.memory-limit.next"))
        }
        () if says(&["cpuset"]) => of_node(say("node-error.cpuset")),
        () if says(&["hugetlb"]) => of_node(say("node-error.hugepages")),
        () if says(&["cgroup", "unable to freeze"]) => of_node(say("start.cgroup")),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_resources_of_a_node_are_told_apart() {
        for (message, key) in [
            (
                "failed to create symbolic link /var/log/containers/app.log: no space left on device",
                "node-error.no-space",
            ),
            (
                "failed to prepare extraction snapshot \"extract-1 sha256:0\": write /var/lib/containerd/x: no space left on \
                 device",
                "node-error.no-space",
            ),
            (
                "mkdir /sys/fs/cgroup/memory/kubepods/burstable/pod1: no space left on device",
                "node-error.cgroup-leak",
            ),
            (
                "mkdir /sys/fs/cgroup/memory/kubepods/besteffort/pod1: cannot allocate memory",
                "node-error.cgroup-leak",
            ),
            (
                "unable to join session keyring: unable to create session key: disk quota exceeded",
                "node-error.keys",
            ),
            (
                "failed to create fsnotify watcher: too many open files",
                "node-error.inotify",
            ),
            ("pipe2: too many open files: unknown", "node-error.open-files"),
            (
                "fork/exec /usr/bin/containerd-shim-runc-v2: resource temporarily unavailable",
                "node-error.processes",
            ),
            (
                "runtime: failed to create new OS thread; pthread_create failed: Resource temporarily unavailable",
                "node-error.processes",
            ),
            (
                "mkdir /var/lib/containerd/io: structure needs cleaning: unknown",
                "node-error.damaged",
            ),
            ("failed to create shim task: ttrpc: closed: unknown", "node-error.shim"),
            (
                "connection error: desc = \"transport: Error while dialing: dial unix /run/containerd/containerd.sock: \
                 connect: connection refused\"",
                "node-error.runtime-down",
            ),
            ("unknown service runtime.v1.RuntimeService", "node-error.cri"),
            (
                "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
                "start.deadline",
            ),
            (
                "fork/exec /usr/bin/runc: no such file or directory",
                "node-error.runtime-broken",
            ),
        ] {
            assert_eq!(diagnose(message).map(|found| found.cause), Some(say(key)), "{message}");
        }
    }

    #[test]
    fn cgroup_messages_are_told_apart() {
        for (message, key) in [
            (
                "unable to start unit \"cri-containerd-1.scope\": Timeout waiting for systemd to create it",
                "node-error.systemd",
            ),
            (
                "failed to create container for [kubepods pod1] : Unit kubepods-pod1.slice already exists.",
                "node-error.cgroup-exists",
            ),
            (
                "failed to write 500000 to cpu.cfs_quota_us: write /sys/fs/cgroup/cpu/x: invalid argument",
                "node-error.cpu-limit",
            ),
            (
                "failed to write \"1000\": write /sys/fs/cgroup/x/memory.max: device or resource busy",
                "node-error.memory-limit",
            ),
            (
                "unable to apply cgroup configuration: cannot enter cgroupv2",
                "start.cgroup",
            ),
        ] {
            assert_eq!(cgroup(message).map(|found| found.cause), Some(say(key)), "{message}");
        }
        let driver = "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/kubepods/x\" instead";
        assert_eq!(
            cgroup(driver).map(|found| found.cause),
            Some(say("node-error.cgroup-driver"))
        );
        assert_eq!(cgroup("exec: \"/app\": permission denied"), None);
    }
}
