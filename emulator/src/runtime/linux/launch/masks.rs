//! Parts of /proc and /sys that a container may not see or not write.

use std::{fs, io, os::fd::AsFd, path::Path};

use nix::{
    fcntl::OFlag,
    mount::{MsFlags, mount},
    sys::stat::Mode,
};

use super::{
    error::{During, LaunchError},
    root::read_only,
};
use crate::{
    mount_tree::{attach, clone_tree},
    runtime::Security,
};

/// Called with the container's root as root.
pub(super) fn apply(security: &Security) -> Result<(), LaunchError> {
    let absent = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    for path in &security.masked_paths {
        absent(hide(Path::new(path))).during(format!("mask {path}"))?;
    }
    for path in &security.readonly_paths {
        absent(protect(Path::new(path))).during(format!("make {path} read-only"))?;
    }
    Ok(())
}

fn hide(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_dir() {
        Ok(mount(
            Some("tmpfs"),
            path,
            Some("tmpfs"),
            MsFlags::MS_RDONLY,
            Some("size=0"),
        )?)
    } else {
        Ok(mount(
            Some("/dev/null"),
            path,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )?)
    }
}

/// Needs no right to read the path: `/proc/sysrq-trigger`, for instance, can only be written.
fn protect(path: &Path) -> io::Result<()> {
    let place = nix::fcntl::open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let tree = clone_tree(path, true)?;
    read_only(tree.as_fd())?;
    attach(tree.as_fd(), place.as_fd())
}
