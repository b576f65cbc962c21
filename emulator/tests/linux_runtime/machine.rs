//! A machine to test on: data, a runtime, an image, and nothing left at the end.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use emulator::{
    image::{Image, ImageConfig, Root},
    runtime::{
        ContainerConfig, ContainerId, ContainerState, ContainerStatus, PodRef, Resources, Runtime, SandboxConfig,
        SandboxId, Security, User,
        linux::{LinuxOptions, LinuxRuntime},
    },
};

const DEFAULT_CAPABILITIES: [&str; 4] = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"];

/// A data folder. Where a test fails, what it has started is ended with it.
pub(crate) struct Data(tempfile::TempDir);

impl Data {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let path = self.path().to_owned();
        // The test's own runtime is in the middle of what has failed.
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async { Machine::open(&path).await.shut_down(true).await.unwrap() });
        });
        // What it could not end, it says itself.
        drop(cleaned.join());
    }
}

/// How often is looked, a hundredth of a second apart: longer than anything here takes on a busy machine.
const LOOKS: usize = 12_000;

/// One data folder, one runtime, one pod at a time; nothing is left when it ends.
pub(crate) struct Machine {
    pub(crate) data: Data,
    pub(crate) runtime: LinuxRuntime,
}

impl Machine {
    pub(crate) async fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests run containers and need root"
        );
        assert!(Path::new("/bin/busybox").exists(), "these tests need busybox-static");
        let data = Data(tempfile::tempdir().unwrap());
        fill_layer(&data.path().join("layer"));
        let runtime = Self::open(data.path()).await;
        Self { data, runtime }
    }

    /// The same data under a new runtime.
    pub(crate) async fn again(self, edit: impl FnOnce(&mut LinuxOptions)) -> Self {
        let Self { data, runtime } = self;
        drop(runtime);
        let shim = Some(PathBuf::from(env!("CARGO_BIN_EXE_pod-shim")));
        let mut options = LinuxOptions {
            shim,
            ..LinuxOptions::new(data.path())
        };
        edit(&mut options);
        let runtime = LinuxRuntime::new(options).await.unwrap();
        Self { data, runtime }
    }

    pub(crate) async fn open(data: &Path) -> LinuxRuntime {
        let shim = Some(PathBuf::from(env!("CARGO_BIN_EXE_pod-shim")));
        LinuxRuntime::new(LinuxOptions {
            shim,
            ..LinuxOptions::new(data)
        })
        .await
        .unwrap()
    }

    pub(crate) fn container(&self, command: &str) -> ContainerConfig {
        container_of(self.data.path(), command)
    }

    pub(crate) async fn start(&self, sandbox: &SandboxId, config: &ContainerConfig) -> ContainerId {
        let id = self.runtime.create_container(sandbox, config).await.unwrap();
        self.runtime.start_container(&id).await.unwrap();
        assert_ne!(
            self.status(&id).await.state,
            ContainerState::Created,
            "a start that is done is seen at once"
        );
        id
    }

    pub(crate) async fn status(&self, id: &ContainerId) -> ContainerStatus {
        let pods = self.runtime.pods().await.unwrap();
        pods.into_iter()
            .flat_map(|(_, pod)| pod.containers)
            .find(|one| one.id == *id)
            .unwrap()
    }

    pub(crate) async fn ended(&self, id: &ContainerId) -> ContainerStatus {
        for _ in 0..LOOKS {
            let status = self.status(id).await;
            if status.state == ContainerState::Exited {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the container does not end")
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        for _ in 0..LOOKS {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never came to be")
    }

    /// Waits until a command in a container writes what is so.
    pub(crate) async fn until_said(&self, id: &ContainerId, command: &[String], is_so: impl Fn(&str) -> bool) {
        let mut text = String::new();
        for _ in 0..LOOKS / 10 {
            let said = self.runtime.exec(id, command, None).await.unwrap();
            text = String::from_utf8_lossy(&said.output()).into_owned();
            if is_so(&text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("in vain: {text}")
    }

    /// Runs a container to its end: its status, and what it wrote.
    pub(crate) async fn run(&self, config: &ContainerConfig) -> (ContainerStatus, String) {
        let sandbox = self.runtime.run_sandbox(&pod()).await.unwrap();
        let _ = fs::remove_file(&config.log_path);
        let id = self.start(&sandbox, config).await;
        let status = self.ended(&id).await;
        self.runtime.remove_sandbox(&sandbox).await.unwrap();
        (status, output(&config.log_path))
    }

    /// Takes everything away and looks for what is left.
    pub(crate) async fn close(self) {
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
pub(crate) fn fill_layer(root: &Path) {
    for folder in ["bin", "etc", "tmp"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for name in "sh sleep echo cat head tr id kill nc hostname touch mkdir ls ps stty tty mknod dd grep test readlink rm ln pwd chmod"
        .split(' ')
    {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
}

/// A shell command in a container of that image.
pub(crate) fn container_of(folder: &Path, command: &str) -> ContainerConfig {
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
        declared_image: "busybox:1".into(),
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

pub(crate) fn pod() -> SandboxConfig {
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
        user_namespace: false,
        sysctls: [("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned())].into(),
        resources: Resources::default(),
    }
}

/// The text of a log, without what the format adds.
pub(crate) fn output(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap();
    text.lines()
        .map(|line| line.splitn(4, ' ').nth(3).unwrap_or("").to_owned() + "\n")
        .collect()
}
