//! Who a volume's files belong to.

use std::{io, os::unix::fs::chown, path::Path};

/// Gives a file to a user, a group, or both.
///
/// # Errors
/// What the system says; by name where this machine has no such user or group for an emulator without root.
pub(super) fn give(path: &Path, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    chown(path, user, group).map_err(|error| explained(error, user, group))
}

/// A user namespace has no room for IDs that it does not map: the system then says no more than that they are invalid.
fn explained(error: io::Error, user: Option<u32>, group: Option<u32>) -> io::Error {
    if error.kind() != io::ErrorKind::InvalidInput {
        return error;
    }
    let user = user.map(|user| format!("user {user}"));
    let group = group.map(|group| format!("group {group}"));
    let whom: Vec<String> = [user, group].into_iter().flatten().collect();
    io::Error::other(format!(
        "files of {} need root, or a range of IDs for this user in /etc/subuid and /etc/subgid with newuidmap installed",
        whom.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_not_mapped_is_named() {
        let invalid = io::Error::from(io::ErrorKind::InvalidInput);
        let text = explained(invalid, Some(1000), Some(2000)).to_string();
        assert!(
            text.starts_with("files of user 1000 and group 2000 need root"),
            "{text}"
        );
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(explained(missing, None, Some(7)).kind(), io::ErrorKind::NotFound);
    }
}
