//! What the kubelet asks of a container runtime: the shape of Kubernetes' CRI, cut to what pods need.
//!
//! Two runtimes stand behind it: `linux` runs real processes, `scripted` plays a script in virtual time.

mod config;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod scripted;
mod status;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::broadcast;

pub use self::{
    config::{ContainerConfig, Mount, Propagation, Resources, SandboxConfig, Seccomp, Security, User},
    status::{ContainerState, ContainerStatus, PodStatus, SandboxStatus},
};

/// The annotation of a mirror pod that carries its static pod's UID.
pub const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

/// The pod that a sandbox or container belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PodRef {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; of a mirror pod its static pod's.
    pub uid: String,
}

impl PodRef {
    /// The pod that the runtime has for an object of the API: a mirror pod's containers belong to its static pod
    /// (`pkg/kubelet/pod/pod_manager.go`, `TranslatePodUID`).
    pub fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mirror = text(&metadata["annotations"][MIRROR_ANNOTATION]).filter(|uid| !uid.is_empty());
        Self {
            namespace: text(&metadata["namespace"]).unwrap_or_default(),
            name: text(&metadata["name"]).unwrap_or_default(),
            uid: mirror.or_else(|| text(&metadata["uid"])).unwrap_or_default(),
        }
    }
}

/// 64 hexadecimal digits that name a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SandboxId(pub String);

/// 64 hexadecimal digits that name one instance of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerId(pub String);

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
    /// Memory, that of files that have been read included, in bytes.
    pub memory: u64,
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

    /// Runs a command in a running container, until it has ended and its output is closed; for probes and hooks.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mirror_pod_refers_to_its_static_pod() {
        let mut pod = json!({"metadata": {"namespace": "n", "name": "web-node", "uid": "api"}});
        assert_eq!(PodRef::of(&pod).uid, "api");
        pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "static"});
        let expected = PodRef {
            namespace: "n".into(),
            name: "web-node".into(),
            uid: "static".into(),
        };
        assert_eq!(PodRef::of(&pod), expected);
    }
}
