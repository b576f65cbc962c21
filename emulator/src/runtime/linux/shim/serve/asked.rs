//! What clients ask of the shim, and the answers.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use nix::sys::signal::{Signal, kill};

use super::super::{
    attach::Attached,
    container::{Container, Waiting},
    exec::Exec,
};
use super::Shim;
use crate::runtime::linux::{
    packets,
    protocol::{Answer, Ask, Request, Tell},
    record::{self, Record},
};

impl Shim {
    pub(super) fn listen_to(&mut self, number: u64) {
        let Some(client) = self.clients.all.iter().find(|client| client.number == number) else {
            return;
        };
        match packets::receive(client.socket.as_fd()) {
            Ok(Some((bytes, descriptors))) => match serde_json::from_slice::<Request>(&bytes) {
                Ok(request) => {
                    let waiting = Waiting {
                        client: number,
                        request: request.id,
                    };
                    self.asked(waiting, request.ask, descriptors);
                }
                Err(_) => self.gone(number),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(None) | Err(_) => self.gone(number),
        }
    }

    /// A client is gone, and with it what it was attached to, and the commands that nobody waits for any more.
    fn gone(&mut self, number: u64) {
        self.clients.remove(number);
        for exec in self.execs.iter().filter(|exec| exec.client == number) {
            let _ = kill(exec.pid, Signal::SIGKILL);
        }
        for container in self.containers.values_mut() {
            container.attached.retain(|attached| attached.client != number);
        }
    }

    pub(super) fn answer(&mut self, waiting: Waiting, result: Result<Answer, String>) {
        self.clients.tell(
            waiting.client,
            &Tell::Answer {
                id: waiting.request,
                result,
            },
        );
    }

    fn asked(&mut self, waiting: Waiting, ask: Ask, descriptors: Vec<OwnedFd>) {
        let done = match ask {
            Ask::Begin(_) => Err("the sandbox is made".into()),
            Ask::Settle => return self.settle(waiting),
            Ask::Start { container } => match self.start(&container, waiting) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Ask::Signal { container, signal } => self.running(&container).map(|container| {
                // SAFETY: the call takes numbers; the process is our child and not reaped, so the number is its own.
                unsafe { libc::kill(container.pid.as_raw(), signal) };
            }),
            Ask::Exec {
                container,
                session,
                command,
                stdio,
            } => {
                let started = self.running(&container).map(drop).and_then(|()| {
                    let container = &self.containers[&container];
                    Exec::start(&self.begin, container, session, &command, (stdio, descriptors), waiting)
                });
                match started {
                    Ok(exec) => return self.execs.push(exec),
                    Err(error) => Err(error),
                }
            }
            Ask::Kill { session } => {
                for exec in self.execs.iter().filter(|exec| exec.session == session) {
                    let _ = kill(exec.pid, Signal::SIGKILL);
                }
                Ok(())
            }
            Ask::Attach {
                container,
                session,
                stdio,
            } => self.running(&container).map(|container| {
                container
                    .attached
                    .push(Attached::new(waiting.client, session, stdio, descriptors));
            }),
            Ask::Resize {
                container,
                columns,
                rows,
            } => self
                .running(&container)
                .map(|container| resize(container, columns, rows)),
            Ask::Stop => return self.stop(waiting),
        };
        self.answer(waiting, done.map(|()| Answer::Done));
    }

    fn running(&mut self, id: &str) -> Result<&mut Container, String> {
        self.containers
            .get_mut(id)
            .ok_or_else(|| format!("container {id} is not running"))
    }

    fn start(&mut self, id: &str, waiting: Waiting) -> Result<(), String> {
        if self.containers.contains_key(id) {
            return Err(format!("container {id} has been started"));
        }
        let made: Option<record::ContainerMade> =
            record::read(&self.begin.folder.container(id).made()).unwrap_or_default();
        let target = made.and_then(|made| made.config.target);
        let target = match target {
            Some(target) => Some(self.running(&target.0)?.pid),
            None => None,
        };
        match Container::start(&self.begin, self.pause, id, target, waiting) {
            Ok(container) => drop(self.containers.insert(id.to_owned(), container)),
            Err(error) => {
                let record = Record::start_failed(error.clone(), jiff::Timestamp::now());
                self.changed(id.to_owned(), &record);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Everything is killed; the answer follows when it is gone.
    fn stop(&mut self, waiting: Waiting) {
        self.stopping = Some(waiting);
        for exec in &self.execs {
            let _ = kill(exec.pid, Signal::SIGKILL);
        }
        for container in self.containers.values() {
            let _ = kill(container.pid, Signal::SIGKILL);
        }
        if self.holder.ready {
            let _ = kill(self.pause, Signal::SIGKILL);
        }
    }

    /// Hears nothing more of the emulators before this one: what they asked for last and was not begun yet, this one
    /// would not know of.
    fn settle(&mut self, waiting: Waiting) {
        for number in self.clients.others(waiting.client) {
            self.gone(number);
        }
        self.settling.push(waiting);
    }

    /// Answers those who wait for it, when nothing is being started.
    pub(super) fn settled(&mut self) {
        if self.settling.is_empty() || self.containers.values().any(|container| container.launch.is_some()) {
            return;
        }
        self.save_rest();
        for waiting in std::mem::take(&mut self.settling) {
            let answer = Answer::Settled {
                holder: self.holder.clone(),
                unsaved: self.unsaved.clone(),
            };
            self.answer(waiting, Ok(answer));
        }
    }
}

fn resize(container: &Container, columns: u16, rows: u16) {
    let Some(terminal) = &container.terminal else { return };
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the descriptor is open and the pointer is to a structure that outlives the call.
    unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
}
