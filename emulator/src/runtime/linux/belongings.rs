//! What sandboxes and containers have on the machine besides processes: folders and cgroups, made and taken away.

use std::{fs, io, os::unix::fs::DirBuilderExt, path::PathBuf};

use super::{
    cgroup::Cgroup,
    image_volumes,
    record::{self, ContainerMade, Record},
    sandbox::Sandbox,
};
use crate::runtime::RuntimeError;

/// Says what was being done when an error came.
pub(super) fn failed(what: &'static str) -> impl Fn(io::Error) -> RuntimeError {
    move |error| RuntimeError::Failed(format!("{what}: {error}"))
}

/// Makes a container's folder, its image's volumes, its cgroup and its log.
pub(super) async fn make_container(sandbox: &Sandbox, id: &str, mut made: ContainerMade) -> io::Result<ContainerMade> {
    let folder = sandbox.folder.container(id);
    for path in [&folder.0, &folder.upper(), &folder.work(), &folder.root()] {
        fs::DirBuilder::new()
            .mode(if path == &folder.upper() { 0o755 } else { 0o700 })
            .create(path)?;
    }
    image_volumes::make(&folder, &mut made.config).await?;
    if let Some(parent) = made.config.log_path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&made.config.log_path)?;
    let cgroup = sandbox.cgroup.child(id);
    cgroup.create()?;
    cgroup.limit(&made.config.resources)?;
    // Made now, while there is room: what becomes of the container can be written on a full disk.
    record::reserve(&folder.record(), &Record::created())?;
    record::write(&folder.made(), &made)?;
    Ok(made)
}

/// Takes away a container's folder and cgroup; the log stays.
pub(super) async fn remove_container(sandbox: &Sandbox, id: &str) -> Result<(), RuntimeError> {
    remove_cgroup(sandbox.cgroup.child(id)).await?;
    remove_folder(sandbox.folder.container(id).0).await
}

pub(super) async fn remove_cgroup(cgroup: Cgroup) -> Result<(), RuntimeError> {
    let removed = tokio::task::spawn_blocking(move || cgroup.remove()).await;
    removed
        .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
        .map_err(failed("remove a cgroup"))
}

pub(super) async fn remove_folder(folder: PathBuf) -> Result<(), RuntimeError> {
    let removed = tokio::task::spawn_blocking(move || match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    });
    removed
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
        .map_err(failed("remove a folder"))
}
