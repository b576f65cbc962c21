//! The emulator as a whole: what it is started with, and what it leaves.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything is kept: objects, images, containers, credentials. One emulator a folder.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The node's directory of static pods (`staticPodPath`).
    pub static_pod_path: Option<PathBuf>,
    /// The image whose entrypoint holds the sandboxes; the built-in pause where absent.
    pub pod_infra_container_image: Option<String>,
    /// `FROM=TO`: a container that asks for FROM gets TO.
    pub map_images: Vec<(String, String)>,
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
