//! The emulator's process: started apart from the terminal, asked to stop, waited for.

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use emulator::{
    data_dir::{DataDir, Running},
    emulator::Connection,
};
use serde::{Deserialize, Serialize};

/// How long `stop` waits for the emulator to clean up before it says that something is wrong.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// The one line that a starting emulator tells the process that started it.
#[derive(Serialize, Deserialize)]
pub enum Report {
    /// It answers requests.
    Ready(Connection),
    /// It ended, and why.
    Failed(String),
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
    /// It does not end.
    #[error("the emulator (process {0}) has not stopped within 60 s")]
    StillRunning(u32),
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

/// Starts this executable anew as an emulator with `arguments`, and waits until it answers or fails.
///
/// # Errors
/// What the emulator says, or what the machine does.
pub fn start(data_dir: &Path, arguments: Vec<std::ffi::OsString>) -> Result<Connection, ProcessError> {
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
        Ok(Report::Ready(connection)) => Ok(connection),
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

/// Asks the emulator to stop and waits until it has cleaned up and let go of its data folder.
///
/// # Errors
/// `StillRunning`, or that it can't be signalled.
#[cfg(unix)]
pub fn stop(data_dir: &Path, running: &Running) -> Result<(), ProcessError> {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    let pid = i32::try_from(running.pid).map_err(|_| ProcessError::StillRunning(running.pid))?;
    match kill(Pid::from_raw(pid), Signal::SIGTERM) {
        Ok(()) | Err(nix::Error::ESRCH) => {}
        Err(error) => {
            return Err(ProcessError::Io {
                what: format!("stop process {pid}"),
                source: error.into(),
            });
        }
    }
    let began = Instant::now();
    while DataDir::running(data_dir).is_some_and(|now| now.pid == running.pid) {
        if began.elapsed() > STOP_TIMEOUT {
            return Err(ProcessError::StillRunning(running.pid));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
