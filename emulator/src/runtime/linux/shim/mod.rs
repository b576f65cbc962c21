//! The shim: one small process a pod, the parent of all the pod's processes.
//!
//! It keeps their exit codes, logs and terminals, so that the emulator can die and come back. It is this same
//! executable started anew, has one thread, and sleeps in `poll` unless something happens.

mod attach;
mod client;
mod container;
mod exec;
mod log_file;
mod pause;
mod serve;
mod sink;

use std::{
    ffi::OsStr,
    os::fd::{AsFd, FromRawFd, OwnedFd},
};

use super::packets;

/// What a shim is called, and how it is told to be one.
pub(super) const ARGUMENT_0: &str = "kubectl-pod-shim";
pub(super) const MARK: &str = "KUBECTL_POD_SHIM";

/// Becomes a shim, and never returns, where this process was started as one.
///
/// Call it first in `main`, before there is a second thread.
pub fn shim_main_if_asked() {
    let called = std::env::args_os().next();
    if called.as_deref() == Some(OsStr::new(ARGUMENT_0)) && std::env::var_os(MARK).is_some() {
        let ended = serve::run(emulator());
        std::process::exit(i32::from(ended.is_err()))
    }
}

/// The connection that the shim was started with, as its standard input.
fn emulator() -> OwnedFd {
    // SAFETY: the emulator starts a shim with its connection as descriptor 0, and nothing in this process has run yet
    // that could own it.
    unsafe { OwnedFd::from_raw_fd(0) }
}

/// The child's end of a launch: it says why it failed, and is closed by a program that starts.
fn report(socket: &OwnedFd, error: &str) -> ! {
    let _ = packets::send(socket.as_fd(), error.as_bytes(), &[]);
    // SAFETY: the child ends here; it shares no state with the shim whose copy it is.
    unsafe { libc::_exit(1) }
}
