//! Namespaces: forked into, entered, left.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    fcntl::OFlag,
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    unistd::Pid,
};

use super::error::{During, LaunchError};
use crate::runtime::SandboxConfig;

/// Forks into new namespaces; none in the child.
///
/// # Errors
/// When the kernel refuses.
pub(in super::super) fn fork_into(flags: CloneFlags) -> io::Result<Option<Pid>> {
    let flags = libc::c_long::from(flags.bits() | libc::SIGCHLD);
    // SAFETY: the shim is single threaded, so its child finds every lock open and all memory whole. With no
    // stack given, clone behaves as fork does.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(Pid::from_raw(pid as i32))),
    }
}

/// Forks into new namespaces and, where a process is named, into its PID namespace; none in the child, which is the
/// caller's child all the same.
///
/// A process in between chooses the PID namespace: whoever has once chosen one for its children can't choose its own
/// again, unless it has rights over that one too.
///
/// # Errors
/// When the kernel refuses.
pub(in super::super) fn fork_beside(process: Option<i32>, flags: CloneFlags) -> io::Result<Option<Pid>> {
    let Some(process) = process else {
        return fork_into(flags);
    };
    let namespace = File::open(format!("/proc/{process}/ns/pid"))?;
    let (answer, tell) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    let Some(between) = fork_into(CloneFlags::empty())? else {
        let forked = setns(namespace, CloneFlags::CLONE_NEWPID).map_err(io::Error::from);
        let said = match forked.and_then(|()| fork_into(flags | CloneFlags::CLONE_PARENT)) {
            Ok(None) => return Ok(None),
            Ok(Some(pid)) => pid.as_raw(),
            Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
        };
        let _ = nix::unistd::write(tell, &said.to_ne_bytes());
        // SAFETY: this process ends here; it shares no state with its parent.
        unsafe { libc::_exit(0) }
    };
    drop(tell);
    let mut said = [0; 4];
    let read = File::from(answer).read_exact(&mut said);
    let _ = nix::sys::wait::waitpid(between, None);
    read?;
    match i32::from_ne_bytes(said) {
        error if error < 0 => Err(io::Error::from_raw_os_error(-error)),
        pid => Ok(Some(Pid::from_raw(pid))),
    }
}

/// As a new program expects them: nothing blocked, nothing handled, nothing ignored.
pub(in super::super) fn reset_signals() {
    for signal in Signal::iterator() {
        // SAFETY: the default action needs no handler, so no code of ours can run in one.
        let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
    }
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// A container must not go on where nobody keeps its exit code.
pub(super) fn die_with_the_shim() -> nix::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
}

fn open(pid: i32, kind: &str) -> Result<OwnedFd, LaunchError> {
    File::open(format!("/proc/{pid}/ns/{kind}"))
        .map(OwnedFd::from)
        .during(format!("open the {kind} namespace"))
}

/// The pod's namespaces, and a mount and a cgroup namespace of one's own, in which the machine's later mounts
/// appear and from which none go back.
pub(super) fn enter_new(sandbox: &SandboxConfig, pause: i32) -> Result<(), LaunchError> {
    for (kind, flag) in shared(sandbox) {
        setns(open(pause, kind)?, flag).during(format!("enter the pod's {kind} namespace"))?;
    }
    // A kernel without cgroup namespaces shows the machine's paths, which does no harm.
    let _ = unshare(CloneFlags::CLONE_NEWCGROUP);
    unshare(CloneFlags::CLONE_NEWNS).during("make a mount namespace")?;
    let flags = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).during("separate the mounts")
}

/// All namespaces of a running process but its PID namespace, which a fork alone can enter.
pub(super) fn enter_existing(sandbox: &SandboxConfig, process: i32) -> Result<(), LaunchError> {
    let mut all = vec![("cgroup", CloneFlags::CLONE_NEWCGROUP)];
    all.extend(shared(sandbox));
    all.push(("mnt", CloneFlags::CLONE_NEWNS));
    let mut opened = Vec::new();
    for (kind, flag) in all {
        opened.push((open(process, kind)?, kind, flag));
    }
    for (namespace, kind, flag) in opened {
        setns(namespace.as_fd(), flag).during(format!("enter the container's {kind} namespace"))?;
    }
    Ok(())
}

/// In a user namespace just entered: what the container sees is its own to change, as far as it has the capabilities.
pub(super) fn own_what_is_seen() -> Result<(), LaunchError> {
    let _ = unshare(CloneFlags::CLONE_NEWCGROUP);
    unshare(CloneFlags::CLONE_NEWNS).during("make a mount namespace")
}

/// What the pod's containers share, where they do not have the machine's.
fn shared(sandbox: &SandboxConfig) -> Vec<(&'static str, CloneFlags)> {
    let mut shared = Vec::new();
    if !sandbox.host_network {
        shared.push(("net", CloneFlags::CLONE_NEWNET));
        shared.push(("uts", CloneFlags::CLONE_NEWUTS));
    }
    if !sandbox.host_ipc {
        shared.push(("ipc", CloneFlags::CLONE_NEWIPC));
    }
    shared
}
