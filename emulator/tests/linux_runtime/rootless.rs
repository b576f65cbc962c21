//! Pods of a user without any rights.

use std::{fs, os::unix::fs::PermissionsExt};

use emulator::{
    image::Root,
    runtime::{ContainerConfig, SandboxConfig},
};

use crate::machine::{container_of, fill_layer, output, pod};

/// Runs a container as a user without any rights, in two processes one after the other; what it wrote.
fn run_rootless(uid: u32, sandbox: &SandboxConfig, edit: impl FnOnce(&mut ContainerConfig)) -> (String, String) {
    run_rootless_after("true", uid, sandbox, edit)
}

/// The same on a machine that a shell command has changed, as root and for these processes alone.
fn run_rootless_after(
    change: &str,
    uid: u32,
    sandbox: &SandboxConfig,
    edit: impl FnOnce(&mut ContainerConfig),
) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    // An executable that the other user can reach.
    let program = folder.path().join("pod-shim");
    fs::copy(env!("CARGO_BIN_EXE_pod-shim"), &program).unwrap();
    fill_layer(&folder.path().join("layer"));
    std::os::unix::fs::chown(&data, Some(uid), Some(uid)).unwrap();
    let mut config = container_of(folder.path(), "");
    config.log_path = data.join("log/0.log");
    edit(&mut config);
    let run = |leave: bool| {
        let file = folder.path().join("config.json");
        fs::write(&file, serde_json::to_vec(&(sandbox, &config, leave)).unwrap()).unwrap();
        let become_user = format!("{change} && exec setpriv --reuid {uid} --regid {uid} --clear-groups \"$@\"");
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-c", &become_user, "sh"]);
        command.arg(&program).arg(&data).arg(&file);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let first = run(true);
    if !first.is_empty() {
        return (String::new(), first);
    }
    let errors = run(false);
    (output(&config.log_path), errors)
}

#[test]
fn without_root_a_pod_runs_in_a_user_namespace_and_a_new_emulator_finds_it() {
    let command =
        "id -u; hostname; echo $$; cat /proc/net/route | grep -c eth0; touch /x && echo written; sleep 1; echo end";
    let (output, errors) = run_rootless(54321, &pod(), |config| config.command[2] = command.into());
    assert_eq!((output.as_str(), errors.as_str()), ("0\np\n1\n2\nwritten\nend\n", ""));
}

#[test]
fn without_root_the_machines_own_files_are_a_root_too() {
    let (output, errors) = run_rootless(54321, &pod(), |config| {
        config.image.root = Root::Host;
        config.command[2] = "touch /usr/new && rm /usr/new && echo written; ls /tmp; sleep 1".into();
    });
    assert_eq!((output.as_str(), errors.as_str()), ("written\n", ""));
}

#[test]
fn without_root_another_user_is_refused_by_name() {
    let (_, errors) = run_rootless(54321, &pod(), |config| config.user.uid = 1000);
    assert!(errors.contains("running as user 1000 needs root"), "{errors}");
}

#[test]
fn without_root_a_shared_pid_namespace_is_cleared_of_what_a_container_leaves() {
    let shared = SandboxConfig {
        share_process_namespace: true,
        ..pod()
    };
    let (output, errors) = run_rootless(54321, &shared, |config| {
        config.command[2] = "sleep 1000 & sleep 0.7; echo end".into();
    });
    assert_eq!((output.as_str(), errors.as_str()), ("end\n", ""));
}

/// Of the paths that every container has read-only or masked, a stock kernel has some that only root may read: these are
/// such files of every kernel.
#[test]
fn rootless_unreadable_proc_files_are_protected_and_masked() {
    let (output, errors) = run_rootless(54321, &pod(), |config| {
        config.security.readonly_paths = vec!["/proc/sys/vm/drop_caches".into(), "/proc/sys/vm/compact_memory".into()];
        config.security.masked_paths = vec![
            "/proc/timer_list".into(),
            "/proc/slabinfo".into(),
            "/proc/absent".into(),
        ];
        config.command[2] =
            "while read -r _ _ _ _ path options _; do case $path in /proc/?*) echo $path ${options%%,*};; \
            esac; done </proc/self/mountinfo; cat /proc/timer_list; sleep 1"
                .into();
    });
    let expected =
        "/proc/timer_list ro\n/proc/slabinfo ro\n/proc/sys/vm/drop_caches ro\n/proc/sys/vm/compact_memory ro\n";
    assert_eq!((output.as_str(), errors.as_str()), (expected, ""));
}

#[test]
fn rootless_privileged_container_starts_despite_closed_dev_folder() {
    let closed = "mount -t tmpfs -o mode=700 closed /dev/net";
    let (output, errors) = run_rootless_after(closed, 54321, &pod(), |config| {
        config.security.privileged = true;
        config.command[2] = "ls /dev/net/tun /dev/kmsg 2>&1; sleep 1".into();
    });
    let expected = "ls: /dev/net/tun: No such file or directory\n/dev/kmsg\n";
    assert_eq!((output.as_str(), errors.as_str()), (expected, ""));
}

#[test]
fn rootless_pod_opens_low_ports_and_fills_image_volumes() {
    let plain = SandboxConfig {
        sysctls: Default::default(),
        ..pod()
    };
    let (output, errors) = run_rootless(54321, &plain, |config| {
        config.image.config.volumes = vec!["/etc".into()];
        config.security.read_only_root_filesystem = true;
        config.command[2] =
            "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /etc/passwd; touch /etc/new && echo written; \
             touch /new 2>/dev/null || echo fixed; sleep 1"
                .into();
    });
    let expected = "0\nroot:x:0:0:root:/root:/bin/sh\nwritten\nfixed\n";
    assert_eq!((output.as_str(), errors.as_str()), (expected, ""));
}
