//! Why a container could not be started, in the words of its runtime.

use super::message::{Message, say};

/// What the runtime's words say about a container that could not be started (runc and crun put it alike).
pub fn cause(message: &str) -> Message {
    let lower = message.to_lowercase();
    let says = |words: &str| lower.contains(words);
    let command = command_of(message).unwrap_or_default();
    if says("chdir to cwd") || says("mkdir /") && says("cwd") {
        say("start.working-dir").with("path", quoted_after(message, "chdir to cwd (").unwrap_or_default())
    } else if says("mount_attr_idmap") || says("idmap mounts") {
        say("start.id-mapped-mount")
    } else if says("unmapped user in user namespace") || says("cannot be mapped to a host id") {
        say("start.unmapped-user")
    } else if says("oom-killed") || says("memory limit too low") {
        say("start.memory")
    } else if says("no command specified") {
        say("start.no-command")
    } else if says("context deadline exceeded") {
        say("start.deadline")
    } else if says("is reserved for") || says("already in use by container") {
        say("start.name-taken")
    } else if says("gathering device information") || says("running hook") || says("nvidia-container") {
        say("start.device")
    } else if says("read-only file system") {
        say("start.read-only")
    } else if says("cgroup") {
        say("start.cgroup")
    } else if says("exec format error") && command.is_empty() {
        say("start.architecture-of-image")
    } else if says("exec format error") {
        say("start.architecture").with("command", command)
    } else if says("executable file") && says("not found") {
        say("start.not-in-path").with("command", command)
    } else if says("permission denied") && !command.is_empty() {
        say("start.not-executable").with("command", command)
    } else if says("no such file or directory") && !command.is_empty() {
        say("start.no-such-file").with("command", command)
    } else if says("is a directory") && !command.is_empty() {
        say("start.is-a-directory").with("command", command)
    } else if says("not a directory") || says("error mounting") || says("mount through") || says("mounting") {
        say("start.mount")
    } else if says("open executable") && says("permission denied") {
        say("exit.126")
    } else if says("no users found")
        || says("no groups found")
        || says("unable to find user")
        || says("no matching entries in passwd file")
        || says("unable to find group")
    {
        say("start.user")
    } else if says("apparmor") || says("seccomp") {
        say("start.profile")
    } else {
        say("start.refused")
    }
}

/// The command that could not be run: runc quotes it or not, crun puts it into backticks.
fn command_of(message: &str) -> Option<&str> {
    let mut bare = message.split("exec ").skip(1).filter_map(|rest| rest.split_once(": "));
    quoted_after(message, "exec: ")
        .or_else(|| {
            bare.find(|(word, _)| word.starts_with('/') && !word.contains(' '))
                .map(|(word, _)| word)
        })
        .or_else(|| message.split_once("executable file `")?.1.split('`').next())
}

/// The text in quotes behind some words: `"/bin/app"` of `exec: "/bin/app": …`.
fn quoted_after<'a>(message: &'a str, words: &str) -> Option<&'a str> {
    let rest = message.split_once(words)?.1.trim_start_matches(['\\', '"', '(']);
    rest.split(['"', '\\']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtimes_words_are_understood() {
        let told = |message: &str| cause(message).to_string();
        let missing = told(
            "failed to create containerd task: OCI runtime create failed: exec: \"/no/such\": stat /no/such: no such file \
             or directory",
        );
        assert!(
            missing.contains("/no/such") && missing.contains("not in the image"),
            "{missing}"
        );
        assert!(told("exec: \"app\": executable file not found in $PATH").contains("app"));
        assert!(told("error during container init: exec /app: exec format error").contains("/app"));
        assert_eq!(cause("exec format error"), say("start.architecture-of-image"));
        assert!(told("unable to start container process: exec /app/serve: permission denied").contains("/app/serve"));
        assert!(told("executable file `serve` not found in $PATH: No such file or directory").contains("serve"));
        assert_eq!(cause("context deadline exceeded"), say("start.deadline"));
        assert_eq!(
            cause("failed to generate spec: no command specified"),
            say("start.no-command")
        );
        assert_eq!(
            cause(
                "error gathering device information while adding custom device \"/dev/x\": no such file or directory"
            ),
            say("start.device")
        );
        assert_eq!(
            cause(
                "failed to fulfil mount request: failed to set MOUNT_ATTR_IDMAP on /var/lib/kubelet/pods/u/volumes/v: invalid \
                 argument (maybe the filesystem used doesn't support idmap mounts on this kernel?)"
            ),
            say("start.id-mapped-mount")
        );
        for words in [
            "unable to setup user: cannot set uid to unmapped user in user namespace",
            "mount callback failed on /var/lib/containerd/m: container ID 6553600 cannot be mapped to a host ID",
        ] {
            assert_eq!(cause(words), say("start.unmapped-user"));
        }
        assert!(told("chdir to cwd (\"/srv\") set in config.json failed: no such file").contains("/srv"));
        assert!(told("container init was OOM-killed (memory limit too low?)").contains("memory"));
    }
}
