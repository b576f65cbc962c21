//! From a fork of the shim to the first instruction of a container's program.
//!
//! Everything here runs in a child that the single-threaded shim has just forked, so it may allocate and
//! call what it likes. It ends in `execve` or in an error that the shim passes on.

mod devices;
mod error;
mod host_root;
mod identity;
mod inside;
mod masks;
mod mounts;
mod namespaces;
mod pause_root;
mod pod_users;
mod program;
mod root;
mod seccomp;
mod session;
mod terminal;

use std::{
    convert::Infallible,
    env, io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

pub(super) use error::{LaunchError, words};
pub(super) use inside::path_of;
pub(super) use namespaces::{fork_beside, fork_into, reset_signals};
pub(super) use pause_root::{give_up_everything, pause_root};
pub(super) use pod_users::PodUsers;
pub(super) use root::read_only_copy;

use self::error::During;
use super::{cgroup::Cgroup, record::ContainerFolder};
use crate::{
    pod_ids::PodIds,
    runtime::{ContainerConfig, SandboxConfig, User},
};

/// Where a program's streams go.
pub(super) enum Streams {
    /// Standard input, output and error.
    Files([OwnedFd; 3]),
    /// A new terminal of the container, whose other end is sent over this socket.
    Terminal(OwnedFd),
}

/// What a container's first process is made from.
pub(super) struct Plan<'a> {
    pub(super) sandbox: &'a SandboxConfig,
    /// Of a pod with a user namespace of its own.
    pub(super) ids: Option<PodIds>,
    /// The process that holds the pod's namespaces.
    pub(super) pause: i32,
    pub(super) folder: &'a ContainerFolder,
    pub(super) config: &'a ContainerConfig,
    pub(super) cgroup: &'a Cgroup,
    /// The folder that no container may see.
    pub(super) hidden: &'a Path,
}

/// Makes the calling process the first of a container.
///
/// # Errors
/// In the words that a container runtime has for it.
pub(super) fn become_container(plan: &Plan<'_>, streams: Streams) -> Result<Infallible, LaunchError> {
    let config = plan.config;
    let users = plan.ids.map(|ids| PodUsers::of(ids, plan.pause)).transpose()?;
    if let Some(users) = &users {
        users.check(&config.user)?;
        users.own_new_files()?;
    }
    namespaces::die_with_the_shim().during("tie to the shim")?;
    plan.cgroup.join().during("join the container's cgroup")?;
    identity::set_oom_score(config.resources.oom_score_adj);
    let outside = mounts::open_all(config, plan, users.as_ref())?;
    namespaces::enter_new(plan.sandbox, plan.pause)?;
    root::build(plan, users.as_ref(), outside)?;
    if let Some(users) = users {
        become_pods(&users, &streams, &config.user)?;
        namespaces::own_what_is_seen()?;
    }
    finish(config, &config.command, &config.env, streams)
}

/// Makes the calling process one more of a running container.
///
/// # Errors
/// In the words that a container runtime has for it.
pub(super) fn become_further(
    config: &ContainerConfig,
    container: i32,
    (sandbox, ids): (&SandboxConfig, Option<PodIds>),
    cgroup: &Cgroup,
    command: &[String],
    streams: Streams,
) -> Result<Infallible, LaunchError> {
    namespaces::die_with_the_shim().during("tie to the shim")?;
    cgroup.join().during("join the container's cgroup")?;
    identity::set_oom_score(config.resources.oom_score_adj);
    let users = ids.map(|ids| PodUsers::of(ids, container)).transpose()?;
    namespaces::enter_existing(sandbox, container)?;
    // From here on the container's own files can be in the way, in all that it may mount: they are met as its own user.
    if let Some(users) = users {
        become_pods(&users, &streams, &config.user)?;
    }
    let mut variables = config.env.clone();
    if matches!(streams, Streams::Terminal(_)) {
        // As containerd sets it for each exec, whatever the container's own is (`container_execsync.go`).
        variables.retain(|(name, _)| name != "TERM");
        variables.push(("TERM".into(), "xterm".into()));
    }
    finish(config, command, &variables, streams)
}

/// Becomes root of the pod, whose user has the streams: those that come from the machine only this can still give.
fn become_pods(users: &PodUsers, streams: &Streams, user: &User) -> Result<(), LaunchError> {
    if let Streams::Files(files) = streams {
        terminal::give(files, users.on_machine(user.uid));
    }
    users.enter()
}

/// What a first and a further process have in common: streams, identity, program.
fn finish(
    config: &ContainerConfig,
    command: &[String],
    variables: &[(String, String)],
    streams: Streams,
) -> Result<Infallible, LaunchError> {
    let ContainerConfig { security, user, .. } = config;
    let _ = nix::unistd::setsid();
    session::leave();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    match streams {
        Streams::Files(files) => terminal::use_files(&files, user)?,
        Streams::Terminal(socket) => terminal::open(socket.as_fd(), user)?,
    }
    let filter = seccomp::filter(security)?;
    if !security.no_new_privileges {
        // Without no_new_privs a filter needs a capability that is dropped below.
        seccomp::apply(&filter)?;
    }
    // From here on this process has no more rights than the container's own, which could otherwise look into it, and
    // take what it still has open. The program that it becomes is its own again.
    nix::sys::prctl::set_dumpable(false).during("close up")?;
    // Either of root and the user may be the one that is let in (runc's `finalizeNamespace`).
    let mut entered = env::set_current_dir(&config.working_dir);
    identity::assume(user, security)?;
    namespaces::die_with_the_shim().during("tie to the shim")?;
    if matches!(&entered, Err(error) if error.kind() == io::ErrorKind::PermissionDenied) {
        entered = env::set_current_dir(&config.working_dir);
    }
    program::check_directory(&config.working_dir, entered)?;
    let variables = program::environment(variables, user.uid);
    let path = program::find(&command[0], &variables)?;
    if security.no_new_privileges {
        nix::sys::prctl::set_no_new_privs().during("set no_new_privs")?;
        seccomp::apply(&filter)?;
    }
    program::replace(&path, command, &variables)
}
