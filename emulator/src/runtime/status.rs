//! What a runtime sees of sandboxes and containers.

use std::{net::IpAddr, path::PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ContainerId, PodRef, SandboxId, User};

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
