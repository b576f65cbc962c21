//! The volumes that an image declares (`VOLUME`): writable folders of a container's own, which begin with what the image has
//! at their paths (containerd's `internal/cri/server/container_create.go`, `volumeMounts`, and
//! `internal/cri/opts/container.go`, `WithVolumes`).

use std::{
    collections::BTreeSet,
    fs, io,
    os::{
        fd::AsFd,
        unix::fs::{DirBuilderExt, PermissionsExt},
    },
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use super::{launch::path_of, record::ContainerFolder};
use crate::{
    image::{Root, copy_folder},
    network::on_a_thread,
    overlay,
    runtime::{ContainerConfig, Mount, Propagation},
    scoped_open::open_in_root,
};

/// A volume's folder, and its path in the container.
type Volume = (PathBuf, PathBuf);

/// Makes the volumes in the container's folder, with which they go, and mounts them: always for writing, and not where
/// the pod mounts something itself.
///
/// # Errors
/// A path that is no folder in the image; what the disk says.
pub(super) async fn make(folder: &ContainerFolder, config: &mut ContainerConfig) -> io::Result<()> {
    let paths = declared(config);
    let layers = match &config.image.root {
        Root::Layers(layers) if !paths.is_empty() => layers.clone(),
        _ => return Ok(()),
    };
    let volumes: Vec<Volume> = paths
        .into_iter()
        .enumerate()
        .map(|(number, path)| (folder.volumes().join(number.to_string()), path))
        .collect();
    fs::DirBuilder::new().mode(0o700).create(folder.volumes())?;
    for (place, _) in &volumes {
        fs::create_dir(place)?;
        fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
    }
    config.mounts.extend(volumes.iter().map(|(place, path)| Mount {
        host_path: place.clone(),
        container_path: path.clone(),
        read_only: false,
        propagation: Propagation::Private,
        ids_mapped: false,
    }));
    // Deeper ones later, as they are mounted.
    config
        .mounts
        .sort_by_key(|mount| mount.container_path.components().count());
    let (spare, root) = (folder.volumes().join("spare"), folder.root());
    on_a_thread(move || fill(&layers, &spare, &root, &volumes)).await
}

/// The paths of the volumes where the pod mounts nothing.
fn declared(config: &ContainerConfig) -> Vec<PathBuf> {
    let mounted: BTreeSet<PathBuf> = config.mounts.iter().map(|mount| clean(&mount.container_path)).collect();
    let volumes = config.image.config.volumes.iter().map(|path| clean(Path::new(path)));
    let volumes: BTreeSet<PathBuf> = volumes.collect();
    volumes.difference(&mounted).cloned().collect()
}

/// The path from the root, without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}

/// Copies what the image has. The calling thread ends with it, and with the thread what is mounted here.
fn fill(layers: &[PathBuf], spare: &Path, root: &Path, volumes: &[Volume]) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let quiet = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, quiet, None::<&str>)?;
    overlay::read_only(layers, None, spare, root)?;
    let root = fs::File::open(root)?;
    for (place, path) in volumes {
        let source = match open_in_root(&root, path, OFlag::O_PATH) {
            Err(Errno::ENOENT) => continue,
            opened => opened?,
        };
        let source = path_of(source.as_fd());
        let copied = match fs::metadata(&source)?.is_dir() {
            true => copy_folder(&source, place),
            false => Err(io::Error::other(format!("source {} is not directory", path.display()))),
        };
        copied.map_err(|error| io::Error::new(error.kind(), format!("taking runtime copy of volume: {error}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_dots_and_slashes() {
        for path in ["/data", "data", "/data/", "//data/.", "/x/../data", "/../data"] {
            assert_eq!(clean(Path::new(path)).as_os_str(), "/data");
        }
        assert_eq!(clean(Path::new("")).as_os_str(), "/");
    }
}
