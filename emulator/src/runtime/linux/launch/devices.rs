//! A container's /dev.

use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileTypeExt,
    },
    path::Path,
};

use nix::{
    mount::{MsFlags, mount},
    unistd::symlinkat,
};

use super::{
    error::{During, LaunchError},
    inside::{self, Kind},
    pod_users::PodUsers,
    root::read_only_copy,
};
use crate::{mount_tree::attach, runtime::Security};

const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The group of terminals.
const TTY: u32 = 5;

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Builds it. A device is a bind of the machine's own node and every other mount refuses devices: a node that the
/// container makes for itself opens nothing, with any version of cgroups and without.
pub(super) fn build(
    root: BorrowedFd<'_>,
    security: &Security,
    users: Option<&PodUsers>,
    shm: OwnedFd,
) -> Result<(), LaunchError> {
    let place = |path: &str, kind| inside::place(root, Path::new(path), kind).during(format!("make {path}"));
    let on = place("/dev", Kind::Folder)?;
    let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let flags = if security.privileged {
        MsFlags::MS_NOSUID
    } else {
        strict
    };
    mount(
        Some("tmpfs"),
        &inside::path_of(on.as_fd()),
        Some("tmpfs"),
        flags,
        Some("mode=755,size=65536k"),
    )
    .during("mount /dev")?;
    let dev = place("/dev", Kind::Folder)?;
    for (to, name) in LINKS {
        symlinkat(to, &dev, name).during(format!("link /dev/{name}"))?;
    }
    // An option of the kernel's, masked below /proc as it is.
    if Path::new("/proc/kcore").exists() {
        symlinkat("/proc/kcore", &dev, "core").during("link /dev/core")?;
    }
    for name in NODES {
        node(root, name).during(format!("make /dev/{name}"))?;
    }
    if security.privileged {
        all_nodes(root, Path::new("")).during("show the machine's devices")?;
    }
    let pts = place("/dev/pts", Kind::Folder)?;
    let group = users.map_or(Some(TTY), |users| users.on_machine(TTY));
    terminals(&inside::path_of(pts.as_fd()), group.unwrap_or(TTY)).during("mount /dev/pts")?;
    let on_shm = place("/dev/shm", Kind::Folder)?;
    attach(shm.as_fd(), on_shm.as_fd()).during("mount /dev/shm")?;
    let queues = place("/dev/mqueue", Kind::Folder)?;
    // Message queues are an option of the kernel's.
    let _ = mount(
        Some("mqueue"),
        &inside::path_of(queues.as_fd()),
        Some("mqueue"),
        strict | MsFlags::MS_NOEXEC,
        None::<&str>,
    );
    Ok(())
}

/// The machine's own node: what is written goes to the device, but its mode and owner stay the machine's.
fn node(root: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let tree = read_only_copy(&Path::new("/dev").join(name))?;
    let place = inside::place(root, &Path::new("/dev").join(name), Kind::File)?;
    attach(tree.as_fd(), place.as_fd())
}

/// Folders of /dev that a container has its own of, or that belong to other programs (containerd's `HostDevices`).
const NOT_DEVICES: [&str; 6] = ["pts", "shm", "mqueue", ".lxc", ".lxd-mounts", ".udev"];

/// Binds every device of the machine, for a privileged container. What this process may not enter, as an ordinary user
/// may not enter a folder of another group, and what is unplugged meanwhile is left out.
fn all_nodes(root: BorrowedFd<'_>, below: &Path) -> io::Result<()> {
    for entry in present(fs::read_dir(Path::new("/dev").join(below)))?
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = below.join(entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        let text = name.to_string_lossy();
        if kind.is_dir() && !NOT_DEVICES.contains(&text.as_ref()) {
            all_nodes(root, &name)?;
        } else if (kind.is_char_device() || kind.is_block_device())
            && !NODES.contains(&text.as_ref())
            && text != "ptmx"
            && text != "console"
        {
            present(node(root, &text))?;
        }
    }
    Ok(())
}

/// None in place of what is not there, or not for this process.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(None),
        other => other.map(Some),
    }
}

/// Terminals of the container's own, of the group `tty` where the user namespace has it.
fn terminals(target: &Path, group: u32) -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let attempt = |options: &str| mount(Some("devpts"), target, Some("devpts"), flags, Some(options));
    attempt(&format!("newinstance,ptmxmode=0666,mode=0620,gid={group}"))
        .or_else(|_| attempt("newinstance,ptmxmode=0666,mode=0620"))
}
