//! The cases by which other programs of this kind are tested, made anew: tini's trees of orphans and its signal configuration,
//! dumb-init's zombies, Kubernetes' orphan.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::unistd::{ForkResult, Pid, fork};

use crate::init::{Running, before_exec, command, until};

/// Forks a tree of processes, each of which ends without waiting for its children: the leaves last, at different times.
fn plant(depth: u32) -> Result<(), Errno> {
    const BRANCHES: u32 = 4;
    for branch in 0..BRANCHES {
        // SAFETY: the child makes system calls alone.
        if let ForkResult::Child = unsafe { fork()? } {
            let done = if depth > 1 { plant(depth - 1) } else { Ok(()) };
            let wait = libc::timespec {
                tv_sec: 0,
                tv_nsec: i64::from(branch * depth) * 10_000_000,
            };
            // SAFETY: the kernel reads a time; then this process ends without running anything of the parent's.
            unsafe {
                libc::nanosleep(&raw const wait, std::ptr::null_mut());
                libc::_exit(done.is_err().into());
            }
        }
    }
    Ok(())
}

/// The state of a process, as the kernel abbreviates it.
fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

fn children_of(pid: Pid) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .map(|pid| Pid::from_raw(pid.parse().unwrap()))
        .collect()
}

#[test]
fn tini_trees_of_orphans_go_whenever_they_end() {
    let running = Running::init(command());
    for _ in 0..5 {
        let mut root = Command::new("/bin/true");
        // 4 + 16 + 64 + 256 processes.
        before_exec(&mut root, || plant(4));
        assert!(running.inside(root).success());
    }
    until("all of them are gone", || running.children().is_empty());
}

#[test]
fn tini_no_configuration_of_signals_keeps_it_from_its_work() {
    let configurations: [fn() -> Result<(), Errno>; 4] = [ignore_all, block_all, ignore_and_block_all, || Ok(())];
    for configuration in configurations {
        for stop in [Signal::SIGTERM, Signal::SIGINT] {
            let mut command = command();
            before_exec(&mut command, configuration);
            let mut running = Running::init(command);
            let mut root = Command::new("/bin/true");
            before_exec(&mut root, || plant(2));
            assert!(running.inside(root).success());
            until("the orphans are gone", || running.children().is_empty());
            for survived in [
                Signal::SIGHUP,
                Signal::SIGTTIN,
                Signal::SIGTTOU,
                Signal::SIGTSTP,
                Signal::SIGWINCH,
            ] {
                running.send(survived);
            }
            assert!(running.is_running());
            running.send(stop);
            assert_eq!(running.end().code(), Some(0));
        }
    }
}

fn ignore_all() -> Result<(), Errno> {
    for signal in Signal::iterator().filter(|signal| !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the handler is none of ours.
        unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn)? };
    }
    Ok(())
}

fn block_all() -> Result<(), Errno> {
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)
}

fn ignore_and_block_all() -> Result<(), Errno> {
    ignore_all()?;
    block_all()
}

#[test]
fn dumb_init_a_zombie_goes_with_the_parent_that_does_not_wait() {
    let running = Running::init(command());
    // A shell that ends, a sleep that has taken the place of another shell, and so does not wait, and that one's child.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "sh -c 'sleep 1000 & exec sleep 1001' &"]);
    assert!(running.inside(shell).success());
    let mut family = Vec::new();
    until("the careless parent is pause's, and has its child", || {
        family = running.children();
        family.extend(family.first().map(|parent| children_of(*parent)).unwrap_or_default());
        family.len() == 2
    });
    let (parent, child) = (family[0], family[1]);
    // It has come to its exec.
    until("the parent sleeps", || {
        fs::read(format!("/proc/{parent}/cmdline")).is_ok_and(|line| line == b"sleep\x001001\0")
    });
    kill(child, Signal::SIGKILL).unwrap();
    until("its child is a zombie", || state(child) == Some('Z'));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(state(child), Some('Z'), "a child of another is not pause's to bury");
    kill(parent, Signal::SIGKILL).unwrap();
    until("both are gone", || state(child).is_none() && state(parent).is_none());
}

#[test]
fn kubernetes_an_orphan_that_ends_later_leaves_no_zombie() {
    let running = Running::init(command());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "sleep 1000 &"]);
    assert!(running.inside(shell).success());
    let orphans = running.children();
    assert_eq!(orphans.len(), 1, "pause has adopted it");
    kill(orphans[0], Signal::SIGKILL).unwrap();
    until("it is gone, and no zombie", || state(orphans[0]).is_none());
}
