//! What a played container is made from: its command, and nothing of a machine.

use std::path::PathBuf;

use crate::{
    kubelet::edges::Start,
    runtime::{ContainerConfig, Resources, Security, User},
};

/// The configuration of a container that only plays.
pub(crate) fn played(start: Start<'_>) -> ContainerConfig {
    ContainerConfig {
        name: start.declared.name().to_owned(),
        attempt: start.attempt,
        image: start.image.clone(),
        declared_image: start.declared.image().to_owned(),
        command: start.declared.container.command.clone().unwrap_or_default(),
        working_dir: PathBuf::from("/"),
        env: Vec::new(),
        mounts: Vec::new(),
        user: User::default(),
        security: Security::default(),
        resources: Resources::default(),
        stdin: false,
        stdin_once: false,
        tty: false,
        stop_signal: "SIGTERM".to_owned(),
        log_path: PathBuf::new(),
        target: start.target,
    }
}
