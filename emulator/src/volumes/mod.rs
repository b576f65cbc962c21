//! A pod's volumes on the node: made before its containers, kept up to date while it runs, removed when it is over.
//!
//! Everything of a pod lies below `DATA/volumes/UID`, so that it can be removed whatever was going on when the
//! emulator ended.

mod atomic_writer;
mod empty_dir;
mod host_path;
mod mount_table;
#[cfg(unix)]
mod owner;
mod payload;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Volume;

#[cfg(target_os = "linux")]
pub(crate) use self::mount_table::is_mounted;
use crate::{
    clock::Clock,
    container_config::{Node, resources},
    kubelet::{
        edges::{VolumeFailure, VolumePaths},
        pod::Pod,
    },
    tokens::Signer,
};

/// The volumes of the node's pods.
pub struct Volumes {
    node: Node,
    clock: Clock,
    signer: Arc<Signer>,
}

impl Volumes {
    /// Takes over the node's folder of volumes. It becomes a mount of its own, so that what is mounted in it later is
    /// seen in the pods that run already.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn open(node: Node, clock: Clock, signer: Arc<Signer>) -> io::Result<Self> {
        fs::create_dir_all(&node.volumes)?;
        mount_table::share(&node.volumes)?;
        Ok(Self { node, clock, signer })
    }

    /// Volumes that need no mount, of a node that is played.
    #[cfg(test)]
    pub(crate) fn unshared(node: Node, clock: Clock, signer: Arc<Signer>) -> Self {
        Self { node, clock, signer }
    }

    /// Makes the volumes of a pod, or brings them up to date: doing it again changes only what has changed.
    ///
    /// # Errors
    /// All volumes that can't be made.
    pub fn set_up(&self, pod: &Pod) -> Result<VolumePaths, Vec<VolumeFailure>> {
        // What is an image is pulled and mounted when a container is made.
        let folders = pod
            .spec
            .volumes
            .iter()
            .flatten()
            .filter(|volume| volume.image.is_none());
        VolumeFailure::all_or_paths(folders.map(|volume| (volume, self.volume(pod, volume))))
    }

    /// Removes everything of a pod. Does nothing where nothing is left.
    ///
    /// # Errors
    /// What could not be unmounted or removed.
    pub fn tear_down(&self, uid: &str) -> io::Result<()> {
        remove(&self.node.pod_files(uid))
    }

    /// Removes what belongs to no pod of `uids`.
    ///
    /// # Errors
    /// What could not be unmounted or removed.
    pub fn remove_others(&self, uids: &[String]) -> io::Result<()> {
        for entry in fs::read_dir(&self.node.volumes)? {
            let entry = entry?;
            if !uids.iter().any(|uid| entry.file_name() == uid.as_str()) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn volume(&self, pod: &Pod, volume: &Volume) -> Result<PathBuf, String> {
        if let Some(source) = &volume.host_path {
            return host_path::check(&source.path, source.type_.as_deref().unwrap_or_default());
        }
        let folder = self.node.pod_files(&pod.uid).join("volumes").join(&volume.name);
        let group = pod.spec.security_context.as_ref().and_then(|context| context.fs_group);
        if let Some(source) = &volume.empty_dir {
            let memory = resources::of_pod(pod).memory_limit;
            empty_dir::make(&folder, source, memory, group).map_err(|error| error.to_string())?;
            return Ok(folder);
        }
        let context = payload::Context {
            pod,
            node: &self.node,
            clock: &self.clock,
            signer: &self.signer,
            folder: &folder,
        };
        let payload = payload::of(&context, volume)?;
        let Some(payload) = payload else {
            return Err(unsupported(volume));
        };
        // All but ConfigMaps are memory on a node, and have the mode of a folder of memory.
        let mode = if volume.config_map.is_some() { 0o777 } else { 0o1777 };
        atomic_writer::write(&folder, &payload, mode, group).map_err(|error| error.to_string())?;
        Ok(folder)
    }
}

/// Takes back what `open` did to the folder; for the end of the emulator.
///
/// # Errors
/// What could not be unmounted.
pub fn close(volumes: &Path) -> io::Result<()> {
    mount_table::unmount_below(volumes)
}

fn remove(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    mount_table::unmount_below(folder)?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Names the kind of volume that the emulator does not have.
fn unsupported(volume: &Volume) -> String {
    let fields = serde_json::to_value(volume).unwrap_or_default();
    let kind = fields
        .as_object()
        .and_then(|fields| fields.keys().find(|key| *key != "name").cloned());
    format!(
        "volumes of type {} are not supported by the emulator",
        kind.as_deref().unwrap_or("unknown")
    )
}
