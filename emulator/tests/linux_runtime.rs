//! Real containers from busybox, as root. Without root these tests fail, and say so.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it should do"
)]

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use emulator::{
    image::{Image, ImageConfig, Root},
    runtime::{
        ContainerConfig, ContainerId, ContainerState, ContainerStatus, Mount, PodRef, Propagation, Resources, Runtime,
        RuntimeError, SandboxConfig, SandboxId, Seccomp, Security, StreamRequest, User,
        linux::{LinuxOptions, LinuxRuntime},
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const DEFAULT_CAPABILITIES: [&str; 4] = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"];

/// One data folder, one runtime, one pod at a time; nothing is left when it ends well.
struct Machine {
    data: tempfile::TempDir,
    runtime: LinuxRuntime,
}

impl Machine {
    async fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests run containers and need root"
        );
        assert!(Path::new("/bin/busybox").exists(), "these tests need busybox-static");
        let data = tempfile::tempdir().unwrap();
        fill_layer(&data.path().join("layer"));
        let runtime = Self::open(data.path()).await;
        Self { data, runtime }
    }

    async fn open(data: &Path) -> LinuxRuntime {
        let shim = Some(PathBuf::from(env!("CARGO_BIN_EXE_pod-shim")));
        LinuxRuntime::new(LinuxOptions {
            shim,
            ..LinuxOptions::new(data)
        })
        .await
        .unwrap()
    }

    fn container(&self, command: &str) -> ContainerConfig {
        container_of(self.data.path(), command)
    }

    async fn start(&self, sandbox: &SandboxId, config: &ContainerConfig) -> ContainerId {
        let id = self.runtime.create_container(sandbox, config).await.unwrap();
        self.runtime.start_container(&id).await.unwrap();
        id
    }

    async fn status(&self, id: &ContainerId) -> ContainerStatus {
        let pods = self.runtime.pods().await.unwrap();
        pods.into_iter()
            .flat_map(|(_, pod)| pod.containers)
            .find(|one| one.id == *id)
            .unwrap()
    }

    async fn ended(&self, id: &ContainerId) -> ContainerStatus {
        for _ in 0..1000 {
            let status = self.status(id).await;
            if status.state == ContainerState::Exited {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the container does not end")
    }

    /// Runs a container to its end: its status, and what it wrote.
    async fn run(&self, config: &ContainerConfig) -> (ContainerStatus, String) {
        let sandbox = self.runtime.run_sandbox(&pod()).await.unwrap();
        let _ = fs::remove_file(&config.log_path);
        let id = self.start(&sandbox, config).await;
        let status = self.ended(&id).await;
        self.runtime.remove_sandbox(&sandbox).await.unwrap();
        (status, output(&config.log_path))
    }

    /// Takes everything away and looks for what is left.
    async fn close(self) {
        self.runtime.shut_down(true).await.unwrap();
        let path = self.data.path().to_str().unwrap().to_owned();
        let left = fs::read_dir(self.data.path().join("sandboxes")).unwrap().count();
        assert_eq!(left, 0, "sandbox folders");
        assert!(
            !fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&path),
            "mounts"
        );
    }
}

/// The one layer of an image with busybox.
fn fill_layer(root: &Path) {
    for folder in ["bin", "etc", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for name in "sh sleep echo cat head tr id kill nc hostname touch mkdir ls ps stty tty mknod dd grep test".split(' ')
    {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
}

/// A shell command in a container of that image.
fn container_of(folder: &Path, command: &str) -> ContainerConfig {
    ContainerConfig {
        name: "app".into(),
        attempt: 0,
        image: Image {
            id: "sha256:0".into(),
            reference: "docker.io/library/busybox:1".into(),
            size: 1,
            config: ImageConfig::default(),
            root: Root::Layers(vec![folder.join("layer")]),
        },
        command: vec!["sh".into(), "-c".into(), command.into()],
        working_dir: "/".into(),
        env: vec![("WHO".into(), "me".into())],
        mounts: Vec::new(),
        user: User::default(),
        security: Security {
            capabilities: DEFAULT_CAPABILITIES.map(str::to_owned).to_vec(),
            masked_paths: vec!["/proc/kcore".into(), "/proc/acpi".into()],
            readonly_paths: vec!["/proc/sys".into()],
            ..Security::default()
        },
        resources: Resources::default(),
        stdin: false,
        stdin_once: false,
        tty: false,
        stop_signal: "SIGTERM".into(),
        log_path: folder.join("pods/p/app/0.log"),
        target: None,
    }
}

fn pod() -> SandboxConfig {
    SandboxConfig {
        pod: PodRef {
            namespace: "default".into(),
            name: "p".into(),
            uid: "uid-1".into(),
        },
        attempt: 0,
        hostname: "p".into(),
        host_network: false,
        host_pid: false,
        host_ipc: false,
        share_process_namespace: false,
        sysctls: [("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned())].into(),
        resources: Resources::default(),
    }
}

/// The text of a log, without what the format adds.
fn output(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap();
    text.lines()
        .map(|line| line.splitn(4, ' ').nth(3).unwrap_or("").to_owned() + "\n")
        .collect()
}

#[tokio::test]
async fn a_container_runs_to_its_end_with_its_code_and_its_log() {
    let machine = Machine::new().await;
    let (status, output) = machine
        .run(&machine.container("echo $WHO; hostname; echo $$; exit 3"))
        .await;
    assert_eq!((status.exit_code, status.reason.as_str()), (Some(3), ""));
    assert_eq!(output, "me\np\n1\n");
    assert!(status.started_at.unwrap() <= status.finished_at.unwrap());
    machine.close().await;
}

#[tokio::test]
async fn a_missing_program_is_a_start_error() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let config = ContainerConfig {
        command: vec!["/no/such/file".into()],
        ..machine.container("")
    };
    let id = machine.runtime.create_container(&sandbox, &config).await.unwrap();
    let error = machine.runtime.start_container(&id).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to create containerd task: "), "{error}");
    assert!(
        error.ends_with("exec: \"/no/such/file\": stat /no/such/file: no such file or directory"),
        "{error}"
    );
    let status = machine.status(&id).await;
    assert_eq!((status.exit_code, status.reason.as_str()), (Some(128), "StartError"));
    assert_eq!(status.message, error);
    machine.close().await;
}

#[tokio::test]
async fn a_container_is_stopped_by_its_signal_or_killed_after_the_grace() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let polite = machine
        .start(
            &sandbox,
            &machine.container("trap 'exit 5' TERM; while :; do sleep 0.01; done"),
        )
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    machine
        .runtime
        .stop_container(&polite, Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(machine.status(&polite).await.exit_code, Some(5));
    let deaf = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let before = Instant::now();
    machine
        .runtime
        .stop_container(&deaf, Duration::from_millis(300))
        .await
        .unwrap();
    assert!(before.elapsed() >= Duration::from_millis(300));
    assert_eq!(machine.status(&deaf).await.exit_code, Some(137));
    machine.runtime.remove_container(&deaf).await.unwrap();
    machine.close().await;
}

#[tokio::test]
async fn pods_have_addresses_that_the_node_reaches() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let serve = machine.container("while :; do echo hello | nc -l -p 80; done");
    machine.start(&sandbox, &serve).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let status = machine.runtime.pod_status(&pod().pod).await.unwrap();
    let address = status.sandboxes[0].ips[0];
    let mut text = String::new();
    let mut stream = machine.runtime.dial((address, 80).into()).await.unwrap();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello\n");
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut text = String::new();
    let mut stream = machine.runtime.connect(&sandbox, 80).await.unwrap();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello\n");
    machine.close().await;
}

#[tokio::test]
async fn a_command_runs_in_a_container_with_its_code_output_and_time_limit() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let run = |text: &str| ["sh", "-c", text].map(str::to_owned).to_vec();
    let result = machine
        .runtime
        .exec(&id, &run("echo out; echo err >&2; exit 7"), None)
        .await
        .unwrap();
    assert_eq!(
        (result.exit_code, result.output.as_slice()),
        (7, b"out\nerr\n".as_slice())
    );
    let limit = Some(Duration::from_millis(200));
    let error = machine.runtime.exec(&id, &run("sleep 100"), limit).await.unwrap_err();
    assert!(matches!(error, RuntimeError::TimedOut(_)), "{error}");
    let error = machine
        .runtime
        .exec(&id, &["nope".to_owned()], None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("exec: \"nope\": executable file not found in $PATH"),
        "{error}"
    );
    machine.close().await;
}

#[tokio::test]
async fn streams_and_terminals_reach_a_command() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let request = StreamRequest {
        command: vec!["cat".into()],
        stdin: true,
        stdout: true,
        stderr: true,
        tty: false,
    };
    let mut session = machine.runtime.stream(&id, &request).await.unwrap();
    let mut stdin = session.stdin.take().unwrap();
    stdin.write_all(b"over there").await.unwrap();
    drop(stdin);
    let mut text = String::new();
    session.stdout.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!((text.as_str(), session.exit.await), ("over there", Ok(0)));

    let command = ["sh", "-c", "read line; stty size; tty; exit 9"]
        .map(str::to_owned)
        .to_vec();
    let request = StreamRequest {
        command,
        tty: true,
        stderr: false,
        ..request
    };
    let mut session = machine.runtime.stream(&id, &request).await.unwrap();
    session.resize.as_ref().unwrap().send((132, 43)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    session.stdin.as_mut().unwrap().write_all(b"go\n").await.unwrap();
    let mut text = String::new();
    session.stdout.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(
        (text.as_str(), session.exit.await),
        ("go\r\n43 132\r\n/dev/pts/0\r\n", Ok(9))
    );
    machine.close().await;
}

#[tokio::test]
async fn attaching_takes_part_in_the_containers_own_streams() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let config = ContainerConfig {
        stdin: true,
        stdin_once: true,
        ..machine.container("cat; echo end >&2; exit 4")
    };
    let id = machine.start(&sandbox, &config).await;
    let request = StreamRequest {
        stdin: true,
        stdout: true,
        stderr: true,
        ..StreamRequest::default()
    };
    let mut session = machine.runtime.stream(&id, &request).await.unwrap();
    let mut stdin = session.stdin.take().unwrap();
    stdin.write_all(b"typed\n").await.unwrap();
    drop(stdin);
    let (mut out, mut err) = (String::new(), String::new());
    session.stdout.unwrap().read_to_string(&mut out).await.unwrap();
    session.stderr.unwrap().read_to_string(&mut err).await.unwrap();
    assert_eq!(
        (out.as_str(), err.as_str(), session.exit.await),
        ("typed\n", "end\n", Ok(4))
    );
    machine.close().await;
}

#[tokio::test]
async fn a_container_over_its_memory_limit_is_oom_killed() {
    let machine = Machine::new().await;
    let config = ContainerConfig {
        resources: Resources {
            memory_limit: Some(32 << 20),
            ..Resources::default()
        },
        ..machine.container("x=; while :; do x=$x$(head -c 1000000 /dev/zero | tr '\\0' x)$x; done")
    };
    let (status, _) = machine.run(&config).await;
    assert_eq!((status.exit_code, status.reason.as_str()), (Some(137), "OOMKilled"));
    machine.close().await;
}

#[tokio::test]
async fn a_shared_pid_namespace_has_pause_first_and_a_dead_container_leaves_nothing_there() {
    let machine = Machine::new().await;
    let config = SandboxConfig {
        share_process_namespace: true,
        ..pod()
    };
    let sandbox = machine.runtime.run_sandbox(&config).await.unwrap();
    let first = machine
        .start(&sandbox, &machine.container("sleep 4711 & exec sleep 4712"))
        .await;
    let second = machine.start(&sandbox, &machine.container("exec sleep 4713")).await;
    let see = ["sh", "-c", "cat /proc/1/cmdline; echo; ps"]
        .map(str::to_owned)
        .to_vec();
    let seen = machine.runtime.exec(&second, &see, None).await.unwrap();
    let text = String::from_utf8_lossy(&seen.output).into_owned();
    assert!(
        text.starts_with("/pause") && text.contains("4711") && text.contains("4712"),
        "{text}"
    );
    machine.runtime.stop_container(&first, Duration::ZERO).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let seen = machine.runtime.exec(&second, &see, None).await.unwrap();
    let text = String::from_utf8_lossy(&seen.output).into_owned();
    assert!(
        !text.contains("4711") && !text.contains("4712") && text.contains("4713"),
        "{text}"
    );
    machine.close().await;
}

#[tokio::test]
async fn a_new_runtime_finds_what_goes_on_and_what_has_ended() {
    let Machine { data, runtime } = Machine::new().await;
    let machine = Machine { data, runtime };
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let long = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let short = machine.start(&sandbox, &machine.container("sleep 0.3; exit 6")).await;
    let Machine { data, runtime } = machine;
    drop(runtime);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let runtime = Machine::open(data.path()).await;
    let machine = Machine { data, runtime };
    assert_eq!(machine.status(&long).await.state, ContainerState::Running);
    assert_eq!(machine.status(&short).await.exit_code, Some(6));
    let run = ["echo", "still here"].map(str::to_owned).to_vec();
    assert_eq!(
        machine.runtime.exec(&long, &run, None).await.unwrap().output,
        b"still here\n"
    );
    machine.close().await;
}

#[tokio::test]
async fn a_killed_shim_takes_its_containers_with_it() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let holder = machine
        .data
        .path()
        .join("sandboxes")
        .join(&sandbox.0)
        .join("holder.json");
    let holder: serde_json::Value = serde_json::from_slice(&fs::read(holder).unwrap()).unwrap();
    let shim = i32::try_from(holder["shim"]["pid"].as_i64().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(machine.ended(&id).await.exit_code, Some(137));
    let status = machine.runtime.pod_status(&pod().pod).await.unwrap();
    assert!(!status.sandboxes[0].ready);
    machine.close().await;
}

#[tokio::test]
async fn a_container_has_the_user_capabilities_and_files_that_it_was_given() {
    let machine = Machine::new().await;
    let volume = machine.data.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("file"), "content").unwrap();
    let mount = |to: &str, read_only| Mount {
        host_path: volume.clone(),
        container_path: to.into(),
        read_only,
        propagation: Propagation::Private,
    };
    let mut config = machine.container(
        "id -u; id -G; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status | tr '\\t' ' '; cat /in/file; echo; \
         touch /in/new 2>/dev/null || echo protected; touch /out/new && echo written; touch /new 2>/dev/null || echo fixed; \
         mknod /tmp/sda b 8 0 2>/dev/null; pwd; test -e /proc/kcore && head -c 1 /proc/kcore; ls /dev/shm /dev/pts/ptmx",
    );
    config.mounts = vec![mount("/in", true), mount("/out", false)];
    config.working_dir = "/made/here".into();
    config.user = User {
        uid: 0,
        gid: 7,
        supplemental_groups: vec![7, 1000],
    };
    config.security.no_new_privileges = true;
    config.security.read_only_root_filesystem = true;
    config.security.seccomp = Seccomp::RuntimeDefault;
    let (status, output) = machine.run(&config).await;
    assert_eq!(
        output,
        "0\n7 1000\nCapBnd: 00000000000000e1\nNoNewPrivs: 1\nSeccomp: 2\ncontent\nprotected\nwritten\nfixed\n\
         /made/here\n/dev/pts/ptmx\n\n/dev/shm:\n",
        "{status:?}"
    );
    machine.close().await;
}

#[tokio::test]
async fn the_machines_own_files_are_a_root_without_the_emulators() {
    let machine = Machine::new().await;
    fs::write(machine.data.path().join("secret"), "key").unwrap();
    let data = machine.data.path().canonicalize().unwrap();
    let mut config = machine.container("");
    config.image.root = Root::Host;
    config.command[2] = format!(
        "test -x /usr/bin/env && echo files; cat {}/secret 2>/dev/null || echo hidden; \
         touch /etc/new && touch /usr/new && echo written; ls /run | head -1; ls /tmp",
        data.display()
    );
    let (status, output) = machine.run(&config).await;
    assert_eq!(output, "files\nhidden\nwritten\n", "{status:?}");
    assert!(!Path::new("/etc/new").exists() && !Path::new("/usr/new").exists());
    machine.close().await;
}

/// Runs a container as a user without any rights, in two processes one after the other; what it wrote.
fn run_rootless(uid: u32, sandbox: &SandboxConfig, edit: impl FnOnce(&mut ContainerConfig)) -> (String, String) {
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
        let mut command = std::process::Command::new(&program);
        command.arg(&data).arg(&file).uid(uid).gid(uid);
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
