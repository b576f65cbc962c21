//! Without root: a user namespace in which this process is root, with mounts and a network of its own.

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::Path,
    sync::OnceLock,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    unistd::{getegid, geteuid},
};

use super::{
    launch,
    record::{self, Holder, SandboxFolder},
    rights::{self, Kind},
    subordinate_ids::Mapper,
};
use crate::network::NodeNamespace;

/// Why containers can't run without root here, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum UserNamespaceError {
    /// The machine forbids them.
    #[error("this machine lets only root run containers: {0}")]
    Forbidden(String),
    /// Something else failed.
    #[error("could not enter a user namespace: {0}: {1}")]
    Failed(&'static str, #[source] io::Error),
}

/// The network that pods of a rootless emulator live in, made once, before the first thread.
static NODE: OnceLock<OwnedFd> = OnceLock::new();

/// The pods' network: that of an earlier run over the same data folder, if pods still hold it. Without root it has no
/// link to the machine's network, which is root's.
///
/// # Errors
/// When no descriptor is free.
pub(super) fn node_namespace(data: &Path) -> io::Result<NodeNamespace> {
    if let Some(network) = NODE.get() {
        return Ok(NodeNamespace::new(Some(network.try_clone()?), false));
    }
    let held = living_holders(data).find_map(|holder| holder.network().ok()?);
    Ok(NodeNamespace::new(held, true))
}

/// Makes a process without root's rights one that is root of a user namespace, with mounts and a network of its own.
///
/// Call it after `shim_main_if_asked` and before the first thread. Sockets stay in the machine's network. Where pods
/// of an earlier run over the same data folder still live, their namespace is entered again. What is there is kept: root
/// needs nothing, and who is root of a user namespace without mounts of its own (`unshare -Ur`) needs those.
///
/// # Errors
/// When the machine forbids it, with what to do about that.
pub fn enter_user_namespace_if_needed(data: &Path) -> Result<(), UserNamespaceError> {
    let user = !rights::of_root();
    let owns = |kind| !user && rights::owns(kind);
    let (mounts, network) = (!owns(Kind::Mounts), !owns(Kind::Network));
    if (mounts || network)
        && let Some(holder) = living_holders(data).next()
    {
        return rejoin(&holder, network)
            .map_err(|error| UserNamespaceError::Failed("rejoin the pods' namespace", error));
    }
    let failed = |what| move |error: io::Error| UserNamespaceError::Failed(what, error);
    if user {
        become_root()?;
    }
    if mounts {
        unshare(CloneFlags::CLONE_NEWNS).map_err(|error| refused(error.into()))?;
        let quiet = MsFlags::MS_SLAVE | MsFlags::MS_REC;
        mount(None::<&str>, "/", None::<&str>, quiet, None::<&str>)
            .map_err(|error| failed("separate the mounts")(error.into()))?;
    }
    if network {
        let _ = NODE.set(new_network().map_err(failed("make a network"))?);
    }
    Ok(())
}

/// Enters a user namespace as its root.
fn become_root() -> Result<(), UserNamespaceError> {
    let (user, group) = (geteuid(), getegid());
    let failed = |what| move |error: io::Error| UserNamespaceError::Failed(what, error);
    let mapper = Mapper::fork(user.as_raw(), group.as_raw()).map_err(failed("start newuidmap"))?;
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| refused(error.into()))?;
    let (users, groups) = mapper.map_or((false, false), Mapper::map);
    if !users {
        fs::write("/proc/self/uid_map", format!("0 {user} 1")).map_err(refused)?;
    }
    if !groups {
        fs::write("/proc/self/setgroups", "deny").map_err(failed("map the group"))?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1")).map_err(failed("map the group"))?;
    }
    Ok(())
}

/// The shims of an earlier run that still hold a pod.
fn living_holders(data: &Path) -> impl Iterator<Item = Holder> {
    let sandboxes = fs::read_dir(data.join("sandboxes")).into_iter().flatten().flatten();
    sandboxes.filter_map(|entry| {
        let holder: Holder = record::read(&SandboxFolder(entry.path()).holder()).ok()??;
        Some(holder).filter(|holder| holder.shim.is_alive())
    })
}

/// `network`: whether this process lacks a network of its own.
fn rejoin(holder: &Holder, network: bool) -> io::Result<()> {
    let shim = holder.shim.pid;
    for (kind, flag) in [("user", CloneFlags::CLONE_NEWUSER), ("mnt", CloneFlags::CLONE_NEWNS)] {
        let theirs = format!("/proc/{shim}/ns/{kind}");
        // One's own user namespace can't be entered.
        if fs::read_link(&theirs)? != fs::read_link(format!("/proc/self/ns/{kind}"))? {
            setns(File::open(theirs)?, flag)?;
        }
    }
    if network && let Some(node) = holder.network()? {
        let _ = NODE.set(node);
    }
    Ok(())
}

/// A network namespace, made by a child because this process could not come back from one to the machine's.
fn new_network() -> io::Result<OwnedFd> {
    let (ours, theirs) = pipe()?;
    let Some(child) = launch::fork_into(CloneFlags::CLONE_NEWNET)? else {
        drop(theirs);
        let _ = nix::unistd::read(&ours, &mut [0]);
        // SAFETY: the child ends here; it shares no state with its parent.
        unsafe { libc::_exit(0) }
    };
    let network = File::open(format!("/proc/{child}/ns/net"));
    drop((ours, theirs));
    let _ = nix::sys::wait::waitpid(child, None);
    Ok(network?.into())
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

fn refused(error: io::Error) -> UserNamespaceError {
    let knobs = [
        (
            "/proc/sys/kernel/unprivileged_userns_clone",
            "0",
            "kernel.unprivileged_userns_clone=1",
        ),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            "/proc/sys/user/max_user_namespaces",
            "0",
            "user.max_user_namespaces=15000",
        ),
    ];
    let closed = knobs
        .iter()
        .find(|(file, closed, _)| fs::read_to_string(file).is_ok_and(|value| value.trim() == *closed));
    let rights = if geteuid().is_root() {
        "this root has no CAP_SYS_ADMIN and CAP_NET_ADMIN: give it both (to a container, with --privileged)"
    } else {
        "run it as root"
    };
    UserNamespaceError::Forbidden(match closed {
        Some((_, _, open)) => format!("{rights}, or allow user namespaces with `sysctl {open}`"),
        None => format!("{rights}; user namespaces are refused ({error})"),
    })
}
