//! What this process may do to the namespaces that it is in.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
};

/// A kind of namespace that pods are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mounts,
    Network,
}

/// `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`, by their numbers.
const NEEDED: [u32; 2] = [12, 21];

/// It is root, with the rights to make and change namespaces, mounts and links, in its user namespace at least.
pub(super) fn of_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    nix::unistd::geteuid().is_root() && has_needed(&status)
}

fn has_needed(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    effective.is_some_and(|set| NEEDED.iter().all(|number| set & (1 << number) != 0))
}

/// The rights of this process hold for the namespace of this kind: the one that it is in belongs to its user namespace.
pub(super) fn owns(kind: Kind) -> bool {
    let file = match kind {
        Kind::Mounts => "/proc/self/ns/mnt",
        Kind::Network => "/proc/self/ns/net",
    };
    let number = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    let compared = || -> io::Result<bool> {
        let owner = File::from(owner_of(&File::open(file)?)?);
        Ok(number(&owner)? == number(&File::open("/proc/self/ns/user")?)?)
    };
    // Whoever may not see the owner is inside another one.
    compared().unwrap_or(false)
}

/// The user namespace that a namespace belongs to.
fn owner_of(namespace: &File) -> io::Result<OwnedFd> {
    // SAFETY: the request takes no argument; the descriptor is open for as long as the call lasts.
    let owner = unsafe { libc::ioctl(namespace.as_raw_fd(), libc::NS_GET_USERNS) };
    if owner < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(owner) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_without_one_of_the_rights_is_no_root() {
        let status = |digits: &str| format!("Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t{digits}\n");
        assert!(has_needed(&status("000001ffffffffff")));
        // What Docker gives to a container.
        assert!(!has_needed(&status("00000000a80425fb")));
        assert!(!has_needed(&status("000001ffffdfffff")), "all but CAP_SYS_ADMIN");
        assert!(!has_needed(""));
    }
}
