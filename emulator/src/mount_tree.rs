//! Detached mounts, by system calls that no crate here wraps (`open_tree(2)`, `move_mount(2)`, `mount_setattr(2)`).

use std::{
    ffi::CString,
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use nix::errno::Errno;

/// What mount attributes to set, and how mounts below pass on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) set: u64,
    pub(crate) propagation: u64,
    pub(crate) recursive: bool,
}

fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn c_string(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// A detached copy of the mounts at a path.
pub(crate) fn clone_tree(path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    let mut flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= libc::AT_RECURSIVE as libc::c_uint;
    }
    // SAFETY: the path is a terminated string that outlives the call; the others are plain numbers.
    let fd = checked(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })?;
    // SAFETY: open_tree has just made this descriptor and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Attaches a detached tree.
pub(crate) fn attach(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are the empty, terminated string.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    };
    checked(result).map(drop)
}

/// Changes the attributes of the mount that a descriptor is the root of.
pub(crate) fn set_attributes(mount: BorrowedFd<'_>, attributes: Attributes) -> io::Result<()> {
    let request = libc::mount_attr {
        attr_set: attributes.set,
        attr_clr: 0,
        propagation: attributes.propagation,
        userns_fd: 0,
    };
    change(mount, request, attributes.recursive)
}

/// Shows the files of a detached mount of `path` as if its IDs were those of the user namespace; what is written gets
/// them back. What goes wrong is said as runc says it.
pub(crate) fn map_ids(mount: BorrowedFd<'_>, path: &Path, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let request = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.as_raw_fd() as u64,
    };
    change(mount, request, false).map_err(|error| {
        let why = Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc().to_lowercase();
        io::Error::other(format!(
            "failed to set MOUNT_ATTR_IDMAP on {}: {why} (maybe the filesystem used doesn't support idmap mounts on this \
             kernel?)",
            path.display()
        ))
    })
}

/// Attaches what is at `from` once more at `to`, with the IDs of the user namespace.
pub(crate) fn attach_mapped(from: &Path, to: &Path, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let tree = clone_tree(from, false)?;
    map_ids(tree.as_fd(), from, namespace)?;
    attach(tree.as_fd(), File::open(to)?.as_fd())
}

fn change(mount: BorrowedFd<'_>, request: libc::mount_attr, recursive: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is the empty, terminated string, and the size is the structure's own.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const request,
            size_of_val(&request),
        )
    };
    checked(result).map(drop)
}
