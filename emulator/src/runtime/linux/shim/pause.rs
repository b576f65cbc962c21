//! The process that holds a pod's namespaces.

use std::{
    convert::Infallible,
    ffi::CString,
    fs, io,
    os::fd::{AsFd, OwnedFd},
};

use nix::{sched::CloneFlags, unistd::Pid};

use super::report;
use crate::runtime::linux::{
    launch::{self, LaunchError, words},
    packets,
    protocol::Begin,
};

/// Starts it, with the pod's network namespace unless it has the machine's.
///
/// # Errors
/// In words for an event.
pub(super) fn start(begin: &Begin, network: Option<OwnedFd>) -> Result<Pid, String> {
    let config = &begin.config;
    let mut flags = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    if !config.host_ipc {
        flags |= CloneFlags::CLONE_NEWIPC;
    }
    if !config.host_network {
        flags |= CloneFlags::CLONE_NEWUTS;
    }
    let failed = |error: io::Error| format!("failed to start sandbox container: {}", words(&error));
    let (ours, theirs) = packets::pair().map_err(failed)?;
    let Some(pid) = launch::fork_into(flags).map_err(failed)? else {
        drop(ours);
        launch::reset_signals();
        match become_pause(begin, network) {
            Err(error) => report(&theirs, &error.0),
            Ok(never) => match never {},
        }
    };
    drop(theirs);
    match packets::receive(ours.as_fd()) {
        Ok(None) => Ok(pid),
        Ok(Some((error, _))) => {
            let _ = nix::sys::wait::waitpid(pid, None);
            Err(format!(
                "failed to start sandbox container: {}",
                String::from_utf8_lossy(&error)
            ))
        }
        Err(error) => Err(failed(error)),
    }
}

fn become_pause(begin: &Begin, network: Option<OwnedFd>) -> Result<Infallible, LaunchError> {
    let failed = |what: &str, error: io::Error| LaunchError(format!("{what}: {}", words(&error)));
    if let Some(network) = network {
        nix::sched::setns(network, CloneFlags::CLONE_NEWNET)
            .map_err(|error| failed("enter the pod's network namespace", error.into()))?;
    }
    begin
        .cgroup
        .child(begin.folder.name())
        .join()
        .map_err(|error| failed("join the sandbox's cgroup", error))?;
    if !begin.config.host_network {
        nix::unistd::sethostname(&begin.config.hostname).map_err(|error| failed("set the host name", error.into()))?;
    }
    for (name, value) in &begin.config.sysctls {
        fs::write(format!("/proc/sys/{}", name.replace('.', "/")), value)
            .map_err(|error| failed(&format!("open sysctl {name} file"), error))?;
    }
    let arguments = launch::pause_root(begin)?;
    let arguments: Vec<CString> = arguments
        .into_iter()
        .map(|word| CString::new(word).map_err(|_| LaunchError("a zero byte in the entrypoint".into())))
        .collect::<Result<_, _>>()?;
    launch::give_up_everything()?;
    let env = [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
    match nix::unistd::execve(&arguments[0], &arguments, &env) {
        Ok(never) => Ok(never),
        Err(error) => Err(failed(&format!("exec {:?}", arguments[0]), error.into())),
    }
}
