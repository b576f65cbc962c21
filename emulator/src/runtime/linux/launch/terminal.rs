//! The streams of a container's process.

use std::{
    fs::OpenOptions,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
};

use nix::unistd::{Gid, Uid, dup2_stderr, dup2_stdin, dup2_stdout, fchown};

use super::error::{During, LaunchError};
use crate::runtime::{User, linux::packets};

/// Uses three files, which the user may open again by their names in /dev.
pub(super) fn use_files(files: &[OwnedFd; 3], user: &User) -> Result<(), LaunchError> {
    give(files, Some(user.uid));
    replace(files[0].as_fd(), files[1].as_fd(), files[2].as_fd()).during("set the streams")
}

/// Gives the pipes among three files to a user, as far as this process may.
pub(super) fn give(files: &[OwnedFd; 3], owner: Option<u32>) {
    for file in files {
        if nix::sys::stat::fstat(file).is_ok_and(|data| data.st_mode & libc::S_IFMT == libc::S_IFIFO) {
            let _ = fchown(file, owner.map(Uid::from_raw), None);
        }
    }
}

/// Makes a terminal in the container's own /dev/pts and sends its other end away.
pub(super) fn open(socket: BorrowedFd<'_>, user: &User) -> Result<(), LaunchError> {
    let (master, slave) = pair().during("open a terminal")?;
    let _ = fchown(&slave, Some(Uid::from_raw(user.uid)), None::<Gid>);
    packets::send(socket, b"terminal", &[master.as_fd()]).during("hand the terminal over")?;
    // SAFETY: the descriptor is open and the call takes a number.
    let result = unsafe { libc::ioctl(slave.as_raw_fd(), libc::TIOCSCTTY, 0) };
    nix::errno::Errno::result(result).during("take the terminal")?;
    replace(slave.as_fd(), slave.as_fd(), slave.as_fd()).during("set the streams")
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open("/dev/pts/ptmx")?;
    let unlocked: libc::c_int = 0;
    // SAFETY: the descriptor is open and the pointer is to a number that outlives the call.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) };
    nix::errno::Errno::result(result)?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the descriptor is open and the call takes a number.
    let slave = nix::errno::Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: TIOCGPTPEER has just made this descriptor and nobody else has it.
    Ok((master.into(), unsafe { OwnedFd::from_raw_fd(slave) }))
}

fn replace(input: BorrowedFd<'_>, output: BorrowedFd<'_>, error: BorrowedFd<'_>) -> nix::Result<()> {
    dup2_stdin(input)?;
    dup2_stdout(output)?;
    dup2_stderr(error)
}
