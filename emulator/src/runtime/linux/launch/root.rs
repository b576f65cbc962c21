//! A container's root filesystem.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    unistd::{chdir, pivot_root},
};

use super::{
    Plan, devices,
    error::{During, LaunchError},
    host_root,
    inside::{self, Kind},
    masks,
    mounts::{self, Outside},
    pod_users::PodUsers,
};
use crate::{
    image::Root,
    mount_tree::{Attributes, attach, clone_tree, set_attributes},
    overlay::{self, Lower},
    runtime::Security,
};

/// Builds the root and makes it the calling process's own.
pub(super) fn build(plan: &Plan<'_>, users: Option<&PodUsers>, outside: Outside) -> Result<(), LaunchError> {
    let root_path = plan.folder.root();
    let security = &plan.config.security;
    let mut own_mounts = vec![root_path.clone()];
    if let Some(users) = users {
        users.give(&plan.folder.upper()).during("give the pod its root")?;
    }
    match &plan.config.image.root {
        Root::Layers(layers) => {
            let flags = if security.privileged {
                MsFlags::empty()
            } else {
                MsFlags::MS_NODEV
            };
            let mapped = match users {
                Some(users) => overlay::mapped(layers, users.namespace(), &root_path),
                None => Ok(layers.clone()),
            };
            mapped
                .and_then(|layers| writable(&layers, &plan.folder.upper(), &plan.folder.work(), &root_path, flags))
                .during("mount the root filesystem")?;
        }
        Root::Host => own_mounts.extend(host_root::build(plan.folder, plan.hidden, users)?),
    }
    let root = File::open(&root_path)
        .map(OwnedFd::from)
        .during("open the root filesystem")?;
    proc_and_sys(plan, root.as_fd())?;
    devices::build(root.as_fd(), security, users, outside.shm)?;
    mounts::attach_volumes(root.as_fd(), outside.volumes)?;
    inside::folder(root.as_fd(), &plan.config.working_dir)
        .during(format!("mkdir {}", plan.config.working_dir.display()))?;
    if security.read_only_root_filesystem {
        for path in own_mounts {
            let mount = File::open(path).during("open the root filesystem")?;
            let set = libc::MOUNT_ATTR_RDONLY;
            set_attributes(
                mount.as_fd(),
                Attributes {
                    set,
                    ..Attributes::default()
                },
            )
            .during("make the root filesystem read-only")?;
        }
    }
    move_into(&root_path).during("pivot_root")?;
    masks::apply(security)
}

/// Layers, lowest first, under a layer that can be written.
pub(super) fn writable(layers: &[PathBuf], upper: &Path, work: &Path, target: &Path, flags: MsFlags) -> io::Result<()> {
    if layers.is_empty() {
        return Ok(mount(
            Some(upper),
            target,
            None::<&str>,
            MsFlags::MS_BIND | flags,
            None::<&str>,
        )?);
    }
    let lower = Lower::open(layers)?;
    let attempt = |upper: &Path, work: &Path| {
        let (upper, work) = (File::open(upper)?, File::open(work)?);
        // What a dead container wrote is thrown away, so nothing has to reach the disk.
        let more = format!(
            ",upperdir={},workdir={},volatile",
            inside::path_of(upper.as_fd()).display(),
            inside::path_of(work.as_fd()).display()
        );
        lower.mount(target, flags, &more)
    };
    match attempt(upper, work) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ELOOP)) => {
            // The data folder is on a filesystem that can't be an upper layer, as another overlay is.
            mount(Some("upper"), work, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
            let (upper, work) = (work.join("upper"), work.join("work"));
            fs::create_dir(&upper)?;
            fs::create_dir(&work)?;
            attempt(&upper, &work)
        }
        done => done,
    }
}

fn proc_and_sys(plan: &Plan<'_>, root: BorrowedFd<'_>) -> Result<(), LaunchError> {
    let guarded = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let place = |path: &str| inside::place(root, Path::new(path), Kind::Folder).during(format!("make {path}"));
    let on_proc = place("/proc")?;
    let target = inside::path_of(on_proc.as_fd());
    let mounted = mount(Some("proc"), &target, Some("proc"), guarded, None::<&str>);
    if mounted.is_err() && plan.sandbox.host_pid {
        // The machine's processes are not ours to show afresh, but what we see may be passed on.
        clone_tree(Path::new("/proc"), true)
            .and_then(|tree| attach(tree.as_fd(), on_proc.as_fd()))
            .during("mount /proc")?;
    } else {
        mounted.during("mount /proc")?;
    }
    let on_sys = place("/sys")?;
    let target = inside::path_of(on_sys.as_fd());
    let flags = if plan.config.security.privileged {
        guarded
    } else {
        guarded | MsFlags::MS_RDONLY
    };
    if mount(Some("sysfs"), &target, Some("sysfs"), flags, None::<&str>).is_err() {
        // A network namespace that is not ours does not let us mount its sysfs.
        let tree = clone_tree(Path::new("/sys"), true).during("mount /sys")?;
        read_only(tree.as_fd()).during("mount /sys")?;
        attach(tree.as_fd(), on_sys.as_fd()).during("mount /sys")?;
    }
    cgroups(plan, root, &plan.config.security)
}

/// The container's own groups, at the places where it looks for the machine's.
fn cgroups(plan: &Plan<'_>, root: BorrowedFd<'_>, security: &Security) -> Result<(), LaunchError> {
    let folders = plan.cgroup.folders();
    let Ok(base) = inside::place(root, Path::new("/sys/fs/cgroup"), Kind::Folder) else {
        return Ok(());
    };
    let unified = matches!(folders.as_slice(), [(name, _)] if name.is_empty());
    let bare = unified || folders.is_empty();
    let top = if bare {
        base
    } else {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(
            Some("tmpfs"),
            &inside::path_of(base.as_fd()),
            Some("tmpfs"),
            flags,
            Some("mode=755,size=64k"),
        )
        .during("mount /sys/fs/cgroup")?;
        inside::place(root, Path::new("/sys/fs/cgroup"), Kind::Folder).during("open /sys/fs/cgroup")?
    };
    for (name, folder) in folders {
        let tree = clone_tree(folder, false).during("open a cgroup")?;
        if !security.privileged {
            read_only(tree.as_fd()).during("protect a cgroup")?;
        }
        if name.is_empty() {
            attach(tree.as_fd(), top.as_fd()).during("mount a cgroup")?;
        } else {
            let place = inside::place(root, &Path::new("/sys/fs/cgroup").join(name), Kind::Folder)
                .during("make a cgroup's place")?;
            attach(tree.as_fd(), place.as_fd()).during("mount a cgroup")?;
        }
    }
    if !bare && !security.privileged {
        read_only(top.as_fd()).during("protect /sys/fs/cgroup")?;
    }
    Ok(())
}

/// A detached copy of the mount at a path: what is in it can be read and run, and by nobody changed.
pub(in super::super) fn read_only_copy(path: &Path) -> io::Result<OwnedFd> {
    let tree = clone_tree(path, false)?;
    read_only(tree.as_fd())?;
    Ok(tree)
}

pub(super) fn read_only(tree: BorrowedFd<'_>) -> io::Result<()> {
    set_attributes(
        tree,
        Attributes {
            set: libc::MOUNT_ATTR_RDONLY,
            recursive: true,
            ..Attributes::default()
        },
    )
}

/// Makes the new root the only one there is.
pub(super) fn move_into(root: &Path) -> nix::Result<()> {
    chdir(root)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")
}
