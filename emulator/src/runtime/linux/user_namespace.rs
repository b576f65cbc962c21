//! Without root: a user namespace in which this process is root.

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    process::Command,
    sync::OnceLock,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    unistd::{getegid, geteuid},
};

use super::sandboxes::is_rootless;
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

/// Where pods are linked: the machine's network as root, one apart without.
pub(super) fn node_namespace() -> NodeNamespace {
    match NODE.get().map(OwnedFd::try_clone) {
        Some(Ok(namespace)) => NodeNamespace::apart(namespace),
        _ => NodeNamespace::own(),
    }
}

/// Makes a process without root one that is root of a user namespace; does nothing as root.
///
/// Call it after `shim_main_if_asked` and before the first thread. Sockets stay in the machine's network.
///
/// # Errors
/// When the machine forbids it, with what to do about that.
pub fn enter_user_namespace_if_needed() -> Result<(), UserNamespaceError> {
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        return Ok(());
    }
    let name = fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|users| name_of(&users, user.as_raw()));
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| refused(error.into()))?;
    let mapped = name.is_some_and(|name| map_many(&name, user.as_raw(), group.as_raw()));
    if !mapped {
        let failed = |error| UserNamespaceError::Failed("map the user", error);
        fs::write("/proc/self/setgroups", "deny").map_err(failed)?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1")).map_err(failed)?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1")).map_err(failed)?;
    }
    let failed = |what| move |error: nix::errno::Errno| UserNamespaceError::Failed(what, error.into());
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| refused(error.into()))?;
    let quiet = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, quiet, None::<&str>).map_err(failed("separate the mounts"))?;
    let open = || File::open("/proc/self/ns/net");
    let io_failed = |what| move |error| UserNamespaceError::Failed(what, error);
    let machine = open().map_err(io_failed("open the network"))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(failed("make a network"))?;
    let node = open().map_err(io_failed("open the network"))?;
    if setns(&machine, CloneFlags::CLONE_NEWNET).is_err() {
        // The machine's network belongs to its root: it is kept by a thread that never left it.
        return Err(UserNamespaceError::Failed(
            "go back to the network",
            io::ErrorKind::PermissionDenied.into(),
        ));
    }
    let _ = NODE.set(node.into());
    Ok(())
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

/// Maps root to the user and the rest to its subordinate IDs; false where that is not set up.
fn map_many(name: &str, uid: u32, gid: u32) -> bool {
    let read = |file| {
        fs::read_to_string(file)
            .ok()
            .and_then(|text| range_of(&text, name, uid))
    };
    let (Some(users), Some(groups)) = (read("/etc/subuid"), read("/etc/subgid")) else {
        return false;
    };
    let pid = std::process::id().to_string();
    let map = |program: &str, own: u32, (start, count): (u32, u32)| {
        let words = [
            "0".into(),
            own.to_string(),
            "1".into(),
            "1".into(),
            start.to_string(),
            count.to_string(),
        ];
        Command::new(program)
            .arg(&pid)
            .args(words)
            .status()
            .is_ok_and(|status| status.success())
    };
    map("newuidmap", uid, users) && map("newgidmap", gid, groups)
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
    (is_rootless() && !is_mapped(&map, 1))
        .then(|| "containers can run as user 0 only: this user has no further IDs in /etc/subuid".into())
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
