//! The users of a pod that has a user namespace of its own (`hostUsers: false`).
//!
//! What is mounted for a container takes the machine's root. So a launch stays that to the end of its preparations, with
//! files and mounts that are the pod's, and only then becomes one of the pod's users.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::{
    sched::{CloneFlags, setns},
    unistd::{Gid, Uid, setfsgid, setfsuid, setresgid, setresuid},
};

use super::error::{During, LaunchError};
use crate::{pod_ids::PodIds, runtime::User};

/// `SECBIT_NO_SETUID_FIXUP` (capabilities(7)): another user without fewer capabilities.
const NO_SETUID_FIXUP: libc::c_ulong = 1 << 2;

/// The IDs and the user namespace of a pod.
pub(in super::super) struct PodUsers {
    ids: PodIds,
    namespace: OwnedFd,
}

impl PodUsers {
    pub(in super::super) fn new(ids: PodIds, namespace: OwnedFd) -> Self {
        Self { ids, namespace }
    }

    /// Those of a process of the pod.
    pub(super) fn of(ids: PodIds, process: i32) -> Result<Self, LaunchError> {
        let namespace = File::open(format!("/proc/{process}/ns/user")).during("open the pod's user namespace")?;
        Ok(Self::new(ids, namespace.into()))
    }

    pub(super) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// What a user or group of the pod is on the machine; none that it does not have.
    pub(super) fn on_machine(&self, id: u32) -> Option<u32> {
        self.ids.on_machine(id)
    }

    /// From here on the files that this process makes belong to the pod's root. It can do all that it could before.
    pub(super) fn own_new_files(&self) -> Result<(), LaunchError> {
        // SAFETY: the call takes numbers only.
        let result = unsafe { libc::prctl(libc::PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0) };
        nix::errno::Errno::result(result).during("keep the capabilities")?;
        if let Some(root) = self.on_machine(0) {
            setfsgid(Gid::from_raw(root));
            setfsuid(Uid::from_raw(root));
        }
        Ok(())
    }

    /// Gives the pod's root a file.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::lchown(path, self.on_machine(0), self.on_machine(0))
    }

    /// Refuses who the pod does not have, as runc does (`libcontainer/init_linux.go`, `setupUser`).
    pub(super) fn check(&self, user: &User) -> Result<(), LaunchError> {
        for (kind, id) in [("uid", user.uid), ("gid", user.gid)] {
            if self.on_machine(id).is_none() {
                let why = format!("cannot set {kind} to unmapped user in user namespace");
                return Err(LaunchError(format!("unable to setup user: {why}")));
            }
        }
        Ok(())
    }

    /// From here on this process is the pod's root: it has every capability, over what is the pod's.
    pub(in super::super) fn enter(&self) -> Result<(), LaunchError> {
        setns(self.namespace(), CloneFlags::CLONE_NEWUSER).during("enter the pod's user namespace")?;
        let (root, group) = (Uid::from_raw(0), Gid::from_raw(0));
        setresgid(group, group, group).during("become the pod's root")?;
        setresuid(root, root, root).during("become the pod's root")
    }
}
