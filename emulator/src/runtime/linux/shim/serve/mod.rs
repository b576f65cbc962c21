//! The shim's one loop: what happens, and what follows from it.

mod asked;
mod children;
mod streams;

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
};
use crate::runtime::linux::{
    packets,
    protocol::{Answer, Ask, Begin, Request, Tell},
    record::{self, Holder, ProcessName, Record},
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
    let users = begin.ids.and_then(|_| descriptors.pop());
    let began = start(&begin, descriptors.pop(), users, node.as_ref().map(AsRawFd::as_raw_fd));
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

fn start(
    begin: &Begin,
    network: Option<OwnedFd>,
    users: Option<OwnedFd>,
    node: Option<RawFd>,
) -> Result<(Holder, Pid), String> {
    let pause = pause::start(begin, network, users)?;
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
}
