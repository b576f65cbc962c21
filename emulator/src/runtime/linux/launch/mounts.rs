//! Mounts of a container: taken outside, attached inside.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::sched::{CloneFlags, setns};

use super::{
    Plan,
    error::{During, LaunchError, words},
    inside::{self, Kind},
    pause_root::SHM,
    pod_users::PodUsers,
};
use crate::{
    mount_tree::{Attributes, attach, clone_tree, map_ids, set_attributes},
    runtime::{ContainerConfig, Mount, Propagation},
};

/// What was taken outside, before the container's mount namespace was made.
pub(super) struct Outside {
    /// In the order of the configuration.
    pub(super) volumes: Vec<Volume>,
    /// The pod's shared memory.
    pub(super) shm: OwnedFd,
}

/// One volume, detached.
pub(super) struct Volume {
    tree: OwnedFd,
    kind: Kind,
    target: PathBuf,
    source: PathBuf,
}

/// Takes every volume from the machine's own mount namespace, where a shared mount still has its peers.
pub(super) fn open_all(
    config: &ContainerConfig,
    plan: &Plan<'_>,
    users: Option<&PodUsers>,
) -> Result<Outside, LaunchError> {
    let volumes = config
        .mounts
        .iter()
        .map(|mount| open(mount, config, users))
        .collect::<Result<_, _>>()?;
    let shm = if plan.sandbox.host_ipc {
        clone_tree(Path::new("/dev/shm"), true)
    } else {
        shm_of(plan.pause, Path::new(SHM))
    };
    Ok(Outside {
        volumes,
        shm: shm.during("open the pod's shared memory")?,
    })
}

fn open(mount: &Mount, config: &ContainerConfig, users: Option<&PodUsers>) -> Result<Volume, LaunchError> {
    let failed = |error: &io::Error| {
        LaunchError(format!(
            "error mounting {:?} to rootfs at {:?}: {}",
            mount.host_path,
            mount.container_path,
            words(error)
        ))
    };
    let kind = match fs::metadata(&mount.host_path) {
        Ok(data) if data.is_dir() => Kind::Folder,
        Ok(_) => Kind::File,
        Err(error) => return Err(failed(&error)),
    };
    if mount.propagation == Propagation::Bidirectional && !is_shared(&mount.host_path) {
        return Err(LaunchError(format!(
            "path {:?} is mounted on a mount that is not shared, as Bidirectional propagation needs",
            mount.host_path
        )));
    }
    let tree = clone_tree(&mount.host_path, true).map_err(|error| failed(&error))?;
    let mut set = 0;
    if mount.read_only {
        set |= libc::MOUNT_ATTR_RDONLY;
    }
    if !config.security.privileged {
        set |= libc::MOUNT_ATTR_NODEV;
    }
    let propagation = match mount.propagation {
        Propagation::Private => libc::MS_PRIVATE,
        Propagation::HostToContainer => libc::MS_SLAVE,
        Propagation::Bidirectional => 0,
    };
    let attributes = Attributes {
        set,
        propagation,
        recursive: true,
    };
    set_attributes(tree.as_fd(), attributes).map_err(|error| failed(&error))?;
    if let Some(users) = users.filter(|_| !mount.ids_mapped) {
        map_ids(tree.as_fd(), &mount.host_path, users.namespace())
            .map_err(|error| LaunchError(format!("failed to fulfil mount request: {error}")))?;
    }
    Ok(Volume {
        tree,
        kind,
        target: mount.container_path.clone(),
        source: mount.host_path.clone(),
    })
}

/// The mount that holds a path passes mounts on to its peers.
fn is_shared(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounts = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        Some((PathBuf::from(fields.get(4)?), line.contains(" shared:")))
    });
    mounts
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.as_os_str().len())
        .is_some_and(|(_, shared)| shared)
}

/// The shared memory that the pause process's mount namespace holds.
fn shm_of(pause: i32, shm: &Path) -> io::Result<OwnedFd> {
    let own = File::open("/proc/self/ns/mnt")?;
    setns(File::open(format!("/proc/{pause}/ns/mnt"))?, CloneFlags::CLONE_NEWNS)?;
    let tree = clone_tree(shm, false);
    setns(own, CloneFlags::CLONE_NEWNS)?;
    tree
}

/// Attaches the volumes below a container's root.
pub(super) fn attach_volumes(root: BorrowedFd<'_>, volumes: Vec<Volume>) -> Result<(), LaunchError> {
    for volume in volumes {
        let attached = inside::place(root, &volume.target, volume.kind)
            .and_then(|place| attach(volume.tree.as_fd(), place.as_fd()));
        attached.map_err(|error| {
            LaunchError(format!(
                "error mounting {:?} to rootfs at {:?}: {}",
                volume.source,
                volume.target,
                words(&error)
            ))
        })?;
    }
    Ok(())
}
