//! What a container tries that wants more than it was given.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{PermissionsExt, symlink},
    time::Duration,
};

use emulator::{
    image::Root,
    runtime::{Mount, Propagation, Runtime, Seccomp},
};

use crate::machine::{Machine, output, pod};

/// A shell command, for an exec.
fn shell(command: &str) -> [String; 3] {
    ["sh", "-c", command].map(str::to_owned)
}

/// The processes that this one has started.
fn children() -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    children
        .flat_map(|pids| pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[tokio::test]
async fn the_emulators_own_program_cannot_be_changed_through_a_process_that_runs_it() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let shims = children();
    assert!(!shims.is_empty());
    for shim in shims {
        // What a container gets that makes a further process run `/proc/self/exe`.
        let program = format!("/proc/{shim}/exe");
        let changed = fs::set_permissions(&program, fs::Permissions::from_mode(0o4777));
        assert_eq!(changed.unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    }
    machine.runtime.remove_sandbox(&sandbox).await.unwrap();
    machine.close().await;
}

#[tokio::test]
async fn a_process_has_no_descriptors_and_no_variables_but_its_own() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let mut config = machine.container("ls /proc/self/fd; tr '\\0' '\\n' < /proc/1/environ; sleep 1000");
    config.stdin = true;
    let id = machine.start(&sandbox, &config).await;
    let see = shell("ls /proc/self/fd; tr '\\0' '\\n' < /proc/self/environ | grep -v '^[A-Z]*=' || echo no more");
    let seen = machine.runtime.exec(&id, &see, None).await.unwrap();
    // The fourth is that of `ls` on the folder.
    assert_eq!(String::from_utf8_lossy(&seen.output()), "0\n1\n2\n3\nno more\n");
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let expected = format!("0\n1\n2\n3\nWHO=me\n{path}\nHOME=/root\n");
    machine.until(|| output(&config.log_path) == expected).await;
    machine.close().await;
}

#[tokio::test]
async fn a_working_directory_does_not_lead_out_through_a_descriptor() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let mut config = machine.container("mkdir /links; sleep 1000");
    config.working_dir = "/work".into();
    let id = machine.start(&sandbox, &config).await;
    for descriptor in 0..24 {
        // As what runs in the container may do between two commands.
        let swap = format!("cd /; rm -rf /work; ln -s /proc/self/fd/{descriptor} /work");
        let see = shell("pwd; ls -a ../../../../../.. | head -3");
        let _ = machine.runtime.exec(&id, &shell(&swap), None).await;
        let entered = machine.runtime.exec(&id, &see, None).await;
        assert!(
            entered.is_err(),
            "{descriptor}: {}",
            String::from_utf8_lossy(&entered.unwrap().output())
        );
        config.working_dir = format!("/proc/self/fd/{descriptor}").into();
        let (status, _) = {
            let first = machine.runtime.create_container(&sandbox, &config).await.unwrap();
            let started = machine.runtime.start_container(&first).await;
            (started, first)
        };
        assert!(status.is_err(), "{descriptor}");
    }
    machine.close().await;
}

#[tokio::test]
async fn a_list_of_users_that_never_ends_holds_nobody_up() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let config = machine.container("rm /etc/passwd; mknod /etc/passwd p; echo ready; sleep 1000");
    let id = machine.start(&sandbox, &config).await;
    machine.until(|| output(&config.log_path) == "ready\n").await;
    let limit = Some(Duration::from_secs(120));
    let seen = machine.runtime.exec(&id, &shell("echo $HOME"), limit).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&seen.output()), "/\n");
    machine.close().await;
}

#[tokio::test]
async fn nothing_but_the_devices_of_every_container_can_be_opened_as_one() {
    let machine = Machine::new().await;
    let volume = machine.data.path().join("volume");
    fs::create_dir(&volume).unwrap();
    // Nodes that came with an image's layer.
    let layer = machine.data.path().join("layer/nodes");
    fs::create_dir(&layer).unwrap();
    let (kind, mode) = (
        nix::sys::stat::SFlag::S_IFCHR,
        nix::sys::stat::Mode::from_bits_truncate(0o666),
    );
    nix::sys::stat::mknod(&layer.join("null"), kind, mode, nix::sys::stat::makedev(1, 3)).unwrap();
    let mut config = machine.container(
        "for d in / /tmp /dev /dev/shm /volume /dev/mqueue; do mknod $d/own c 1 3 2>/dev/null; \
         for n in $d/own /nodes/null; do (: < $n) 2>/dev/null && echo $n; done; done; \
         grep -v nodev /proc/self/mountinfo | while read a b c d place flags rest; do \
         case $flags in ro*) ;; *) echo $place;; esac; done; \
         for n in null zero full random urandom tty; do chmod 666 /dev/$n 2>/dev/null && echo changed; done; echo > /dev/null",
    );
    config.security.capabilities.push("CAP_MKNOD".into());
    config.mounts = vec![Mount {
        host_path: volume,
        container_path: "/volume".into(),
        read_only: false,
        propagation: Propagation::Private,
        ids_mapped: false,
    }];
    let (status, output) = machine.run(&config).await;
    assert_eq!(
        (output.as_str(), status.exit_code),
        ("/dev/pts\n", Some(0)),
        "{status:?}"
    );
    machine.close().await;
}

/// What the kernel answers to a call by number, in a container with the machine's files: the result, or the error.
fn called(call: &str) -> String {
    format!(
        "python3 -c \"import ctypes; c = ctypes.CDLL(None, use_errno=True); r = c.syscall({call}); \
         print(r if r >= 0 else -ctypes.get_errno())\""
    )
}

#[tokio::test]
async fn the_keys_of_who_started_the_emulator_are_not_the_containers() {
    // A session of this thread's, with a key in it, as a login makes one.
    let secret = c"kubectl-pod-secret";
    // SAFETY: the arguments are numbers, and pointers to terminated strings and to as many bytes as are named.
    let key = unsafe {
        libc::syscall(libc::SYS_keyctl, 1, std::ptr::null::<u8>());
        libc::syscall(
            libc::SYS_add_key,
            c"user".as_ptr(),
            secret.as_ptr(),
            c"x".as_ptr(),
            1,
            -3,
        )
    };
    assert!(key > 0, "{}", std::io::Error::last_os_error());
    let machine = Machine::new().await;
    let search = called(&format!(
        "{}, 10, -3, b'user', b'kubectl-pod-secret', 0",
        libc::SYS_keyctl
    ));
    let mut config = machine.container(&search);
    config.image.root = Root::Host;
    let (status, output) = machine.run(&config).await;
    assert_eq!(output, format!("-{}\n", libc::ENOKEY), "{status:?}");
    machine.close().await;
}

#[tokio::test]
async fn the_default_profile_refuses_what_an_unconfined_container_may_ask_of_the_kernel() {
    let machine = Machine::new().await;
    let calls = [
        format!("{}, 0x10000000", libc::SYS_unshare),
        format!("{}, 0, -3, 0", libc::SYS_keyctl),
        format!("{}, 0, None, 0", libc::SYS_bpf),
        format!("{}, 0", libc::SYS_userfaultfd),
        format!("{}, None, 0", libc::SYS_io_uring_setup),
    ];
    let refused = format!("-{}\n", libc::EPERM);
    for (seccomp, is_refused) in [(Seccomp::RuntimeDefault, true), (Seccomp::Unconfined, false)] {
        let script: Vec<String> = calls.iter().map(|call| called(call)).collect();
        let mut config = machine.container(&script.join("; "));
        config.image.root = Root::Host;
        config.security.seccomp = seccomp;
        let (status, output) = machine.run(&config).await;
        assert_eq!(
            output == refused.repeat(calls.len()),
            is_refused,
            "{status:?}: {output}"
        );
    }
    machine.close().await;
}

#[tokio::test]
async fn what_a_link_in_an_image_leads_to_is_in_the_image() {
    let machine = Machine::new().await;
    let layer = machine.data.path().join("layer");
    symlink("/", layer.join("root")).unwrap();
    let up = "../".repeat(20);
    symlink(&up, layer.join("up")).unwrap();
    let volume = machine.data.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let data = machine.data.path().to_owned();
    for through in ["root", "up"] {
        let mut config = machine.container("pwd; ls /volume/../ > /dev/null && echo seen");
        config.mounts = vec![Mount {
            host_path: volume.clone(),
            container_path: format!("/{through}/{}/made", data.display()).into(),
            read_only: false,
            propagation: Propagation::Private,
            ids_mapped: false,
        }];
        config.working_dir = format!("/{through}/{}/work", data.display()).into();
        let (status, _) = machine.run(&config).await;
        assert!(!data.join("made").exists() && !data.join("work").exists(), "{status:?}");
    }
    machine.close().await;
}
