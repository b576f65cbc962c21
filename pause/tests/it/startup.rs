//! The system calls between the start and the sleep, seen by a tracer.

use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::init::{before_exec, command};

/// The numbers of the system calls that `command` makes as PID 1 up to the one that it sleeps in.
fn calls_until_sleep(mut command: Command) -> Vec<i64> {
    before_exec(&mut command, ptrace::traceme);
    // Only the thread that started the program may trace it.
    let tracer = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWPID).expect("a new PID namespace: run this as root");
        let mut child = command.spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        assert_eq!(waitpid(pid, None), Ok(WaitStatus::Stopped(pid, Signal::SIGTRAP)));
        ptrace::setoptions(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD).unwrap();
        let mut calls = Vec::new();
        while calls.last() != Some(&libc::SYS_rt_sigtimedwait) {
            ptrace::syscall(pid, None).unwrap();
            assert_eq!(waitpid(pid, None), Ok(WaitStatus::PtraceSyscall(pid)));
            calls.extend(entered(pid).unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        calls
    });
    tracer.join().unwrap()
}

/// The system call that the stopped process is about to make; none where it comes back from one.
fn entered(pid: Pid) -> Result<Option<i64>, Errno> {
    let stop = ptrace::syscall_info(pid)?;
    // SAFETY: the kernel filled in the variant that `op` names.
    Ok((stop.op == libc::PTRACE_SYSCALL_INFO_ENTRY).then(|| unsafe { stop.u.entry.nr }.cast_signed()))
}

#[test]
fn six_system_calls_and_it_sleeps() {
    assert_eq!(
        calls_until_sleep(command()),
        [
            libc::SYS_rt_sigprocmask,
            libc::SYS_rt_sigaction,
            libc::SYS_wait4,
            libc::SYS_chdir,
            libc::SYS_close_range,
            libc::SYS_getpid,
            libc::SYS_rt_sigtimedwait,
        ]
    );
}
