//! What the kubelet asks of a container runtime: the shape of Kubernetes' CRI, cut to what pods need.
//!
//! Two runtimes stand behind it: `linux` runs real processes, `scripted` plays a script in virtual time.

#[cfg(target_os = "linux")]
pub mod linux;
pub mod scripted;

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::image::Image;

/// The pod that a sandbox or container belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PodRef {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// 64 hexadecimal digits that name a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SandboxId(pub String);

/// 64 hexadecimal digits that name one instance of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerId(pub String);

/// Everything that is fixed when a pod's sandbox is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxConfig {
    /// Whose sandbox.
    pub pod: PodRef,
    /// 0 for the pod's first sandbox, then one more each time it had to be made again.
    pub attempt: u32,
    /// The pod's UTS host name (at most 63 characters); unused with `host_network`.
    pub hostname: String,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// `spec.hostPID`.
    pub host_pid: bool,
    /// `spec.hostIPC`.
    pub host_ipc: bool,
    /// `spec.shareProcessNamespace`.
    pub share_process_namespace: bool,
    /// `spec.securityContext.sysctls`.
    pub sysctls: BTreeMap<String, String>,
    /// Limits of the pod as a whole.
    pub resources: Resources,
}

/// Limits and weights of one cgroup. `None` leaves the kernel's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// CPU weight in cgroup v1's shares (2 to 262144).
    pub cpu_shares: Option<u64>,
    /// CPU time per period, in microseconds.
    pub cpu_quota: Option<i64>,
    /// The period of `cpu_quota`, in microseconds (the kubelet uses 100000).
    pub cpu_period: Option<u64>,
    /// Memory limit in bytes.
    pub memory_limit: Option<i64>,
    /// Most processes and threads at once.
    pub pids_limit: Option<i64>,
    /// `oom_score_adj` of the first process.
    pub oom_score_adj: Option<i32>,
}

/// A bind mount into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// On the node. Already resolved: for a subPath it is safe from symlinks that leave the volume.
    pub host_path: PathBuf,
    /// In the container.
    pub container_path: PathBuf,
    /// No writes through this mount.
    pub read_only: bool,
    /// `mountPropagation`.
    pub propagation: Propagation,
}

/// `mountPropagation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// `None`: neither side sees the other's later mounts.
    #[default]
    Private,
    /// `HostToContainer`.
    HostToContainer,
    /// `Bidirectional`; privileged containers only.
    Bidirectional,
}

/// Who the first process runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User ID.
    pub uid: u32,
    /// Primary group ID.
    pub gid: u32,
    /// All further groups (fsGroup and supplementalGroups among them).
    pub supplemental_groups: Vec<u32>,
}

/// A system-call filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// No filter: the kubelet's default, and `Unconfined`.
    #[default]
    Unconfined,
    /// `RuntimeDefault`.
    RuntimeDefault,
}

/// What the first process of a container may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// All capabilities and devices, nothing masked.
    pub privileged: bool,
    /// The bounding, permitted and effective set by name (`CAP_CHOWN`), after add and drop.
    pub capabilities: Vec<String>,
    /// `no_new_privs` (`allowPrivilegeEscalation: false`).
    pub no_new_privileges: bool,
    /// `readOnlyRootFilesystem`.
    pub read_only_root_filesystem: bool,
    /// Hidden below /proc and /sys (empty with `procMount: Unmasked` or privileged).
    pub masked_paths: Vec<String>,
    /// Made read-only below /proc.
    pub readonly_paths: Vec<String>,
    /// The system-call filter.
    pub seccomp: Seccomp,
}

/// Everything that one container instance is made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerConfig {
    /// `spec.containers[].name`.
    pub name: String,
    /// The restart count at its start.
    pub attempt: u32,
    /// Where its root filesystem comes from.
    pub image: Image,
    /// `spec.containers[].image`, as it was written: another one asks for a new container.
    #[serde(default)]
    pub declared_image: String,
    /// argv: image and manifest merged, `$(VAR)` expanded. Never empty.
    pub command: Vec<String>,
    /// Absolute; made if missing.
    pub working_dir: PathBuf,
    /// The whole environment, in order, each name once.
    pub env: Vec<(String, String)>,
    /// In the order in which they are mounted: parents before children.
    pub mounts: Vec<Mount>,
    /// Who it runs as.
    pub user: User,
    /// What it may do.
    pub security: Security,
    /// Its limits.
    pub resources: Resources,
    /// Keeps a standard input open for attach.
    pub stdin: bool,
    /// Closes it after the first attach.
    pub stdin_once: bool,
    /// A terminal instead of pipes.
    pub tty: bool,
    /// The signal that asks it to stop (`SIGTERM` unless the image or `lifecycle.stopSignal` says otherwise).
    pub stop_signal: String,
    /// The file its output goes to, in the CRI log format, rotated by the runtime
    /// (10 MiB, 5 files: `containerLogMaxSize`, `containerLogMaxFiles`).
    pub log_path: PathBuf,
    /// A user namespace process of another container of this pod is joined (`kubectl debug --target`).
    pub target: Option<ContainerId>,
}

/// How far a container instance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Its first process runs.
    Running,
    /// Its first process has ended, or never started.
    Exited,
    /// The runtime has lost it.
    Unknown,
}

/// One container instance as the runtime sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Its name to the runtime.
    pub id: ContainerId,
    /// The sandbox that it runs in.
    pub sandbox: SandboxId,
    /// `spec.containers[].name`.
    pub name: String,
    /// The restart count at its start.
    pub attempt: u32,
    /// How far it has come.
    pub state: ContainerState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its first process started.
    pub started_at: Option<Timestamp>,
    /// When its first process ended.
    pub finished_at: Option<Timestamp>,
    /// 128 + n after signal n; 128 where it could not be started.
    pub exit_code: Option<i32>,
    /// `OOMKilled`, `StartError`, else empty: the kubelet then writes `Completed` or `Error`.
    pub reason: String,
    /// The runtime's words where it could not be started.
    pub message: String,
    /// The image as named in `image.reference`.
    pub image: String,
    /// The image's digest.
    pub image_id: String,
    /// `ContainerConfig::declared_image`.
    pub declared_image: String,
    /// Who its first process runs as.
    pub user: User,
    /// Where its output is.
    pub log_path: PathBuf,
}

/// One sandbox as the runtime sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SandboxStatus {
    /// Its name to the runtime.
    pub id: SandboxId,
    /// Whose it is.
    pub pod: PodRef,
    /// 0 for the pod's first.
    pub attempt: u32,
    /// Its pause process runs.
    pub ready: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// The pod's addresses; the node's with `host_network`.
    pub ips: Vec<IpAddr>,
}

/// All that the runtime knows of one pod: its sandboxes and containers, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PodStatus {
    /// Newest first.
    pub sandboxes: Vec<SandboxStatus>,
    /// Newest first.
    pub containers: Vec<ContainerStatus>,
}

/// Something changed in a pod; ask `pod_status` for what.
#[derive(Clone, Debug)]
pub struct RuntimeEvent {
    /// Whose.
    pub pod: PodRef,
}

/// What a command run in a container left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecResult {
    /// 128 + n after signal n.
    pub exit_code: i32,
    /// Its standard output, at most 10 KiB.
    pub stdout: Vec<u8>,
    /// Its standard error, at most 10 KiB.
    pub stderr: Vec<u8>,
}

impl ExecResult {
    /// Standard output and then standard error, as the kubelet puts them together.
    pub fn output(&self) -> Vec<u8> {
        [self.stdout.as_slice(), &self.stderr].concat()
    }
}

/// A command to run in a container, or to attach to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRequest {
    /// argv; empty to attach to the container's own first process.
    pub command: Vec<String>,
    /// The client sends input.
    pub stdin: bool,
    /// The client wants output.
    pub stdout: bool,
    /// The client wants errors apart (never with `tty`).
    pub stderr: bool,
    /// A terminal.
    pub tty: bool,
}

/// A running exec or attach: the ends of its streams.
pub struct Session {
    /// Bytes for its standard input; dropping it closes that input.
    pub stdin: Option<Box<dyn tokio::io::AsyncWrite + Send + Unpin>>,
    /// Its standard output (all output with a terminal).
    pub stdout: Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>>,
    /// Its standard error.
    pub stderr: Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>>,
    /// Takes (columns, rows) of the client's terminal.
    pub resize: Option<tokio::sync::mpsc::Sender<(u16, u16)>>,
    /// Its exit code, once; ends without a value when it can't be known.
    pub exit: tokio::sync::oneshot::Receiver<i32>,
}

/// What a pod's cgroups have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time used, in nanoseconds.
    pub cpu_nanoseconds: u64,
    /// Memory that can't be reclaimed at once, in bytes.
    pub memory_working_set: u64,
}

/// Why the runtime could not do something, in words that go into events and statuses.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is no sandbox or container of that name.
    #[error("{0} not found")]
    NotFound(String),
    /// The container is not in the state that the call needs.
    #[error("{0}")]
    WrongState(String),
    /// The machine can't do it (no permission, no cgroup controller …).
    #[error("{0}")]
    Unsupported(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
    /// An exec ran longer than it was given.
    #[error("command timed out after {0:?}")]
    TimedOut(Duration),
}

/// A container runtime.
///
/// Calls for one pod come from one worker, one after the other; calls for different pods at once.
/// Containers outlive the process that calls: a new `Runtime` over the same data finds them again.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Its name and version, for the node's status and `containerID` (`NAME://ID`).
    fn name(&self) -> (&'static str, &'static str);

    /// Changes from now on. A receiver that lags asks `pods` afresh.
    fn subscribe(&self) -> broadcast::Receiver<RuntimeEvent>;

    /// Every pod that has a sandbox or a container.
    async fn pods(&self) -> Result<Vec<(PodRef, PodStatus)>, RuntimeError>;

    /// What is known of one pod; empty where nothing is.
    async fn pod_status(&self, pod: &PodRef) -> Result<PodStatus, RuntimeError>;

    /// Makes and starts a sandbox: namespaces held by pause, network and cgroup of the pod.
    async fn run_sandbox(&self, config: &SandboxConfig) -> Result<SandboxId, RuntimeError>;

    /// Kills what still runs in it and gives back its network. Does nothing where it has stopped.
    async fn stop_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError>;

    /// Forgets a stopped sandbox and all its containers. Does nothing where it is gone.
    async fn remove_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError>;

    /// Makes a container: its root filesystem, cgroup and log file.
    async fn create_container(
        &self,
        sandbox: &SandboxId,
        config: &ContainerConfig,
    ) -> Result<ContainerId, RuntimeError>;

    /// Starts it. An error leaves it `Exited` with reason `StartError`, exit code 128 and the error as message.
    async fn start_container(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// Sends its stop signal, SIGKILL after `grace`, and returns when it has ended. Does nothing where it has.
    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError>;

    /// Forgets an ended container and its root filesystem; the log stays. Does nothing where it is gone.
    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError>;

    /// Changes the limits of a whole pod.
    async fn update_sandbox_resources(&self, id: &SandboxId, resources: &Resources) -> Result<(), RuntimeError>;

    /// Changes the limits of a running container.
    async fn update_resources(&self, id: &ContainerId, resources: &Resources) -> Result<(), RuntimeError>;

    /// Runs a command to its end in a running container; for probes and hooks.
    async fn exec(
        &self,
        id: &ContainerId,
        command: &[String],
        timeout: Option<Duration>,
    ) -> Result<ExecResult, RuntimeError>;

    /// Runs a command, or attaches, with streams.
    async fn stream(&self, id: &ContainerId, request: &StreamRequest) -> Result<Session, RuntimeError>;

    /// Opens a TCP connection from inside the pod's network, to `localhost:port` there.
    async fn connect(&self, sandbox: &SandboxId, port: u16) -> Result<tokio::net::TcpStream, RuntimeError>;

    /// Opens a TCP connection from the node to an address of a pod; for probes.
    async fn dial(&self, address: std::net::SocketAddr) -> std::io::Result<tokio::net::TcpStream>;

    /// How many bytes of the disk a container's own layer takes; none with a runtime that keeps no layers.
    async fn storage(&self, _: &ContainerId) -> u64 {
        0
    }

    /// What a container has used so far.
    async fn usage(&self, id: &ContainerId) -> Result<Usage, RuntimeError>;
}

/// The runtime as it is handed round.
pub type SharedRuntime = Arc<dyn Runtime>;
