//! The emulator as a whole: what it is started with, and what a client needs in order to connect.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod running;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{data_dir::DataDirError, features::Features, kubelet::thresholds::Thresholds};

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Emulator, asked_to_stop, clean_up, connection, load, prepare_process};
#[cfg(target_os = "linux")]
pub use running::{Emulator, asked_to_stop, clean_up, connection, load, prepare_process};

/// The node's name.
pub const NODE: &str = "emulator";

/// The Kubernetes that the emulator is faithful to.
pub const KUBERNETES_VERSION: &str = "v1.36.0";

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept: objects, images, containers, credentials. One emulator a folder.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1; 0 takes the one used before, or a free one.
    pub port: u16,
    /// The node's directory of static pods (`staticPodPath`).
    pub static_pod_path: Option<PathBuf>,
    /// The image whose entrypoint holds the sandboxes; the built-in pause where absent.
    pub pod_infra_container_image: Option<String>,
    /// `FROM=TO`: a container that asks for FROM gets TO.
    pub map_images: Vec<(String, String)>,
    /// Which features of Kubernetes are on.
    pub features: Features,
    /// What must be left of the machine's memory and disk; nothing unless it is asked for.
    pub eviction_hard: Thresholds,
    /// How often pods without anything to do are synced, which then is when their volumes are refreshed. Where it is absent,
    /// volumes are refreshed as soon as their sources change.
    pub sync_frequency: Option<Duration>,
}

/// What a client needs in order to connect.
#[derive(Clone, Serialize, Deserialize)]
pub struct Connection {
    /// `https://127.0.0.1:PORT`.
    pub server: String,
    /// The CA's certificate, PEM.
    pub certificate_authority: String,
    /// The client's certificate, PEM.
    pub client_certificate: String,
    /// The client's key, PEM. Never printed.
    pub client_key: String,
}

/// Why the emulator could not start, or stop, or load; a sentence for the user.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The data folder can't be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Something of this machine: a port, a disk, a kernel.
    #[error("{0}")]
    Machine(String),
}
