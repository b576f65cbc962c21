//! Why a container could not be started, in the words of its runtime.

use super::diagnosis::{Diagnosis, Place};
use super::message::{Message, say};
use super::node_error;
use crate::pod::Facts;

/// What the runtime's words say about a container that could not be started (containerd, CRI-O, runc, crun, Docker).
pub(super) fn diagnose(facts: &Facts, message: &str) -> Diagnosis {
    of_setup(message)
        .or_else(|| of_hook(message))
        .or_else(|| of_command(message))
        .or_else(|| node_error::diagnose(message))
        .or_else(|| of_profile(message))
        .or_else(|| of_mount(facts, message))
        .or_else(|| of_user(message))
        .or_else(|| of_image(message))
        .or_else(|| node_error::cgroup(message))
        .unwrap_or_else(|| Diagnosis::new(Place::Unknown, say("start.refused")))
}

fn found(place: Place, cause: Message) -> Option<Diagnosis> {
    Some(Diagnosis::new(place, cause))
}

/// Tells whether a message holds any of some words, in upper or lower case.
fn has(message: &str) -> impl Fn(&[&str]) -> bool {
    let lower = message.to_lowercase();
    move |any: &[&str]| any.iter().any(|words| lower.contains(words))
}

/// What the container's own settings ask for and cannot get.
fn of_setup(message: &str) -> Option<Diagnosis> {
    let says = has(message);
    match () {
        () if says(&["chdir to cwd"]) || says(&["mkdir /"]) && says(&["cwd"]) => found(
            Place::Image,
            say("start.working-dir").with("path", quoted_after(message, "chdir to cwd (").unwrap_or_default()),
        ),
        () if says(&["oci runtime does not support them", "runtime handler does not support"]) => {
            found(Place::Node, say("start.runtime-feature"))
        }
        () if says(&["mount_attr_idmap", "idmap mounts"]) => found(Place::Pod, say("start.id-mapped-mount")),
        () if says(&["unmapped user in user namespace", "cannot be mapped to a host id"])
            || says(&["unmapped uid", "unmapped gid"]) =>
        {
            found(Place::Pod, say("start.unmapped-user"))
        }
        () if says(&["(possibly oom-killed)"]) => memory(say("start.memory-possible")),
        () if says(&["oom-killed", "memory limit too low"]) => memory(say("start.memory")),
        () if says(&["minimum memory limit allowed"]) || says(&["set memory limit"]) && says(&["too low"]) => {
            memory(say("start.memory-minimum"))
        }
        () if says(&[
            "no command specified",
            "no arguments specified",
            "args must not be empty",
        ]) =>
        {
            found(Place::Image, say("start.no-command"))
        }
        () if says(&["rlimit"]) => found(Place::Node, say("start.rlimit")),
        () if says(&["sysctl", "/proc/sys/"]) => found(Place::Pod, say("start.sysctl")),
        () => None,
    }
}

fn memory(cause: Message) -> Option<Diagnosis> {
    found(Place::Pod, cause).map(|diagnosis| diagnosis.advise(say("start.memory.next")))
}

/// A hook of the runtime, such as the one that gives GPUs to containers; or a device.
fn of_hook(message: &str) -> Option<Diagnosis> {
    let says = has(message);
    let is_about_gpu = says(&["nvidia", "nvml", "libcuda"]);
    let cause = match () {
        () if is_about_gpu
            && says(&[
                "driver not loaded",
                "driver/library version mismatch",
                "libnvidia-ml.so",
            ]) =>
        {
            say("start.gpu-driver")
        }
        () if is_about_gpu && says(&["unsatisfied condition", "requirement error"]) => say("start.gpu-requirement"),
        () if is_about_gpu && says(&["unknown device", "no devices", "device error"]) => say("start.gpu-device"),
        () if is_about_gpu
            || says(&[
                "gathering device information",
                "running hook",
                "executing hook",
                "cdi device",
                "adding device with hostpath",
            ])
            || says(&["hook #"]) =>
        {
            say("start.device")
        }
        () => return None,
    };
    found(Place::Node, cause)
}

/// The runtimes' own programs, which are on the node and in no image.
const RUNTIMES: [&str; 7] = [
    "runc",
    "crun",
    "runsc",
    "conmon",
    "kata-runtime",
    "nvidia-container-runtime",
    "containerd-shim-runc-v2",
];

/// The command itself: it is not there, or cannot be executed. What the runtime says of its own programs is no such thing.
fn of_command(message: &str) -> Option<Diagnosis> {
    let says = has(message);
    if says(&[
        "unable to retrieve oci runtime error",
        "failed to start shim",
        "fork/exec ",
    ]) {
        return None;
    }
    let Some((command, reason)) = failed_command(message) else {
        let cause = match () {
            () if says(&["exec format error"]) => say("start.architecture-of-image"),
            () if says(&["open executable"]) && says(&["permission denied"]) => say("exit.126"),
            () if says(&["exec user process caused"]) && says(&["no such file or directory"]) => say("exit.127"),
            () if says(&["exec user process caused"]) && says(&["permission denied"]) => say("exit.126"),
            () => return None,
        };
        return found(Place::Image, cause);
    };
    let program = command.rsplit('/').next().unwrap_or(command);
    if program == "apparmor_parser" {
        return None;
    }
    if RUNTIMES.contains(&program) {
        return found(Place::Node, say("node-error.runtime-broken"));
    }
    let says = has(reason);
    let cause = match () {
        () if says(&["exec format error"]) => say("start.architecture"),
        () if says(&["not found in $path", "executable file not found"]) => say("start.not-in-path"),
        () if says(&["permission denied"]) => say("start.not-executable"),
        () if says(&["no such file or directory", "not a directory"]) => say("start.no-such-file"),
        () if says(&["is a directory"]) => say("start.is-a-directory"),
        () => return None,
    };
    found(Place::Image, cause.with("command", command))
}

/// The command that could not be run, and why: runc quotes it or not, crun puts it into backticks.
fn failed_command(message: &str) -> Option<(&str, &str)> {
    let quoted = || {
        let rest = message.split_once("exec: ")?.1;
        rest.trim_start_matches(['\\', '"']).split_once(['"', '\\'])
    };
    let bare = || {
        let starts = message.match_indices("exec ").map(|(start, words)| start + words.len());
        let mut parts = starts.filter_map(|start| message.get(start..)?.split_once(": "));
        parts.find(|(word, _)| word.starts_with('/') && !word.contains(' '))
    };
    let in_backticks = || {
        let mut words = ["executable file `", "cannot find `"].into_iter();
        words.find_map(|words| message.split_once(words)?.1.split_once('`'))
    };
    quoted().or_else(bare).or_else(in_backticks)
}

/// A security profile that the node cannot load.
fn of_profile(message: &str) -> Option<Diagnosis> {
    let says = has(message);
    let is_missing = says(&["no such file or directory", "not found"]);
    match () {
        () if says(&["empty localhost apparmor profile"]) => {
            found(Place::Pod, say("start.apparmor-empty")).map(|it| it.advise(say("start.apparmor-empty.next")))
        }
        () if says(&[
            "apparmor_parser",
            "load apparmor profile",
            "load default apparmor profile",
        ]) =>
        {
            found(Place::Node, say("start.apparmor-load"))
        }
        () if says(&["apparmor"]) && (is_missing || says(&["not loaded", "not supported"])) => {
            found(Place::Node, say("start.apparmor-missing"))
                .map(|it| it.advise(say("start.profile.next").with("kind", "AppArmor")))
        }
        () if says(&["seccomp"]) && is_missing => found(
            Place::Node,
            say("start.seccomp-missing").with("path", path_behind(message, "open ").unwrap_or_default()),
        )
        .map(|it| it.advise(say("start.seccomp-missing.next"))),
        () if says(&["decoding seccomp profile", "invalid action", "invalid operator"]) => {
            found(Place::Node, say("start.seccomp-invalid"))
        }
        () if says(&["apparmor", "seccomp"]) => found(Place::Node, say("start.profile")),
        () if says(&["selinux", "process label", "relabel", "setxattr", "attr/keycreate"]) => {
            found(Place::Node, say("start.selinux"))
        }
        () => None,
    }
}

/// A mount that cannot be made.
fn of_mount(facts: &Facts, message: &str) -> Option<Diagnosis> {
    let says = has(message);
    let is_missing = says(&["no such file or directory", "source path does not exist"]);
    match () {
        () if says(&["not a shared or slave mount", "not a shared mount"]) => {
            found(Place::Node, say("start.propagation")).map(|it| it.advise(say("start.propagation.next")))
        }
        () if says(&["volume-subpaths"]) && says(&["file exists"]) => found(Place::Node, say("start.sub-path-exists")),
        () if says(&["volume-subpaths"]) && is_missing => {
            found(Place::Pod, say("start.sub-path-gone")).map(|it| it.advise(say("start.sub-path-gone.next")))
        }
        () if says(&["not a directory", "directory onto a file", "is a directory"]) => {
            found(Place::Pod, say("start.mount")).map(|it| it.advise(say("start.mount.next")))
        }
        () if is_missing => path_on_node(facts, message),
        () if says(&["read-only file system"]) && says(&["rootfs", "mount"]) => {
            found(Place::Pod, say("start.read-only"))
        }
        () if says(&["read-only file system"]) => found(Place::Node, say("node-error.read-only")),
        () if says(&["error mounting", "mount through", "failed to mount", "mounting"]) => {
            found(Place::Node, say("start.mount-failed"))
        }
        () => None,
    }
}

/// A path of the node that is to be mounted, or looked at for a mount, and that is not there.
pub(super) fn path_on_node(facts: &Facts, message: &str) -> Option<Diagnosis> {
    if !has(message)(&["no such file or directory", "path does not exist"]) {
        return None;
    }
    let path = [
        "failed to stat \"",
        "source path does not exist: ",
        "lstat ",
        "stat ",
        "cannot stat `",
        "error mounting \"",
    ]
    .into_iter()
    .find_map(|words| path_behind(message, words))?;
    let mut volumes = facts.spec().into_iter().flat_map(|spec| spec.volumes.iter().flatten());
    let is_host_path = volumes.any(|volume| {
        let own = volume
            .host_path
            .as_ref()
            .map(|source| source.path.trim_end_matches('/'));
        own.is_some_and(|own| {
            path.strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    });
    let cause = if is_host_path {
        say("start.host-path")
    } else {
        say("start.path-on-node")
    };
    found(Place::Node, cause.with("path", path)).map(|it| it.advise(say("start.host-path.next").with("path", path)))
}

fn of_user(message: &str) -> Option<Diagnosis> {
    let says = has(message);
    let is_unknown = says(&[
        "no users found",
        "no groups found",
        "unable to find user",
        "unable to find group",
        "no matching entries in passwd file",
        "no matching entries in group file",
    ]);
    match () {
        () if is_unknown => found(Place::Pod, say("start.user")).map(|it| it.advise(say("start.user.next"))),
        () if says(&["apply capabilities", "unknown capability"]) => found(Place::Pod, say("start.capabilities")),
        () => None,
    }
}

/// The image or the sandbox that the container needs is no longer on the node.
fn of_image(message: &str) -> Option<Diagnosis> {
    let says = has(message);
    let is_missing = says(&["not found", "does not exist", "no such image"]);
    match () {
        () if says(&["sandbox"]) && (is_missing || says(&["is not running", "was stopped"])) => {
            found(Place::Node, say("start.sandbox-gone"))
        }
        () if says(&[
            "network of a non running container",
            "/ns/",
            "open netns",
            "ipc of a non running container",
        ]) =>
        {
            found(Place::Node, say("start.sandbox-gone"))
        }
        () if says(&[
            "snapshot",
            "unpacking image",
            "get image from containerd",
            "no such image",
        ]) =>
        {
            found(Place::Node, say("start.image-gone"))
        }
        () => None,
    }
}

/// The text in quotes behind some words: `"/bin/app"` of `exec: "/bin/app": …`.
fn quoted_after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    let rest = message.split_once(words)?.1.trim_start_matches(['\\', '"', '(']);
    rest.split(['"', '\\']).next()
}

/// The absolute path behind some words.
fn path_behind<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    let rest = message.split(words).skip(1).find(|rest| rest.starts_with('/'))?;
    rest.split(['"', '`', ':', ' ', '\\']).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use k8s_openapi::jiff::Timestamp;

    fn facts() -> Facts {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "app"}], "volumes": [{"name": "d", "hostPath": {"path": "/run/udev"}}]},
        }))
        .unwrap();
        Facts::of(pod, Timestamp::UNIX_EPOCH)
    }

    fn cause(message: &str) -> Message {
        diagnose(&facts(), message).cause
    }

    #[test]
    fn a_command_that_cannot_be_run_is_named() {
        let command = |key: &'static str, command: &str| say(key).with("command", command);
        for (message, expected) in [
            (
                "failed to create containerd task: OCI runtime create failed: exec: \"/no/such\": stat /no/such: no such file \
                 or directory",
                command("start.no-such-file", "/no/such"),
            ),
            (
                "starting container process caused \"exec: \\\"app\\\": executable file not found in $PATH\": unknown",
                command("start.not-in-path", "app"),
            ),
            (
                "error during container init: exec /app: exec format error",
                command("start.architecture", "/app"),
            ),
            ("exec format error", say("start.architecture-of-image")),
            (
                "unable to start container process: exec /app/serve: permission denied",
                command("start.not-executable", "/app/serve"),
            ),
            (
                "executable file `serve` not found in $PATH: No such file or directory",
                command("start.not-in-path", "serve"),
            ),
            (
                "exec: \"/app/cgroup-scan\": permission denied: unknown",
                command("start.not-executable", "/app/cgroup-scan"),
            ),
            (
                "standard_init_linux.go:228: exec user process caused: no such file or directory",
                say("exit.127"),
            ),
        ] {
            assert_eq!(cause(message), expected, "{message}");
        }
    }

    #[test]
    fn a_fault_of_the_node_is_not_blamed_on_the_command() {
        for message in [
            "failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error (open log.json: no such \
             file or directory): fork/exec /usr/bin/runc: resource temporarily unavailable: unknown",
            "failed to start shim: start failed: exec: \"containerd-shim-runc-v2\": executable file not found in $PATH",
            "context deadline exceeded",
            "failed to reserve container name \"app_web_shop_1_0\": name \"app_web_shop_1_0\" is reserved for \"7c54\"",
            "failed to create containerd task: failed to mount rootfs component: write /run/containerd/config.json: no space left \
             on device: unknown",
            "path \"/\" is mounted on \"/\" but it is not a shared or slave mount",
            "error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\n\
             nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
            "error gathering device information while adding custom device \"/dev/x\": no such file or directory",
            "load apparmor profile tmp/cri-containerd.apparmor.d1: exit status 243: ",
            "get apparmor_parser version: exec: \"apparmor_parser\": executable file not found in $PATH",
            "failed to create shim task: exec: \"runc\": executable file not found in $PATH: unknown",
            "cannot load seccomp profile \"/var/lib/kubelet/seccomp/a.json\": open /var/lib/kubelet/seccomp/a.json: no such file \
             or directory",
            "failed to create containerd container: failed to stat parent: parent snapshot sha256:1 does not exist: not found",
        ] {
            let found = diagnose(&facts(), message);
            assert_eq!(found.place, Place::Node, "{message}: {found:?}");
        }
    }

    #[test]
    fn mounts_and_settings_of_the_pod_are_told_apart() {
        for (message, key) in [
            (
                "failed to set MOUNT_ATTR_IDMAP on /var/lib/kubelet/pods/u/volumes/v: invalid argument (maybe the filesystem used \
                 doesn't support idmap mounts on this kernel?)",
                "start.id-mapped-mount",
            ),
            (
                "unable to setup user: cannot set uid to unmapped user in user namespace",
                "start.unmapped-user",
            ),
            (
                "mount callback failed on /var/lib/containerd/m: container ID 6553600 cannot be mapped to a host ID",
                "start.unmapped-user",
            ),
            ("container init was OOM-killed (memory limit too low?)", "start.memory"),
            (
                "set memory limit 1048576 too low; should be at least 12582912 bytes",
                "start.memory-minimum",
            ),
            ("failed to generate spec: no command specified", "start.no-command"),
            (
                "error mounting \"/var/lib/kubelet/pods/1/volume-subpaths/conf/app/0\" to rootfs at \"/etc/app.conf\": no such file \
                 or directory",
                "start.sub-path-gone",
            ),
            (
                "failed to mkdir \"/var/lib/kubelet/pods/1/volume-subpaths/c/app/0\": mkdir /var/lib/kubelet/pods/1/volume-subpaths/c/\
                 app/0: file exists",
                "start.sub-path-exists",
            ),
            (
                "error mounting \"/var/lib/kubelet/pods/1/volumes/c\" to rootfs at \"/etc/app.conf\": not a directory: Are you trying \
                 to mount a directory onto a file (or vice-versa)?",
                "start.mount",
            ),
            ("mount callback failed on /m: no users found", "start.user"),
            (
                "applying apparmor profile to container 1: empty localhost AppArmor profile is forbidden",
                "start.apparmor-empty",
            ),
            ("something new", "start.refused"),
        ] {
            assert_eq!(cause(message), say(key), "{message}");
        }
        assert!(
            cause("chdir to cwd (\"/srv\") set in config.json failed: no such file")
                .to_string()
                .contains("/srv")
        );
    }

    #[test]
    fn a_missing_path_of_the_node_is_named() {
        let missing = "failed to stat \"/run/udev\": stat /run/udev: no such file or directory";
        assert_eq!(cause(missing), say("start.host-path").with("path", "/run/udev"));
        let docker = "invalid mount config for type \"bind\": bind source path does not exist: /srv/data";
        assert_eq!(cause(docker), say("start.path-on-node").with("path", "/srv/data"));
    }
}
