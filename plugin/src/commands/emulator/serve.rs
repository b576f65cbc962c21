//! The emulator's own process.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use emulator::data_dir::DataDirError;
use emulator::emulator::{Emulator, EmulatorError};

use super::start;
use crate::daemon::process::{Report, Started};
use crate::failure::Failure;

/// How long pods may take to end where a signal alone asks the emulator to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the emulator until it is asked to stop. Its first and only line on standard output tells who started it how that went.
pub(super) fn run(arguments: &start::Arguments) -> Result<ExitCode, Failure> {
    // Apart from the terminal of whoever started it. Fails only for a process that is apart already.
    #[cfg(unix)]
    let _ = nix::unistd::setsid();
    let options = arguments.options();
    let outcome = emulator::emulator::prepare_process(&options.data_dir).and_then(|()| {
        let runtime = runtime()?;
        runtime.block_on(async {
            // Heard from now on: also a request that comes while it starts is followed when it has started.
            let asked = emulator::emulator::asked_to_stop();
            let emulator = Emulator::start(options).await?;
            let limitations = emulator.limitations().iter().cloned().chain(emulator.reach());
            report(&Report::Ready(Started {
                connection: emulator.connection().clone(),
                limitations: limitations.collect(),
            }));
            asked.await;
            let timeout = emulator.stop_timeout().unwrap_or(STOP_TIMEOUT);
            // A second signal is for those who do not want to wait.
            emulator.stop(timeout, emulator::emulator::asked_to_stop()).await
        })
    });
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            report(&Report::Failed(error.to_string()));
            Err(error.into())
        }
    }
}

/// Cleans up what an emulator that was killed left behind; returns whether there was anything. Nothing where the folder
/// is in use.
pub(super) fn clean_up(data_dir: &Path) -> Result<Option<bool>, Failure> {
    if !data_dir.is_dir() {
        return Ok(Some(false));
    }
    emulator::emulator::prepare_process(data_dir)?;
    match runtime()?.block_on(emulator::emulator::clean_up(data_dir)) {
        Ok(left) => Ok(Some(left)),
        Err(EmulatorError::DataDir(DataDirError::InUse { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, EmulatorError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| EmulatorError::Machine(format!("cannot start threads: {error}")))
}

fn report(report: &Report) {
    let Ok(line) = serde_json::to_string(report) else {
        return;
    };
    // Whoever started it may be gone; the emulator is none the worse for it.
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
