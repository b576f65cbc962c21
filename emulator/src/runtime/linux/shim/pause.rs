//! The process that holds a pod's namespaces.

use std::{
    convert::Infallible,
    ffi::CString,
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    fcntl::{OFlag, openat},
    sched::{CloneFlags, setns, unshare},
    sys::stat::Mode,
    unistd::{Pid, sethostname},
};

use super::report;
use crate::{
    overlay,
    runtime::{
        SandboxConfig,
        linux::{
            launch::{self, LaunchError, PodUsers, words},
            packets,
            protocol::Begin,
            sysctls,
        },
    },
};

/// Starts it, with the pod's network namespace unless it has the machine's, and with the pod's user namespace if it has
/// one of its own.
///
/// # Errors
/// In words for an event.
pub(super) fn start(begin: &Begin, network: Option<OwnedFd>, users: Option<OwnedFd>) -> Result<Pid, String> {
    let failed = |error: io::Error| format!("failed to start sandbox container: {}", words(&error));
    let (ours, theirs) = packets::pair().map_err(failed)?;
    let Some(pid) = launch::fork_into(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS).map_err(failed)? else {
        drop(ours);
        launch::reset_signals();
        match become_pause(begin, network, users) {
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

fn become_pause(begin: &Begin, network: Option<OwnedFd>, users: Option<OwnedFd>) -> Result<Infallible, LaunchError> {
    let config = &begin.config;
    let cgroup = begin.cgroup.child(begin.folder.name());
    cgroup.join().map_err(failed("join the sandbox's cgroup"))?;
    let settings = File::open("/proc/sys").map_err(failed("open /proc/sys"))?;
    let mapped = config.user_namespace || overlay::in_user_namespace();
    let sysctls = sysctls::of_sandbox(config, mapped, sysctls::are_writable());
    let users = begin
        .ids
        .zip(users)
        .map(|(ids, namespace)| PodUsers::new(ids, namespace));
    let arguments = launch::pause_root(begin, users.as_ref())?;
    if let Some(users) = &users {
        users.enter()?;
    }
    // From here on what is made belongs to the pod's user namespace, if it has one.
    unshare(own(config)).map_err(|error| failed("make the pod's namespaces")(error.into()))?;
    if let Some(network) = network {
        setns(network, CloneFlags::CLONE_NEWNET)
            .map_err(|error| failed("enter the pod's network namespace")(error.into()))?;
    }
    if !config.host_network {
        sethostname(&config.hostname).map_err(|error| failed("set the host name")(error.into()))?;
    }
    for (name, value) in &sysctls {
        set(&settings, name, value).map_err(failed(&format!("open sysctl {name} file")))?;
    }
    let arguments: Vec<CString> = arguments
        .into_iter()
        .map(|word| CString::new(word).map_err(|_| LaunchError("a zero byte in the entrypoint".into())))
        .collect::<Result<_, _>>()?;
    launch::give_up_everything()?;
    let env = [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
    match nix::unistd::execve(&arguments[0], &arguments, &env) {
        Ok(never) => Ok(never),
        Err(error) => Err(failed(&format!("exec {:?}", arguments[0]))(error.into())),
    }
}

fn failed(what: &str) -> impl Fn(io::Error) -> LaunchError {
    move |error| LaunchError(format!("{what}: {}", words(&error)))
}

/// What the pod has for itself, besides its processes, mounts and network.
fn own(config: &SandboxConfig) -> CloneFlags {
    let mut own = CloneFlags::empty();
    if !config.host_ipc {
        own |= CloneFlags::CLONE_NEWIPC;
    }
    if !config.host_network {
        own |= CloneFlags::CLONE_NEWUTS;
    }
    own
}

/// Writes a setting, of the namespaces that this process is in by now.
fn set(settings: &File, name: &str, value: &str) -> io::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = openat(settings, name.replace('.', "/").as_str(), flags, Mode::empty())?;
    File::from(file).write_all(value.as_bytes())
}
