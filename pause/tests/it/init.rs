//! Starting the program, as PID 1 or not, and looking at it through `/proc`.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The program's file, as the build script left it.
pub(crate) fn program() -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    PathBuf::from(env!("OUT_DIR")).join(format!("pause-{architecture}"))
}

/// A command that runs the program with nothing to read and nowhere to write.
pub(crate) fn command() -> Command {
    let mut command = Command::new(program());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A running program, killed with all that is in its namespace when the test ends.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts `command` as PID 1 of a new PID namespace, and does not wait for anything.
    pub(crate) fn start_init(mut command: Command) -> Self {
        // The namespace is a property of the thread, and is spent once its first process has ended.
        let child = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWPID).expect("a new PID namespace: run this as root");
            command.spawn().expect("the program starts")
        });
        Self {
            child: child.join().unwrap(),
        }
    }

    /// Starts `command` as PID 1 of a new PID namespace, and waits until it sleeps.
    pub(crate) fn init(command: Command) -> Self {
        let running = Self::start_init(command);
        running.until_asleep();
        running
    }

    /// Starts `command` as an ordinary process, and waits until it sleeps.
    pub(crate) fn ordinary(mut command: Command) -> Self {
        let running = Self {
            child: command.spawn().expect("the program starts"),
        };
        running.until_asleep();
        running
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Waits until the program is in its last system call.
    pub(crate) fn until_asleep(&self) {
        let sleeping = format!("{} ", libc::SYS_rt_sigtimedwait);
        until("the program sleeps", || self.proc("syscall").starts_with(&sleeping));
    }

    /// A file of the program's folder in `/proc`.
    pub(crate) fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid())).unwrap_or_default()
    }

    /// The number behind `key:` in `/proc/PID/status` or `/proc/PID/smaps_rollup`.
    pub(crate) fn number(&self, file: &str, key: &str) -> u64 {
        let text = self.proc(file);
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("{key} in {text}"))
    }

    /// CPU time used, in clock ticks.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// How often the program was put on a CPU.
    pub(crate) fn switches(&self) -> u64 {
        self.number("status", "voluntary_ctxt_switches") + self.number("status", "nonvoluntary_ctxt_switches")
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended, where it does so in time.
    pub(crate) fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(Duration::from_micros(200));
        }
        None
    }

    /// How it ended.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.ended_within(PATIENCE).expect("the program ends")
    }

    /// Sends `signal`, and returns how it ended and what it wrote to the piped standard error.
    pub(crate) fn end_with(mut self, signal: Signal) -> (ExitStatus, String) {
        self.send(signal);
        let status = self.end();
        (status, self.complaints())
    }

    /// All of the piped standard error, once the program has ended.
    pub(crate) fn complaints(&mut self) -> String {
        let mut text = String::new();
        self.child
            .stderr
            .take()
            .expect("stderr is piped")
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    /// Runs `command` inside the program's PID namespace, to its end.
    pub(crate) fn inside(&self, mut command: Command) -> ExitStatus {
        let namespace = fs::File::open(format!("/proc/{}/ns/pid", self.pid())).unwrap();
        let status = thread::spawn(move || {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWPID).unwrap();
            command.status().unwrap()
        });
        status.join().unwrap()
    }

    /// The processes whose parent is the program.
    pub(crate) fn children(&self) -> Vec<Pid> {
        self.proc(&format!("task/{}/children", self.pid()))
            .split_whitespace()
            .map(|pid| Pid::from_raw(pid.parse().unwrap()))
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Has `act` run in the child, between fork and exec. It may make system calls and nothing else.
pub(crate) fn before_exec(command: &mut Command, act: fn() -> Result<(), Errno>) {
    // SAFETY: every function passed only makes system calls: it neither allocates nor takes a lock.
    unsafe { command.pre_exec(move || Ok(act()?)) };
}
