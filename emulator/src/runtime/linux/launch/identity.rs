//! Who a container's process is and what it may do.

use std::{fs, io};

use nix::{
    errno::Errno,
    sys::prctl,
    unistd::{Gid, Uid, setgroups, setresgid, setresuid},
};

use super::error::{During, LaunchError};
use crate::runtime::{Security, User};

/// By number.
pub(super) const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The capabilities of a container as a set of bits. Names that Linux does not have are ignored, as by runc
/// (`libcontainer/capabilities`).
pub(super) fn wanted(security: &Security) -> u64 {
    if security.privileged {
        return u64::MAX >> (64 - CAPABILITIES.len());
    }
    let short = security
        .capabilities
        .iter()
        .filter_map(|name| name.strip_prefix("CAP_"));
    let numbers = short.filter_map(|name| CAPABILITIES.iter().position(|known| *known == name));
    numbers.fold(0, |set, number| set | 1 << number)
}

/// The score by which the kernel picks what to kill. Raising it is free; lowering it takes a capability that a
/// container's machine may lack, and then the machine's choice stands.
pub(super) fn set_oom_score(score: Option<i32>) {
    if let Some(score) = score {
        let _ = fs::write("/proc/self/oom_score_adj", score.to_string());
    }
}

/// Becomes the user, with no capability that is not the container's.
pub(super) fn assume(user: &User, security: &Security) -> Result<(), LaunchError> {
    let wanted = wanted(security);
    prctl::set_keepcaps(true).during("keep capabilities")?;
    let mine = capabilities::permitted().during("read the capabilities")?;
    for number in 0..64 {
        if wanted & (1 << number) == 0 && !capabilities::drop_bounding(number).during("drop a capability")? {
            break;
        }
    }
    set_groups(user)?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setresgid(gid, gid, gid).during(format!("setgid {}", user.gid))?;
    setresuid(uid, uid, uid).during(format!("setuid {}", user.uid))?;
    capabilities::clear_ambient();
    capabilities::set(wanted & mine).during("set the capabilities")
}

fn set_groups(user: &User) -> Result<(), LaunchError> {
    let groups: Vec<Gid> = user.supplemental_groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    match setgroups(&groups) {
        // In a user namespace that maps one group there are no others to be in.
        Err(Errno::EPERM) if user.supplemental_groups.iter().all(|gid| *gid == user.gid) => Ok(()),
        done => done.during(format!("setgroups {:?}", user.supplemental_groups)),
    }
}

mod capabilities {
    use super::io;

    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }

    /// `_LINUX_CAPABILITY_VERSION_3`: two words of each set.
    const VERSION: u32 = 0x2008_0522;

    fn checked(result: libc::c_long) -> io::Result<()> {
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    pub(super) fn permitted() -> io::Result<u64> {
        let mut header = Header {
            version: VERSION,
            pid: 0,
        };
        let mut data = [Data::default(); 2];
        // SAFETY: both point to structures of the layout and length that version 3 has.
        checked(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
        Ok(u64::from(data[0].permitted) | u64::from(data[1].permitted) << 32)
    }

    /// Permitted and effective; nothing is inheritable.
    pub(super) fn set(bits: u64) -> io::Result<()> {
        let mut header = Header {
            version: VERSION,
            pid: 0,
        };
        let word = |bits: u32| Data {
            effective: bits,
            permitted: bits,
            inheritable: 0,
        };
        let data = [word(bits as u32), word((bits >> 32) as u32)];
        // SAFETY: both point to structures of the layout and length that version 3 has.
        checked(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) })
    }

    /// False where the kernel has no capability of that number.
    pub(super) fn drop_bounding(number: u32) -> io::Result<bool> {
        // SAFETY: the call takes numbers only.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
        match checked(result.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
            done => done.map(|()| true),
        }
    }

    pub(super) fn clear_ambient() {
        // SAFETY: the call takes numbers only.
        unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(names: &[&str]) -> Security {
        Security {
            capabilities: names.iter().map(ToString::to_string).collect(),
            ..Security::default()
        }
    }

    #[test]
    fn known_names_become_numbers_and_others_are_ignored() {
        let set = wanted(&security(&[
            "CAP_CHOWN",
            "CAP_CAP_KILL",
            "CAP_NOPE",
            "CAP_CHECKPOINT_RESTORE",
        ]));
        assert_eq!(set, 1 | 1 << 40);
    }

    #[test]
    fn privileged_has_all_capabilities() {
        let all = wanted(&Security {
            privileged: true,
            ..Security::default()
        });
        assert_eq!(all.count_ones(), 41);
    }
}
