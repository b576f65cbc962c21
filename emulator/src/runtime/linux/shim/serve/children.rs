//! What becomes of the shim's children: the pause, containers and commands in them.

use nix::unistd::Pid;

use super::Shim;
use crate::runtime::{
    ContainerState,
    linux::{
        protocol::{Answer, Tell},
        record::{self, Record},
    },
};

impl Shim {
    pub(super) fn reap(&mut self) {
        loop {
            let mut status = 0;
            // SAFETY: the pointer is to a number that outlives the call. nix's waitpid has no name for real-time
            // signals and would lose the process.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
            if pid <= 0 {
                return;
            }
            if libc::WIFEXITED(status) {
                self.ended(Pid::from_raw(pid), libc::WEXITSTATUS(status));
            } else if libc::WIFSIGNALED(status) {
                self.ended(Pid::from_raw(pid), 128 + libc::WTERMSIG(status));
            }
        }
    }

    fn ended(&mut self, pid: Pid, code: i32) {
        if pid == self.pause {
            self.holder.ready = false;
            let _ = record::write(&self.begin.folder.holder(), &self.holder);
            self.clients.tell_all(&Tell::Unready);
        } else if let Some(index) = self.execs.iter().position(|exec| exec.pid == pid) {
            self.exec_launched(self.execs[index].session);
            let exec = self.execs.remove(index);
            self.clients.tell(
                exec.client,
                &Tell::Ended {
                    session: exec.session,
                    exit_code: code,
                },
            );
        } else if let Some(id) = self.id_of(pid) {
            // How it was launched may still be unread: a program can be shorter than one turn of the loop.
            while self.containers[&id].launch.is_some() {
                self.launched(&id);
            }
            let Some(mut container) = self.containers.remove(&id) else {
                return;
            };
            let shares =
                self.begin.config.share_process_namespace || self.begin.config.host_pid || container.is_guest();
            let ran = container.record.state == ContainerState::Running;
            container.ended(code, shares);
            for attached in &container.attached {
                let session = attached.session;
                self.clients.tell(
                    attached.client,
                    &Tell::Ended {
                        session,
                        exit_code: code,
                    },
                );
            }
            if ran {
                self.changed(id, &container.record);
            }
        }
    }

    fn id_of(&self, pid: Pid) -> Option<String> {
        self.containers
            .iter()
            .find(|(_, container)| container.pid == pid)
            .map(|(id, _)| id.clone())
    }

    pub(super) fn launched(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        let Some(result) = container.hear() else { return };
        let waiting = container.launch.as_ref().map(|(_, waiting)| *waiting);
        match &result {
            Ok(()) => container.started(),
            Err(message) => container.failed(message.clone()),
        }
        let record = container.record.clone();
        self.changed(id.to_owned(), &record);
        if let Some(waiting) = waiting {
            self.answer(waiting, result.map(|()| Answer::Done));
        }
    }

    pub(super) fn exec_launched(&mut self, session: u64) {
        let Some(exec) = self.execs.iter_mut().find(|exec| exec.session == session) else {
            return;
        };
        if let Some((waiting, result)) = exec.hear() {
            self.answer(waiting, result.map(|()| Answer::Done));
        }
    }

    /// Writes what became of a container, and tells it.
    pub(super) fn changed(&mut self, id: String, record: &Record) {
        match record::rewrite(&self.begin.folder.container(&id).record(), record) {
            Ok(()) => self.unsaved.remove(&id),
            // A full disk: kept here for an emulator that comes later.
            Err(_) => self.unsaved.insert(id.clone(), record.clone()),
        };
        let record = Box::new(record.clone());
        self.clients.tell_all(&Tell::Changed { container: id, record });
    }

    /// Tries again to write what the disk did not take.
    pub(super) fn save_rest(&mut self) {
        let folder = &self.begin.folder;
        self.unsaved
            .retain(|id, record| record::rewrite(&folder.container(id).record(), record).is_err());
    }
}
