//! The emulator's process: started apart from the terminal, asked to stop, waited for.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use emulator::{
    data_dir::{DataDir, Running},
    emulator::Connection,
};
use serde::{Deserialize, Serialize};

/// How long `stop` waits for the emulator beyond what its pods may take, before it says that something is wrong.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an emulator may take to come up, or a killed one to go, before that is said instead of waited for.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The one line that a starting emulator tells the process that started it.
#[derive(Serialize, Deserialize)]
pub enum Report {
    /// It answers requests.
    Ready(Started),
    /// It ended, and why.
    Failed(String),
}

/// An emulator that has come up.
#[derive(Serialize, Deserialize)]
pub struct Started {
    /// How to reach it.
    pub connection: Connection,
    /// What this machine does not let it do, a sentence each.
    pub limitations: Vec<String>,
}

/// The emulator could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It said itself what is wrong.
    #[error("{0}")]
    Emulator(String),
    /// It ended without a word.
    #[error("the emulator ended while it started: see {log}", log = .0.display())]
    Ended(PathBuf),
    /// Its process is there and does not answer.
    #[error(
        "an emulator (process {pid}) uses {path} and does not answer: see {log}, or end it with `kill -9 {pid}`",
        path = .data_dir.display(), log = log_path(.data_dir).display()
    )]
    Silent {
        /// Its process.
        pid: u32,
        /// Its folder.
        data_dir: PathBuf,
    },
    /// It does not end.
    #[error("the emulator (process {0}) has not stopped within {time} s", time = .1.as_secs())]
    StillRunning(u32, Duration),
    /// The machine refused.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

/// The log of the emulator that uses `data_dir`.
pub fn log_path(data_dir: &Path) -> PathBuf {
    data_dir.join("emulator.log")
}

/// The emulator that uses `data_dir`, if one does: one that is starting has come up by then, one that was killed has gone.
///
/// # Errors
/// `Silent` where one holds the folder and does not answer.
pub fn running(data_dir: &Path) -> Result<Option<Running>, ProcessError> {
    let began = Instant::now();
    while let Some(running) = DataDir::running(data_dir) {
        if answers(&running.server) {
            return Ok(Some(running));
        }
        if began.elapsed() > SETTLE_TIMEOUT {
            let (pid, data_dir) = (running.pid, data_dir.to_owned());
            return Err(ProcessError::Silent { pid, data_dir });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(None)
}

/// The emulator that holds `data_dir`, whether or not it answers.
pub fn announced(data_dir: &Path) -> Option<Running> {
    let began = Instant::now();
    loop {
        let running = DataDir::running(data_dir)?;
        // One that has only just taken the folder has not written its number yet.
        if running.pid != 0 || began.elapsed() > SETTLE_TIMEOUT {
            return Some(running);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a server answers at all. That it takes connections does not show it: a killed process's port does so until
/// the last of its threads has gone.
fn answers(server: &str) -> bool {
    let ask = || -> Option<usize> {
        let address: SocketAddr = server.strip_prefix("https://")?.parse().ok()?;
        let limit = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, limit).ok()?;
        stream.set_read_timeout(Some(limit)).ok()?;
        // No TLS: the answer is an alert.
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        stream.read(&mut [0; 16]).ok()
    };
    ask().is_some_and(|length| length > 0)
}

/// Starts this executable anew as an emulator with `arguments`, and waits until it answers or fails.
///
/// # Errors
/// What the emulator says, or what the machine does.
pub fn start(data_dir: &Path, arguments: Vec<std::ffi::OsString>) -> Result<Started, ProcessError> {
    let failed = |what: &str, source| ProcessError::Io {
        what: what.to_owned(),
        source,
    };
    let log = log_path(data_dir);
    let stderr = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(|source| failed(&format!("open {}", log.display()), source))?;
    let executable = env::current_exe().map_err(|source| failed("find this program's own file", source))?;
    let mut child = Command::new(executable)
        .args(["emulator", "serve"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(|source| failed("start the emulator", source))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        // An unreadable report is an empty one: the child's end says the rest.
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    match serde_json::from_str(&line) {
        Ok(Report::Ready(started)) => Ok(started),
        Ok(Report::Failed(why)) => {
            let _ = child.wait(); // Only to leave no zombie behind.
            Err(ProcessError::Emulator(why))
        }
        Err(_) => {
            let _ = child.wait();
            Err(ProcessError::Ended(log))
        }
    }
}

/// There is no emulator to stop where there is none to start.
///
/// # Errors
/// `StillRunning`, always.
#[cfg(not(unix))]
pub fn stop(
    _data_dir: &Path,
    running: &Running,
    timeout: Duration,
    _wait: impl FnMut() -> bool,
) -> Result<(), ProcessError> {
    Err(ProcessError::StillRunning(running.pid, timeout))
}

/// Asks the emulator to stop and waits until it has cleaned up and let go of its data folder. Its pods may take as long as
/// `timeout` to end; none, or once `wait` returns true, they are killed at once. `wait` returns after a moment.
///
/// # Errors
/// `StillRunning`, or that it can't be signalled.
#[cfg(unix)]
pub fn stop(
    data_dir: &Path,
    running: &Running,
    timeout: Duration,
    mut wait: impl FnMut() -> bool,
) -> Result<(), ProcessError> {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    // To signal process 0 is to signal oneself and one's kin.
    let pid = i32::try_from(running.pid).unwrap_or_default();
    let limit = timeout + STOP_TIMEOUT;
    if pid == 0 {
        return Err(ProcessError::StillRunning(running.pid, limit));
    }
    // Empty once a process has ended, also where nobody has asked how it did.
    let command_line = || fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let before = command_line();
    let signal = || match kill(Pid::from_raw(pid), Signal::SIGTERM) {
        Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
        Err(error) => Err(ProcessError::Io {
            what: format!("stop process {pid}"),
            source: error.into(),
        }),
    };
    // On a full disk the emulator falls back on its own timeout.
    let _ = DataDir::request_stop(data_dir, timeout);
    signal()?;
    let began = Instant::now();
    // It frees its folder first, and ends a moment later.
    while DataDir::running(data_dir).is_some_and(|now| now.pid == running.pid)
        || (!before.is_empty() && command_line() == before)
    {
        if began.elapsed() > limit {
            return Err(ProcessError::StillRunning(running.pid, limit));
        }
        // A second signal kills what still runs.
        if wait() || timeout.is_zero() {
            signal()?;
        }
    }
    Ok(())
}
