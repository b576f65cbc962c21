//! A container of the pod, from its launch to its end.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
};

use jiff::Timestamp;
use nix::{sched::CloneFlags, unistd::Pid};

use super::{
    attach::Attached,
    log_file::{self, Lines, LogFile, Stream},
    report,
    sink::{self, Read, Sink},
};
use crate::runtime::{
    ContainerState,
    linux::{
        cgroup::Cgroup,
        launch::{self, Plan, Streams, words},
        packets,
        protocol::Begin,
        record::{self, ContainerFolder, ContainerMade, ProcessName, Record},
    },
};

/// How a container runtime's words about a failed start begin.
const LEAD_IN: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: \
                       unable to start container process: ";

/// A request that waits for its answer.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    pub(super) client: u64,
    pub(super) request: u64,
}

/// One of the container's own output streams.
pub(super) struct Output {
    pub(super) fd: OwnedFd,
    pub(super) stream: Stream,
    lines: Lines,
}

/// A container whose first process has been forked.
pub(super) struct Container {
    pub(super) pid: Pid,
    /// Until the program runs, or could not be run.
    pub(super) launch: Option<(OwnedFd, Waiting)>,
    pub(super) made: ContainerMade,
    pub(super) cgroup: Cgroup,
    pub(super) record: Record,
    pub(super) outputs: Vec<Output>,
    log: LogFile,
    /// Its standard input, or its terminal.
    pub(super) input: Option<Sink>,
    pub(super) terminal: Option<OwnedFd>,
    pub(super) attached: Vec<Attached>,
    /// Its mount namespace, by which its processes are known where there is no cgroup. Held open, for the number of
    /// one that is gone is given to the next.
    mounts: Option<fs::File>,
}

impl Container {
    /// Forks the first process. What becomes of it is said over `launch`.
    pub(super) fn start(
        begin: &Begin,
        pause: Pid,
        id: &str,
        target: Option<Pid>,
        waiting: Waiting,
    ) -> Result<Self, String> {
        let folder = begin.folder.container(id);
        let made: ContainerMade = record::read(&folder.made())
            .and_then(|made| made.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(|error| format!("read what container {id} is made from: {}", words(&error)))?;
        Self::fork(begin, pause, id, folder, made, target, waiting)
            .map_err(|error| format!("{LEAD_IN}{}", words(&error)))
    }

    fn fork(
        begin: &Begin,
        pause: Pid,
        id: &str,
        folder: ContainerFolder,
        made: ContainerMade,
        target: Option<Pid>,
        waiting: Waiting,
    ) -> io::Result<Self> {
        let cgroup = begin.cgroup.child(id);
        let log = LogFile::open(&made.config.log_path)?;
        let (ours, theirs) = packets::pair()?;
        let (streams, outputs, input) = streams(&made, &theirs)?;
        let (namespace, flags) = match (target, begin.config.share_process_namespace) {
            (Some(target), _) => (Some(target.as_raw()), CloneFlags::empty()),
            (None, true) => (Some(pause.as_raw()), CloneFlags::empty()),
            (None, false) if begin.config.host_pid => (None, CloneFlags::empty()),
            (None, false) => (None, CloneFlags::CLONE_NEWPID),
        };
        let forked = launch::fork_beside(namespace, flags)?;
        let Some(pid) = forked else {
            drop((ours, outputs, input));
            launch::reset_signals();
            let plan = Plan {
                sandbox: &begin.config,
                ids: begin.ids,
                pause: pause.as_raw(),
                folder: &folder,
                config: &made.config,
                cgroup: &cgroup,
                hidden: &begin.hidden,
            };
            match launch::become_container(&plan, streams) {
                Err(error) => report(&theirs, &error.0),
                Ok(never) => match never {},
            }
        };
        Ok(Self {
            pid,
            launch: Some((ours, waiting)),
            made,
            cgroup,
            record: Record::created(),
            outputs,
            log,
            input,
            terminal: None,
            attached: Vec::new(),
            mounts: None,
        })
    }

    /// What the launch says next: nothing yet, that the program runs, or why it does not.
    pub(super) fn hear(&mut self) -> Option<Result<(), String>> {
        let (socket, _) = self.launch.as_ref()?;
        match packets::receive(socket.as_fd()) {
            Ok(Some((_, mut descriptors))) if !descriptors.is_empty() => {
                self.take_terminal(descriptors.remove(0));
                None
            }
            Ok(Some((error, _))) => Some(Err(format!("{LEAD_IN}{}", String::from_utf8_lossy(&error)))),
            Ok(None) => Some(Ok(())),
            Err(error) => Some(Err(format!("{LEAD_IN}{}", words(&error)))),
        }
    }

    fn take_terminal(&mut self, terminal: OwnedFd) {
        let _ = packets::do_not_block(terminal.as_fd());
        self.input = terminal.try_clone().ok().map(Sink::new);
        if let Ok(fd) = terminal.try_clone() {
            self.outputs.push(Output {
                fd,
                stream: Stream::Out,
                lines: Lines::of(Stream::Out),
            });
        }
        self.terminal = Some(terminal);
    }

    /// The program runs.
    pub(super) fn started(&mut self) {
        self.launch = None;
        if self.cgroup.is_nowhere() {
            self.mounts = fs::File::open(format!("/proc/{}/ns/mnt", self.pid)).ok();
        }
        self.record.state = ContainerState::Running;
        self.record.started_at = Some(Timestamp::now());
        self.record.process = ProcessName::of(self.pid.as_raw()).ok();
    }

    /// It could not be run. Its process, which has nothing left to do, is reaped like any other.
    pub(super) fn failed(&mut self, message: String) {
        self.launch = None;
        self.record = Record::start_failed(message, Timestamp::now());
    }

    /// Its first process has ended. What is left of it is ended too, and its last words are written.
    pub(super) fn ended(&mut self, exit_code: i32, shares_processes: bool) {
        let at = Timestamp::now();
        if shares_processes {
            self.kill();
        }
        self.drain();
        if self.record.state == ContainerState::Running {
            let starved = exit_code != 0 && self.cgroup.oom_kills() > 0;
            self.record.state = ContainerState::Exited;
            self.record.process = None;
            self.record.finished_at = Some(at);
            self.record.exit_code = Some(exit_code);
            self.record.reason = if starved { "OOMKilled".into() } else { String::new() };
        }
    }

    /// It lives in another container's PID namespace.
    pub(super) fn is_guest(&self) -> bool {
        self.made.config.target.is_some()
    }

    /// SIGKILL to every process of the container.
    pub(super) fn kill(&self) {
        self.cgroup.kill();
        if let Some(mounts) = &self.mounts {
            kill_all_in(mounts);
        }
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        for index in 0..self.outputs.len() {
            while self.pump(index, &mut buffer) {}
        }
        let time = log_file::now();
        for output in &mut self.outputs {
            let rest = output.lines.finish(&time);
            self.log.write(&rest);
        }
        self.outputs.clear();
    }

    /// Moves what one output stream has to the log and to whoever is attached; false where there is no more for now.
    pub(super) fn pump(&mut self, index: usize, buffer: &mut [u8]) -> bool {
        let output = &mut self.outputs[index];
        match sink::read(&output.fd, buffer) {
            Read::Bytes(bytes) => {
                let lines = output.lines.take(bytes, &log_file::now());
                self.log.write(&lines);
                for attached in &mut self.attached {
                    attached.write(output.stream, bytes);
                }
                true
            }
            Read::Later | Read::End => false,
        }
    }

    /// A stream that has ended is closed, with what was left on its last line.
    pub(super) fn close_output(&mut self, index: usize) {
        let mut output = self.outputs.remove(index);
        let rest = output.lines.finish(&log_file::now());
        self.log.write(&rest);
    }
}

type Ends = (Streams, Vec<Output>, Option<Sink>);

fn streams(made: &ContainerMade, launch: &OwnedFd) -> io::Result<Ends> {
    if made.config.tty {
        return Ok((Streams::Terminal(launch.try_clone()?), Vec::new(), None));
    }
    let (output, output_end) = sink::pipe()?;
    let (error, error_end) = sink::pipe()?;
    let (input_end, input) = if made.config.stdin {
        let (read, write) = sink::pipe()?;
        (read, Some(Sink::new(write)))
    } else {
        (fs::File::open("/dev/null")?.into(), None)
    };
    let mut outputs = Vec::new();
    for (fd, stream) in [(output, Stream::Out), (error, Stream::Error)] {
        packets::do_not_block(fd.as_fd())?;
        outputs.push(Output {
            fd,
            stream,
            lines: Lines::of(stream),
        });
    }
    Ok((Streams::Files([input_end, output_end, error_end]), outputs, input))
}

/// Without cgroups the processes of a container are those in its mount namespace.
fn kill_all_in(mounts: &fs::File) {
    use std::os::unix::fs::MetadataExt;
    let (Ok(entries), Ok(own)) = (fs::read_dir("/proc"), mounts.metadata()) else {
        return;
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        let theirs = fs::metadata(format!("/proc/{pid}/ns/mnt"));
        if theirs.is_ok_and(|theirs| (theirs.dev(), theirs.ino()) == (own.dev(), own.ino())) {
            let _ = nix::sys::signal::kill(Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}
