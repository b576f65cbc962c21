//! `kubectl pod emulator keep`: cleans up behind a command that was killed.

use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::DataDirFlag;
use crate::failure::Failure;

/// How long a killed process may take to let go of its folder.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits until whoever started this process has ended, then takes its emulator's folder away, and all that ran from it.
pub(super) fn run(flag: &DataDirFlag) -> Result<ExitCode, Failure> {
    let folder = flag.path();
    // Nothing is ever said; the end of the pipe is the end of the other process.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    let began = Instant::now();
    // A killed process has its files for a moment longer.
    loop {
        match super::serve::clean_up(&folder) {
            Ok(Some(_)) => break,
            Err(error) if began.elapsed() > SETTLE_TIMEOUT => return Err(error),
            // What is mounted there must not be taken for the folder's own.
            Ok(None) if began.elapsed() > SETTLE_TIMEOUT => {
                return Err(Failure::Folder(io::ErrorKind::ResourceBusy.into()));
            }
            Ok(None) | Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::Folder(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
