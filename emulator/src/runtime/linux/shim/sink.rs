//! A descriptor that takes bytes when it can.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
};

use crate::runtime::linux::packets;

/// A reader that is this far behind is given up, rather than the container made to wait.
const MOST_PENDING: usize = 1024 * 1024;

pub(super) struct Sink {
    fd: OwnedFd,
    pending: Vec<u8>,
}

impl Sink {
    pub(super) fn new(fd: OwnedFd) -> Self {
        let _ = packets::do_not_block(fd.as_fd());
        Self {
            fd,
            pending: Vec::new(),
        }
    }

    pub(super) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    pub(super) fn is_full(&self) -> bool {
        !self.pending.is_empty()
    }

    /// False where there is nobody to take them any more.
    pub(super) fn write(&mut self, bytes: &[u8]) -> bool {
        self.pending.extend_from_slice(bytes);
        self.flush() && self.pending.len() <= MOST_PENDING
    }

    /// Writes what waits, as far as it goes.
    pub(super) fn flush(&mut self) -> bool {
        while !self.pending.is_empty() {
            match nix::unistd::write(&self.fd, &self.pending) {
                Ok(written) => drop(self.pending.drain(..written)),
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => return true,
                Err(_) => return false,
            }
        }
        true
    }
}

/// What a read brought.
pub(super) enum Read<'a> {
    Bytes(&'a [u8]),
    Later,
    End,
}

/// Reads once. A terminal whose last user is gone answers with an error, which is its end.
pub(super) fn read<'a>(fd: &OwnedFd, buffer: &'a mut [u8]) -> Read<'a> {
    loop {
        match nix::unistd::read(fd, buffer) {
            Ok(0) => return Read::End,
            Ok(length) => return Read::Bytes(&buffer[..length]),
            Err(nix::errno::Errno::EINTR) => {}
            Err(nix::errno::Errno::EAGAIN) => return Read::Later,
            Err(_) => return Read::End,
        }
    }
}

/// A pipe: the end to read and the end to write.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}
