//! User namespaces in which a pod's IDs are mapped.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    sched::CloneFlags,
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::{Pid, pipe2},
};

use crate::pod_ids::PodIds;

/// One for the pod's processes, and a network namespace that belongs to it: its root may do there what root may.
///
/// # Errors
/// What the kernel says.
pub(crate) fn with_network(ids: PodIds) -> io::Result<(OwnedFd, OwnedFd)> {
    let child = Child::fork(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET, ids)?;
    Ok((child.namespace("user")?, child.namespace("net")?))
}

/// One by which to mount files.
///
/// # Errors
/// What the kernel says.
pub(crate) fn for_mounts(ids: PodIds) -> io::Result<OwnedFd> {
    Child::fork(CloneFlags::CLONE_NEWUSER, ids)?.namespace("user")
}

/// A process that does nothing, in new namespaces, until this is dropped: only another one can map the IDs.
struct Child {
    pid: Pid,
    /// Closed with this process at the latest, which ends the child.
    _end: OwnedFd,
}

impl Child {
    fn fork(namespaces: CloneFlags, ids: PodIds) -> io::Result<Self> {
        let (wait, end) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let flags = libc::c_long::from(namespaces.bits() | libc::SIGCHLD);
        // SAFETY: with no stack given, clone behaves as fork does. The child of a process with threads may find locks
        // taken for ever; it takes none, for it makes the three calls below and no others.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                // SAFETY: the descriptors are this process's own copies, and one byte is what the buffer holds.
                unsafe {
                    libc::close(end.as_raw_fd());
                    libc::read(wait.as_raw_fd(), [0_u8; 1].as_mut_ptr().cast(), 1);
                    libc::_exit(0)
                }
            }
            pid => {
                let child = Self {
                    pid: Pid::from_raw(pid as i32),
                    _end: end,
                };
                for kind in ["uid_map", "gid_map"] {
                    fs::write(format!("/proc/{}/{kind}", child.pid), ids.map())?;
                }
                Ok(child)
            }
        }
    }

    fn namespace(&self, kind: &str) -> io::Result<OwnedFd> {
        Ok(File::open(format!("/proc/{}/ns/{kind}", self.pid))?.into())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}
