//! The machine's own filesystem as a root: read-only below, with a layer to write on, and without the
//! emulator's own files.

use std::{
    fs, io,
    os::fd::AsFd,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use nix::mount::{MsFlags, mount};

use super::{
    error::{During, LaunchError},
    pod_users::PodUsers,
    root::{read_only, writable},
};
use crate::{
    mount_tree::{attach, attach_mapped, clone_tree},
    runtime::linux::record::ContainerFolder,
};

/// Made new for every container: kernel filesystems, and what belongs to the machine's running programs.
const FRESH: [&str; 5] = ["proc", "sys", "dev", "run", "tmp"];

/// Builds it; the mounts that it is made of besides the root itself.
///
/// One overlay for each folder of `/`: an overlay of `/` as a whole is refused where its upper layer lies
/// below `/`, and in a user namespace always.
pub(super) fn build(
    folder: &ContainerFolder,
    hidden: &Path,
    users: Option<&PodUsers>,
) -> Result<Vec<PathBuf>, LaunchError> {
    let target = folder.root();
    mount(
        Some(&folder.upper()),
        &target,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .during("mount the root filesystem")?;
    let mut mounts = Vec::new();
    for entry in fs::read_dir("/").during("read /")?.flatten() {
        let (name, Ok(kind)) = (entry.file_name(), entry.file_type()) else {
            continue;
        };
        let (from, to) = (Path::new("/").join(&name), target.join(&name));
        let text = name.to_string_lossy().into_owned();
        if kind.is_symlink() {
            let _ = fs::read_link(&from).and_then(|points_to| symlink(points_to, &to));
        } else if kind.is_dir() {
            fs::create_dir_all(&to).during(format!("make /{text}"))?;
            if text == "tmp" {
                let _ = fs::set_permissions(&to, fs::Permissions::from_mode(0o1777));
            }
            if FRESH.contains(&text.as_str()) || text == "lost+found" || hidden == from {
                continue;
            }
            one(&from, &to, &folder.work().join(&text), hidden, users).during(format!("mount /{text}"))?;
            mounts.push(to);
        }
    }
    Ok(mounts)
}

/// One folder of the machine.
fn one(from: &Path, to: &Path, scratch: &Path, hidden: &Path, users: Option<&PodUsers>) -> io::Result<()> {
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    fs::create_dir_all(scratch)?;
    let holds_data = hidden.starts_with(from);
    if holds_data {
        // An upper layer must not lie within its own lower one.
        mount(Some("upper"), scratch, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
    }
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    if let Ok(data) = fs::metadata(from) {
        let _ = fs::set_permissions(&upper, data.permissions());
    }
    let lower = match users {
        Some(users) => {
            // At the place that the overlay then covers.
            attach_mapped(from, to, users.namespace())?;
            to
        }
        None => from,
    };
    if writable(&[lower.to_owned()], &upper, &work, to, MsFlags::MS_NODEV).is_err() {
        // Mounts below it that a user namespace may not take apart: shown as they are, read-only.
        let tree = clone_tree(from, true)?;
        read_only(tree.as_fd())?;
        attach(tree.as_fd(), fs::File::open(to)?.as_fd())?;
    }
    if let (true, Ok(below)) = (holds_data, hidden.strip_prefix(from)) {
        let covered = to.join(below);
        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("hidden"), &covered, Some("tmpfs"), flags, Some("size=0,mode=000"))?;
    }
    Ok(())
}
