//! Without root: a user namespace in which this process is root.

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::wait::WaitStatus,
    unistd::{Pid, getegid, geteuid},
};

use super::{
    launch,
    record::{self, Holder, SandboxFolder},
    sandboxes::is_rootless,
};
use crate::{
    network::NodeNamespace,
    runtime::{ContainerConfig, RuntimeError},
};

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

/// The pods' network as a descriptor for the shims, which keep it for a later emulator.
pub(super) fn node_descriptor() -> Option<io::Result<OwnedFd>> {
    NODE.get().map(OwnedFd::try_clone)
}

/// Where pods are linked: the machine's network as root, one apart without.
pub(super) fn node_namespace() -> NodeNamespace {
    match NODE.get().map(OwnedFd::try_clone) {
        Some(Ok(namespace)) => NodeNamespace::apart(namespace),
        _ => NodeNamespace::own(),
    }
}

/// Makes a process without root one that is root of a user namespace; does nothing as root.
///
/// Call it after `shim_main_if_asked` and before the first thread. Sockets stay in the machine's network. Where pods
/// of an earlier run over the same data folder still live, their namespace is entered again.
///
/// # Errors
/// When the machine forbids it, with what to do about that.
pub fn enter_user_namespace_if_needed(data: &Path) -> Result<(), UserNamespaceError> {
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        return Ok(());
    }
    if let Some(holder) = living_holder(data) {
        return rejoin(&holder).map_err(|error| UserNamespaceError::Failed("rejoin the pods' namespace", error));
    }
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
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| refused(error.into()))?;
    let quiet = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, quiet, None::<&str>)
        .map_err(|error| failed("separate the mounts")(error.into()))?;
    let node = new_network().map_err(failed("make a network"))?;
    let _ = NODE.set(node);
    Ok(())
}

/// A shim of an earlier run that still holds a pod.
fn living_holder(data: &Path) -> Option<Holder> {
    fs::read_dir(data.join("sandboxes")).ok()?.flatten().find_map(|entry| {
        let holder: Holder = record::read(&SandboxFolder(entry.path()).holder()).ok()??;
        Some(holder).filter(|holder| holder.shim.is_alive())
    })
}

fn rejoin(holder: &Holder) -> io::Result<()> {
    let shim = holder.shim.pid;
    setns(File::open(format!("/proc/{shim}/ns/user"))?, CloneFlags::CLONE_NEWUSER)?;
    setns(File::open(format!("/proc/{shim}/ns/mnt"))?, CloneFlags::CLONE_NEWNS)?;
    if let Some(node) = holder.node {
        let _ = NODE.set(File::open(format!("/proc/{shim}/fd/{node}"))?.into());
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

/// A child that stays outside the new namespace, where alone newuidmap can write the maps of many.
struct Mapper {
    child: Pid,
    go: OwnedFd,
}

impl Mapper {
    /// None where this user has no subordinate IDs.
    fn fork(uid: u32, gid: u32) -> io::Result<Option<Self>> {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = name_of(&users, uid).unwrap_or_default();
        let read = |file| {
            fs::read_to_string(file)
                .ok()
                .and_then(|text| range_of(&text, &name, uid))
        };
        let (Some(users), Some(groups)) = (read("/etc/subuid"), read("/etc/subgid")) else {
            return Ok(None);
        };
        let (wait, go) = pipe()?;
        let parent = std::process::id();
        let Some(child) = launch::fork_into(CloneFlags::empty())? else {
            drop(go);
            let _ = nix::unistd::read(&wait, &mut [0]);
            let users = map("newuidmap", parent, uid, users);
            let groups = map("newgidmap", parent, gid, groups);
            // SAFETY: the child ends here; it shares no state with its parent.
            unsafe { libc::_exit(i32::from(users) | i32::from(groups) << 1) }
        };
        Ok(Some(Self { child, go }))
    }

    /// Whether users and groups were mapped.
    fn map(self) -> (bool, bool) {
        drop(self.go);
        match nix::sys::wait::waitpid(self.child, None) {
            Ok(WaitStatus::Exited(_, done)) => (done & 1 != 0, done & 2 != 0),
            _ => (false, false),
        }
    }
}

/// Maps root to the user itself and the rest to its subordinate IDs.
fn map(program: &str, process: u32, own: u32, (start, count): (u32, u32)) -> bool {
    let numbers = [process, 0, own, 1, 1, start, count].map(|number| number.to_string());
    let done = Command::new(program).args(numbers).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
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
    match closed {
        Some((_, _, open)) => {
            UserNamespaceError::Forbidden(format!("run it as root, or allow user namespaces with `sysctl {open}`"))
        }
        None => UserNamespaceError::Forbidden(format!("user namespaces are refused ({error}); run it as root")),
    }
}

fn name_of(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The first range of subordinate IDs of a user: its start and length.
fn range_of(ranges: &str, name: &str, uid: u32) -> Option<(u32, u32)> {
    ranges.lines().find_map(|line| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let [owner, start, count] = fields.as_slice() else {
            return None;
        };
        let own = *owner == name || owner.parse() == Ok(uid);
        Some((start.parse().ok()?, count.parse().ok()?)).filter(|_| own)
    })
}

/// IDs of this namespace go no further than this.
fn is_mapped(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let fields: Vec<u64> = line
            .split_ascii_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        matches!(fields.as_slice(), [start, _, count] if (*start..start + count).contains(&u64::from(id)))
    })
}

/// Refuses who a container can't be here.
pub(super) fn check(config: &ContainerConfig) -> Result<(), RuntimeError> {
    if !is_rootless() {
        return Ok(());
    }
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let groups = fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    let user = &config.user;
    let refuse = |what: String| {
        Err(RuntimeError::Unsupported(format!(
            "{what} needs root, or a range of IDs for this user in /etc/subuid and /etc/subgid with newuidmap installed"
        )))
    };
    if !is_mapped(&users, user.uid) {
        return refuse(format!("running as user {}", user.uid));
    }
    let all = user.supplemental_groups.iter().chain([&user.gid]);
    if let Some(group) = all.into_iter().find(|group| !is_mapped(&groups, **group)) {
        return refuse(format!("running in group {group}"));
    }
    Ok(())
}

/// What single IDs mean, in a sentence.
pub(super) fn limitation() -> Option<String> {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    (is_rootless() && !is_mapped(&map, 1)).then(|| {
        "containers can run as user 0 only: this user needs a range of IDs in /etc/subuid and /etc/subgid, and the \
             programs newuidmap and newgidmap (Debian's uidmap)"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_range_is_found_by_name_and_by_number() {
        let ranges = "other:1:2\nme:100000:65536\n1001:200000:65536\n";
        assert_eq!(range_of(ranges, "me", 1000), Some((100_000, 65536)));
        assert_eq!(range_of(ranges, "nobody", 1001), Some((200_000, 65536)));
        assert_eq!(range_of(ranges, "nobody", 7), None);
    }

    #[test]
    fn an_id_is_mapped_within_its_range_only() {
        let map = "         0       1000          1\n         1     100000      65536\n";
        assert!(is_mapped(map, 0) && is_mapped(map, 65536) && !is_mapped(map, 65537));
    }
}
