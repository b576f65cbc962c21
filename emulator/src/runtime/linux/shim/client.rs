//! An emulator that is connected.

use std::os::fd::{AsFd, OwnedFd};

use crate::runtime::linux::{packets, protocol::Tell};

pub(super) struct Client {
    /// Told apart from others, also after it is gone.
    pub(super) number: u64,
    pub(super) socket: OwnedFd,
}

/// All that are connected: the newest matters, an older one is about to go.
#[derive(Default)]
pub(super) struct Clients {
    pub(super) all: Vec<Client>,
    last: u64,
}

impl Clients {
    pub(super) fn add(&mut self, socket: OwnedFd) {
        let _ = packets::do_not_block(socket.as_fd());
        self.last += 1;
        self.all.push(Client {
            number: self.last,
            socket,
        });
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.all.retain(|client| client.number != number);
    }

    /// The numbers of all but this one.
    pub(super) fn others(&self, number: u64) -> Vec<u64> {
        let all = self.all.iter().map(|client| client.number);
        all.filter(|other| *other != number).collect()
    }

    pub(super) fn tell(&mut self, number: u64, tell: &Tell) {
        self.send(tell, |client| client.number == number);
    }

    pub(super) fn tell_all(&mut self, tell: &Tell) {
        self.send(tell, |_| true);
    }

    /// One that does not take it is cut off: it connects again and reads the files.
    fn send(&mut self, tell: &Tell, whom: impl Fn(&Client) -> bool) {
        let Ok(bytes) = serde_json::to_vec(tell) else { return };
        self.all
            .retain(|client| !whom(client) || packets::send(client.socket.as_fd(), &bytes, &[]).is_ok());
    }
}
