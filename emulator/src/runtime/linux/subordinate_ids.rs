//! Which users and groups a user namespace has: a user's own, and those of its ranges in /etc/subuid and /etc/subgid.

use std::{
    fs, io,
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use nix::{sched::CloneFlags, sys::wait::WaitStatus, unistd::Pid};

use super::launch;
use crate::{
    overlay,
    runtime::{ContainerConfig, RuntimeError},
};

/// A child that stays outside the new namespace, where alone newuidmap can write the maps of many.
pub(super) struct Mapper {
    child: Pid,
    go: OwnedFd,
}

impl Mapper {
    /// None where this user has no subordinate IDs.
    pub(super) fn fork(uid: u32, gid: u32) -> io::Result<Option<Self>> {
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
        let (wait, go) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
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
    pub(super) fn map(self) -> (bool, bool) {
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
    if !overlay::in_user_namespace() {
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
    (overlay::in_user_namespace() && !is_mapped(&map, 1)).then(|| {
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
