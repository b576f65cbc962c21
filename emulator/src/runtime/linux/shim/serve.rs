//! The shim's one loop: what happens, and what follows from it.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
};

use nix::{
    sys::{
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::waitpid,
    },
    unistd::Pid,
};

use super::{
    attach::Attached,
    client::Clients,
    container::{Container, Waiting},
    exec::Exec,
    pause,
    sink::{self, Read},
};
use crate::runtime::{
    ContainerState,
    linux::{
        packets,
        protocol::{Answer, Ask, Begin, Request, Tell},
        record::{self, Holder, ProcessName, Record},
    },
};

/// Where something can happen.
#[derive(Clone)]
enum Source {
    Child,
    Listener,
    Client(u64),
    Launch(String),
    Output(String, RawFd),
    /// What a client typed, for a container that takes it.
    Typed(String, u64),
    /// A container or a client that was too slow can take more.
    Behind(String),
    Exec(u64),
}

struct Shim {
    begin: Begin,
    holder: Holder,
    pause: Pid,
    containers: BTreeMap<String, Container>,
    execs: Vec<Exec>,
    clients: Clients,
    listener: OwnedFd,
    children: SignalFd,
    stopping: Option<Waiting>,
    /// Those who wait until nothing is being started.
    settling: Vec<Waiting>,
    /// Records that the disk did not take.
    unsaved: BTreeMap<String, Record>,
    buffer: Vec<u8>,
}

/// Makes the sandbox that the emulator asks for, and keeps it until it is asked to stop.
///
/// # Errors
/// When the emulator's first words do not come or can't be followed; it has been told why.
pub(super) fn run(emulator: OwnedFd) -> io::Result<()> {
    let _ = nix::unistd::setsid();
    let _ = nix::sys::prctl::set_name(c"pod-shim");
    nix::sys::prctl::set_child_subreaper(true)?;
    // The last to be killed for want of memory, where the machine lets us say so.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-998");
    std::env::set_current_dir("/")?;
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    set.thread_block()?;
    let children = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let Some((bytes, mut descriptors)) = packets::receive(emulator.as_fd())? else {
        return Ok(());
    };
    let request: Request = serde_json::from_slice(&bytes)?;
    let Ask::Begin(begin) = request.ask else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut clients = Clients::default();
    let moved = emulator.try_clone()?;
    let null = std::fs::File::open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    std::mem::forget(emulator);
    clients.add(moved);
    if descriptors.is_empty() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let listener = descriptors.remove(0);
    let node = begin.keeps_node.then(|| descriptors.pop()).flatten();
    let began = start(&begin, descriptors.pop(), node.as_ref().map(AsRawFd::as_raw_fd));
    let id = request.id;
    let result = began
        .as_ref()
        .map(|(holder, _)| Answer::Begun(holder.clone()))
        .map_err(Clone::clone);
    clients.tell(1, &Tell::Answer { id, result });
    let Ok((holder, pause)) = began else {
        return Err(io::ErrorKind::Other.into());
    };
    let mut shim = Shim {
        begin: *begin,
        holder,
        pause,
        containers: BTreeMap::new(),
        execs: Vec::new(),
        clients,
        listener,
        children,
        stopping: None,
        settling: Vec::new(),
        unsaved: BTreeMap::new(),
        buffer: vec![0; 16 * 1024],
    };
    while !shim.is_done() {
        shim.turn()?;
    }
    Ok(())
}

fn start(begin: &Begin, network: Option<OwnedFd>, node: Option<RawFd>) -> Result<(Holder, Pid), String> {
    let pause = pause::start(begin, network)?;
    let keep = || -> io::Result<Holder> {
        let shim = ProcessName::of(std::process::id() as i32)?;
        let holder = Holder {
            shim,
            pause: ProcessName::of(pause.as_raw())?,
            ready: true,
            node,
        };
        record::write(&begin.folder.holder(), &holder)?;
        Ok(holder)
    };
    match keep() {
        Ok(holder) => Ok((holder, pause)),
        Err(error) => {
            let _ = kill(pause, Signal::SIGKILL);
            let _ = waitpid(pause, None);
            Err(format!(
                "failed to keep the sandbox: {}",
                super::super::launch::words(&error)
            ))
        }
    }
}

impl Shim {
    /// Stopped, with nothing left that runs.
    fn is_done(&mut self) -> bool {
        let Some(waiting) = self.stopping else { return false };
        if self.holder.ready || !self.containers.is_empty() || !self.execs.is_empty() {
            return false;
        }
        self.save_rest();
        self.answer(waiting, Ok(Answer::Done));
        true
    }

    fn turn(&mut self) -> io::Result<()> {
        let sources = self.sources();
        let mut polled: Vec<libc::pollfd> = sources
            .iter()
            .map(|(fd, events, _)| libc::pollfd {
                fd: *fd,
                events: *events,
                revents: 0,
            })
            .collect();
        // SAFETY: the pointer is to as many structures as the length says.
        let count = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted {
                Ok(())
            } else {
                Err(error)
            };
        }
        for ((fd, _, source), polled) in sources.into_iter().zip(polled) {
            if polled.revents != 0 {
                self.happen(fd, source);
            }
        }
        self.settled();
        Ok(())
    }

    fn sources(&self) -> Vec<(RawFd, libc::c_short, Source)> {
        let (read, write) = (libc::POLLIN, libc::POLLOUT);
        let mut sources = vec![
            (self.children.as_raw_fd(), read, Source::Child),
            (self.listener.as_raw_fd(), read, Source::Listener),
        ];
        for client in &self.clients.all {
            sources.push((client.socket.as_raw_fd(), read, Source::Client(client.number)));
        }
        for exec in &self.execs {
            if let Some((socket, _)) = &exec.launch {
                sources.push((socket.as_raw_fd(), read, Source::Exec(exec.session)));
            }
        }
        for (id, container) in &self.containers {
            if let Some((socket, _)) = &container.launch {
                sources.push((socket.as_raw_fd(), read, Source::Launch(id.clone())));
            }
            for output in &container.outputs {
                let fd = output.fd.as_raw_fd();
                sources.push((fd, read, Source::Output(id.clone(), fd)));
            }
            let full = container.input.as_ref().filter(|input| input.is_full());
            let behind = container.attached.iter().flat_map(Attached::behind).chain(full);
            for sink in behind {
                sources.push((sink.raw(), write, Source::Behind(id.clone())));
            }
            if full.is_none() {
                for attached in &container.attached {
                    if let Some(input) = &attached.input {
                        let source = Source::Typed(id.clone(), attached.session);
                        sources.push((input.as_raw_fd(), read, source));
                    }
                }
            }
        }
        sources
    }

    fn happen(&mut self, fd: RawFd, source: Source) {
        match source {
            Source::Child => {
                while let Ok(Some(_)) = self.children.read_signal() {}
                self.reap();
            }
            Source::Listener => {
                if let Ok(socket) = packets::accept(self.listener.as_fd()) {
                    self.clients.add(socket);
                }
            }
            Source::Client(number) => self.listen_to(number),
            Source::Launch(id) => self.launched(&id),
            Source::Output(id, fd) => self.output(&id, fd),
            Source::Typed(id, session) => self.typed(&id, session),
            Source::Behind(id) => self.catch_up(&id, fd),
            Source::Exec(session) => self.exec_launched(session),
        }
    }

    fn listen_to(&mut self, number: u64) {
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

    fn answer(&mut self, waiting: Waiting, result: Result<Answer, String>) {
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

    /// Hears nothing more of the emulators before this one: what they asked for last and was not begun yet, this one
    /// would not know of.
    fn settle(&mut self, waiting: Waiting) {
        for number in self.clients.others(waiting.client) {
            self.gone(number);
        }
        self.settling.push(waiting);
    }

    /// Answers those who wait for it, when nothing is being started.
    fn settled(&mut self) {
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

    /// Tries again to write what the disk did not take.
    fn save_rest(&mut self) {
        let folder = &self.begin.folder;
        self.unsaved
            .retain(|id, record| record::rewrite(&folder.container(id).record(), record).is_err());
    }

    /// Writes what became of a container, and tells it.
    fn changed(&mut self, id: String, record: &Record) {
        match record::rewrite(&self.begin.folder.container(&id).record(), record) {
            Ok(()) => self.unsaved.remove(&id),
            // A full disk: kept here for an emulator that comes later.
            Err(_) => self.unsaved.insert(id.clone(), record.clone()),
        };
        let record = Box::new(record.clone());
        self.clients.tell_all(&Tell::Changed { container: id, record });
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

    fn launched(&mut self, id: &str) {
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

    fn exec_launched(&mut self, session: u64) {
        let Some(exec) = self.execs.iter_mut().find(|exec| exec.session == session) else {
            return;
        };
        if let Some((waiting, result)) = exec.hear() {
            self.answer(waiting, result.map(|()| Answer::Done));
        }
    }

    fn output(&mut self, id: &str, fd: RawFd) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        let is_it = |output: &super::container::Output| output.fd.as_raw_fd() == fd;
        let Some(index) = container.outputs.iter().position(is_it) else {
            return;
        };
        if !container.pump(index, &mut self.buffer) && is_ended(fd) {
            container.close_output(index);
        }
    }

    fn typed(&mut self, id: &str, session: u64) {
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

    fn catch_up(&mut self, id: &str, fd: RawFd) {
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

    fn reap(&mut self) {
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
