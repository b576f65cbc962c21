//! What the containers print, and what is typed for them.

use std::os::fd::{AsRawFd, RawFd};

use super::super::{
    attach::Attached,
    container::Output,
    sink::{self, Read},
};
use super::Shim;

impl Shim {
    pub(super) fn output(&mut self, id: &str, fd: RawFd) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        let is_it = |output: &Output| output.fd.as_raw_fd() == fd;
        let Some(index) = container.outputs.iter().position(is_it) else {
            return;
        };
        if !container.pump(index, &mut self.buffer) && is_ended(fd) {
            container.close_output(index);
        }
    }

    pub(super) fn typed(&mut self, id: &str, session: u64) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        let Some(attached) = container.attached.iter_mut().find(|one| one.session == session) else {
            return;
        };
        let Some(input) = &attached.input else { return };
        match sink::read(input, &mut self.buffer) {
            Read::Later => {}
            Read::Bytes(bytes) => {
                if container.input.as_mut().is_some_and(|input| !input.write(bytes)) {
                    container.input = None;
                }
            }
            Read::End => {
                attached.input = None;
                if container.made.config.stdin_once && !container.made.config.tty {
                    container.input = None;
                }
            }
        }
    }

    pub(super) fn catch_up(&mut self, id: &str, fd: RawFd) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        if container.input.as_ref().is_some_and(|input| input.raw() == fd) {
            if container.input.as_mut().is_some_and(|input| !input.flush()) {
                container.input = None;
            }
            return;
        }
        container.attached.iter_mut().for_each(Attached::flush);
    }
}

/// Nobody holds the other end of a stream any more.
fn is_ended(fd: RawFd) -> bool {
    let mut polled = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the pointer is to one structure, as the length says.
    unsafe { libc::poll(&raw mut polled, 1, 0) };
    polled.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0 && polled.revents & libc::POLLIN == 0
}
