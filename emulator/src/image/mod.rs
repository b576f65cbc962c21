//! Container images: references, the store, import from archives, pulls from registries.

#[cfg(target_os = "linux")]
mod archive;
#[cfg(target_os = "linux")]
mod at;
#[cfg(target_os = "linux")]
mod bounds;
#[cfg(target_os = "linux")]
mod budget;
#[cfg(target_os = "linux")]
mod challenge;
mod compression;
#[cfg(target_os = "linux")]
mod copy;
mod credential_helper;
mod digest;
pub mod docker_config;
#[cfg(target_os = "linux")]
mod headers;
pub mod host;
#[cfg(target_os = "linux")]
mod layer;
mod manifest;
mod mapping;
#[cfg(target_os = "linux")]
mod pull;
#[cfg(target_os = "linux")]
mod pull_error;
mod push;
pub mod reference;
#[cfg(target_os = "linux")]
mod registry;
#[cfg(target_os = "linux")]
mod request_error;
#[cfg(target_os = "linux")]
mod store;
#[cfg(target_os = "linux")]
mod work;

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use self::push::{Manifest, Upload, push};
#[cfg(target_os = "linux")]
pub use self::{archive::ArchiveError, store::ImageStore};
#[cfg(target_os = "linux")]
pub(crate) use copy::copy_folder;

/// What an image's configuration says about running it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub cmd: Vec<String>,
    /// `Env`, split at the first `=`.
    pub env: Vec<(String, String)>,
    /// `User`: `uid[:gid]` or `name[:group]`.
    pub user: String,
    /// `WorkingDir`.
    pub working_dir: String,
    /// `StopSignal`.
    pub stop_signal: Option<String>,
    /// `Volumes`: paths.
    #[serde(default)]
    pub volumes: Vec<String>,
}

/// Where an image's root filesystem comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// Unpacked layers, lowest first.
    Layers(Vec<PathBuf>),
    /// The machine's own filesystem (`localhost/host`).
    Host,
}

/// An image that is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The digest of its configuration, `sha256:…`.
    pub id: String,
    /// Its full name, as `docker.io/library/busybox:1`.
    pub reference: String,
    /// Bytes in its registry or archive.
    pub size: u64,
    /// How to run it.
    pub config: ImageConfig,
    /// Its files.
    pub root: Root,
}

/// A user name and password, or a token, for one registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The registry's host, with port.
    pub registry: String,
    /// User name.
    pub username: String,
    /// Password or token. Never printed.
    pub password: String,
}

/// Why there is no such image, with the container's waiting reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// `InvalidImageName`.
    #[error("{0}")]
    InvalidName(String),
    /// `ErrImagePull`.
    #[error("{0}")]
    Pull(String),
    /// `RegistryUnavailable`.
    #[error("{0}")]
    RegistryUnavailable(String),
    /// `ImageInspectError`: present, but not readable.
    #[error("{0}")]
    Inspect(String),
}

/// The images of the node.
#[async_trait]
pub trait Images: Send + Sync + 'static {
    /// The image by any form of its name or by `sha256:…`, where it is present.
    async fn status(&self, reference: &str) -> Result<Option<Image>, ImageError>;

    /// Fetches it; the credentials are tried in order, then the machine's docker configuration, then none.
    async fn pull(&self, reference: &str, credentials: &[Credentials]) -> Result<Image, ImageError>;

    /// Every image present.
    async fn list(&self) -> Vec<Image>;
}
