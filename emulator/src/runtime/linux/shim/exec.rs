//! A command run in a container beside its first process.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
};

use nix::{sched::CloneFlags, unistd::Pid};

use super::{
    container::{Container, Waiting},
    report,
};
use crate::runtime::linux::{
    launch::{self, Streams, words},
    packets,
    protocol::{Begin, Stdio},
};

/// How a container runtime's words about a failed exec begin.
const LEAD_IN: &str = "OCI runtime exec failed: exec failed: unable to start container process: ";

pub(super) struct Exec {
    pub(super) pid: Pid,
    pub(super) session: u64,
    pub(super) client: u64,
    /// Until the command runs, or could not be run.
    pub(super) launch: Option<(OwnedFd, Waiting)>,
}

impl Exec {
    pub(super) fn start(
        begin: &Begin,
        container: &Container,
        session: u64,
        command: &[String],
        (stdio, descriptors): (Stdio, Vec<OwnedFd>),
        waiting: Waiting,
    ) -> Result<Self, String> {
        Self::fork(begin, container, session, command, (stdio, descriptors), waiting)
            .map_err(|error| format!("{LEAD_IN}{}", words(&error)))
    }

    fn fork(
        begin: &Begin,
        container: &Container,
        session: u64,
        command: &[String],
        (stdio, descriptors): (Stdio, Vec<OwnedFd>),
        waiting: Waiting,
    ) -> io::Result<Self> {
        let (ours, theirs) = packets::pair()?;
        let streams = streams(stdio, descriptors)?;
        let init = container.pid.as_raw();
        let forked = launch::fork_beside(Some(init), CloneFlags::empty())?;
        let Some(pid) = forked else {
            drop(ours);
            launch::reset_signals();
            let config = &container.made.config;
            match launch::become_further(
                config,
                init,
                (&begin.config, begin.ids),
                &container.cgroup,
                command,
                streams,
            ) {
                Err(error) => report(&theirs, &error.0),
                Ok(never) => match never {},
            }
        };
        Ok(Self {
            pid,
            session,
            client: waiting.client,
            launch: Some((ours, waiting)),
        })
    }

    /// What the launch says: that the command runs, or why it does not.
    pub(super) fn hear(&mut self) -> Option<(Waiting, Result<(), String>)> {
        let (socket, waiting) = self.launch.take()?;
        let result = match packets::receive(socket.as_fd()) {
            Ok(None) => Ok(()),
            Ok(Some((error, _))) => Err(format!("{LEAD_IN}{}", String::from_utf8_lossy(&error))),
            Err(error) => Err(format!("{LEAD_IN}{}", words(&error))),
        };
        Some((waiting, result))
    }
}

fn streams(stdio: Stdio, descriptors: Vec<OwnedFd>) -> io::Result<Streams> {
    let mut descriptors = descriptors.into_iter();
    if stdio.terminal {
        return descriptors
            .next()
            .map(Streams::Terminal)
            .ok_or_else(|| io::ErrorKind::InvalidInput.into());
    }
    let mut next = |wanted: bool| -> io::Result<OwnedFd> {
        match if wanted { descriptors.next() } else { None } {
            Some(given) => Ok(given),
            None => Ok(fs::File::options().read(true).write(true).open("/dev/null")?.into()),
        }
    };
    Ok(Streams::Files([
        next(stdio.stdin)?,
        next(stdio.stdout)?,
        next(stdio.stderr)?,
    ]))
}
