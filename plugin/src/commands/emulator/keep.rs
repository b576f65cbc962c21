//! `kubectl pod emulator keep`: cleans up behind a command that was killed.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use emulator::data_dir::DataDir;

use super::DataDirFlag;
use crate::failure::Failure;

/// How long a killed process may take to let go of its folder.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits until whoever started this process has ended, then takes its emulator's folder away, and all that ran from it.
pub(super) fn run(flag: &DataDirFlag) -> Result<ExitCode, Failure> {
    let folder = flag.path();
    // Nothing is ever said; the end of the pipe is the end of the other process.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    if folder.is_dir() {
        wait_until_free(&folder);
        super::serve::clean_up(&folder)?;
        std::fs::remove_dir_all(&folder).map_err(Failure::Folder)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn wait_until_free(folder: &Path) {
    let began = std::time::Instant::now();
    while DataDir::running(folder).is_some() && began.elapsed() < SETTLE_TIMEOUT {
        std::thread::sleep(Duration::from_millis(5));
    }
}
