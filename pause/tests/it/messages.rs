//! What the program says, and that saying it never keeps it from its work.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::unistd::{pipe, write};

use crate::init::{Running, before_exec, command};

fn piped() -> Command {
    let mut command = command();
    command.stderr(Stdio::piped());
    command
}

#[test]
fn as_pid_1_it_says_why_it_ends() {
    for (signal, name) in [(Signal::SIGTERM, "Terminated"), (Signal::SIGINT, "Interrupt")] {
        let (status, complaints) = Running::init(piped()).end_with(signal);
        assert_eq!(status.code(), Some(0));
        assert_eq!(complaints, format!("Shutting down, got signal: {name}\n"));
    }
}

#[test]
fn it_warns_where_it_is_not_pid_1() {
    let (status, complaints) = Running::ordinary(piped()).end_with(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        complaints,
        "Warning: pause should be the first process\nShutting down, got signal: Terminated\n"
    );
}

/// A pipe that takes nothing more, and its reader.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while write(writer.as_fd(), &[b'x'; 4096]).is_ok() {}
    while write(writer.as_fd(), b"x").is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    (reader, writer)
}

#[test]
fn a_full_stderr_does_not_hold_it_up() {
    for start in [Running::init, Running::ordinary] {
        let (_reader, writer) = full_pipe();
        let mut command = command();
        command.stderr(writer);
        let mut running = start(command);
        running.send(Signal::SIGTERM);
        assert_eq!(running.end().code(), Some(0));
    }
}

#[test]
fn a_broken_stderr_does_not_kill_it() {
    for start in [Running::init, Running::ordinary] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = command();
        command.stderr(writer);
        let mut running = start(command);
        running.send(Signal::SIGTERM);
        assert_eq!(running.end().code(), Some(0));
    }
}

#[test]
fn a_closed_stderr_does_not_matter() {
    for start in [Running::init, Running::ordinary] {
        let mut command = command();
        before_exec(&mut command, || {
            nix::errno::Errno::result(
                // SAFETY: nothing else in this process uses the descriptor before exec.
                unsafe { libc::close(2) },
            )
            .map(drop)
        });
        let mut running = start(command);
        running.send(Signal::SIGINT);
        assert_eq!(running.end().code(), Some(0));
    }
}

#[test]
fn a_terminal_hears_it_too() {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = command();
    command.stderr(terminal.slave);
    let mut running = Running::init(command);
    running.send(Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
    // The end of a line is a part of its own to a terminal, and may come later than the rest.
    let mut text = String::new();
    BufReader::new(File::from(terminal.master))
        .read_line(&mut text)
        .unwrap();
    assert_eq!(text, "Shutting down, got signal: Terminated\r\n");
}
