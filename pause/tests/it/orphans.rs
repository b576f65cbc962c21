//! Children that the program never had, and has to bury.

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{ForkResult, fork, pipe, read};

use crate::init::{Running, before_exec, command, until};

/// Forks `count` processes that wait until this one has ended, so that all of them end as orphans.
fn leave_orphans(count: usize) -> Result<(), Errno> {
    let (reader, writer) = pipe()?;
    for _ in 0..count {
        // SAFETY: the child makes system calls alone.
        if let ForkResult::Child = unsafe { fork()? } {
            drop(writer);
            let _ = read(&reader, &mut [0]);
            // SAFETY: ends this process without running anything of the parent's.
            unsafe { libc::_exit(0) };
        }
    }
    Ok(())
}

fn orphans(running: &Running, batches: usize) {
    for _ in 0..batches {
        let mut parent = std::process::Command::new("/bin/true");
        before_exec(&mut parent, || leave_orphans(500));
        assert!(running.inside(parent).success());
    }
}

#[test]
fn ten_thousand_orphans_leave_no_zombie_and_cost_nothing() {
    let mut running = Running::init(command());
    let (ticks, switches) = (running.ticks(), running.switches());
    orphans(&running, 20);
    until("all orphans are gone", || running.children().is_empty());
    assert_eq!((running.ticks(), running.switches()), (ticks, switches));
    running.send(Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
}

#[test]
fn zombies_from_before_are_cleared() {
    let mut command = command();
    before_exec(&mut command, || {
        for _ in 0..20 {
            // SAFETY: the child ends at once.
            match unsafe { fork()? } {
                // SAFETY: ends this process without running anything of the parent's.
                ForkResult::Child => unsafe { libc::_exit(3) },
                ForkResult::Parent { child } => {
                    waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
                }
            }
        }
        Ok(())
    });
    assert!(Running::init(command).children().is_empty());
}

#[test]
fn children_that_outlive_the_exec_are_reaped_when_they_end() {
    let mut command = command();
    before_exec(&mut command, || leave_orphans(10));
    // Their pipe closes with the exec.
    let running = Running::init(command);
    until("all children are gone", || running.children().is_empty());
}

#[test]
fn its_end_is_the_end_of_all_processes_in_its_namespace() {
    let mut running = Running::init(command());
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "sleep 1000 & sleep 1000 &"]);
    assert!(running.inside(shell).success());
    let children = running.children();
    assert_eq!(children.len(), 2);
    running.send(Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
    for child in children {
        assert_eq!(nix::sys::signal::kill(child, None), Err(Errno::ESRCH));
    }
}
