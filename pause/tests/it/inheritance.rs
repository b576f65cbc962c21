//! What the program is started with must not show in what it does.

use std::fs;
use std::os::fd::IntoRawFd;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::stat::Mode;

use crate::init::{Running, before_exec, command, program};

#[test]
fn a_blocked_mask_does_not_keep_it_from_ending() {
    for stop in [Signal::SIGTERM, Signal::SIGINT] {
        let mut command = command();
        before_exec(&mut command, || {
            sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)
        });
        let mut running = Running::init(command);
        running.send(stop);
        assert_eq!(running.end().code(), Some(0));
    }
}

#[test]
fn nothing_of_an_inherited_mask_is_left() {
    let mut command = command();
    before_exec(&mut command, || {
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)
    });
    let running = Running::init(command);
    let status = running.proc("status");
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
    // The kernel shows the signals that are waited for as not blocked.
    assert_eq!(
        u64::from_str_radix(blocked, 16).unwrap(),
        1 << (Signal::SIGPIPE as u64 - 1)
    );
}

#[test]
fn ignored_stop_signals_end_it_all_the_same() {
    let mut command = command();
    before_exec(&mut command, || {
        for ignored in [Signal::SIGTERM, Signal::SIGINT] {
            // SAFETY: the handler is none of ours.
            unsafe { signal(ignored, SigHandler::SigIgn)? };
        }
        Ok(())
    });
    let mut running = Running::init(command);
    running.send(Signal::SIGTERM);
    assert_eq!(running.end().code(), Some(0));
}

#[test]
fn the_working_directory_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command();
    command.current_dir(folder.path());
    let running = Running::init(command);
    assert_eq!(
        fs::read_link(format!("/proc/{}/cwd", running.pid())).unwrap(),
        std::path::Path::new("/")
    );
}

#[test]
fn descriptors_beyond_the_standard_ones_are_closed() {
    let mut command = command();
    before_exec(&mut command, || {
        for _ in 0..3 {
            let descriptor = open("/", OFlag::O_RDONLY, Mode::empty())?;
            fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
            let _ = descriptor.into_raw_fd();
        }
        Ok(())
    });
    let running = Running::init(command);
    let mut open: Vec<_> = fs::read_dir(format!("/proc/{}/fd", running.pid()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
}

#[test]
fn it_needs_no_privilege_and_no_file_but_its_own() {
    let root = tempfile::tempdir_in(env!("OUT_DIR")).unwrap();
    fs::hard_link(program(), root.path().join("pause")).unwrap();
    let path = root.path().to_owned();
    std::os::unix::fs::chown(&path, None, Some(65535)).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new("/pause");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .env_clear();
    // SAFETY: system calls alone; the path was made before the fork.
    unsafe {
        command.pre_exec(move || {
            nix::unistd::chroot(path.as_path())?;
            if libc::setgid(65535) != 0 || libc::setuid(65535) != 0 {
                return Err(Errno::last().into());
            }
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
                return Err(Errno::last().into());
            }
            Ok(())
        });
    }
    let running = Running::init(command);
    let status = running.proc("status");
    assert!(status.contains("Uid:\t65535\t65535\t65535\t65535"), "{status}");
    let (status, complaints) = running.end_with(Signal::SIGTERM);
    assert_eq!(status.code(), Some(0));
    assert_eq!(complaints, "Shutting down, got signal: Terminated\n");
}
