//! Clients that take part in a container's own streams.

use std::os::fd::OwnedFd;

use super::{log_file::Stream, sink::Sink};
use crate::runtime::linux::{packets, protocol::Stdio};

pub(super) struct Attached {
    pub(super) client: u64,
    pub(super) session: u64,
    /// What the client types.
    pub(super) input: Option<OwnedFd>,
    output: Option<Sink>,
    error: Option<Sink>,
}

impl Attached {
    /// Takes the descriptors that the client sent.
    pub(super) fn new(client: u64, session: u64, stdio: Stdio, descriptors: Vec<OwnedFd>) -> Self {
        let mut descriptors = descriptors.into_iter();
        let mut next = |wanted: bool| if wanted { descriptors.next() } else { None };
        let input = next(stdio.stdin);
        if let Some(input) = &input {
            let _ = packets::do_not_block(std::os::fd::AsFd::as_fd(input));
        }
        let output = next(stdio.stdout).map(Sink::new);
        let error = next(stdio.stderr).map(Sink::new);
        Self {
            client,
            session,
            input,
            output,
            error,
        }
    }

    /// A reader that is gone or too far behind is dropped.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let sink = if stream == Stream::Out {
            &mut self.output
        } else {
            &mut self.error
        };
        if sink.as_mut().is_some_and(|sink| !sink.write(bytes)) {
            *sink = None;
        }
    }

    /// Readers that are behind.
    pub(super) fn behind(&self) -> impl Iterator<Item = &Sink> {
        [&self.output, &self.error]
            .into_iter()
            .flatten()
            .filter(|sink| sink.is_full())
    }

    /// Writes what waits for them.
    pub(super) fn flush(&mut self) {
        for sink in [&mut self.output, &mut self.error] {
            if sink.as_mut().is_some_and(|sink| !sink.flush()) {
                *sink = None;
            }
        }
    }
}
