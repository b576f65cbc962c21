//! What a sandbox and a container are made from.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{ContainerId, PodRef};
use crate::image::Image;

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
    /// `spec.hostUsers` is false.
    #[serde(default)]
    pub user_namespace: bool,
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
    /// Its files have the IDs of the pod's user namespace already.
    #[serde(default)]
    pub ids_mapped: bool,
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
