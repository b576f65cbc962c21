//! `kubectl pod emulator stop`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use emulator::data_dir::Running;

use super::DataDirFlag;
use crate::cli::duration;
use crate::daemon::{context, process};
use crate::failure::Failure;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// How often the emulator's process is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What `stop` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// Give pods this long to end; 0 kills them at once
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "60s")]
    timeout: Duration,
    /// Kill the pods at once; they run again after the next start
    #[arg(long, conflicts_with = "timeout")]
    now: bool,
}

/// Stops the emulator, cleans up what one that was killed left, and restores the context before.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let data_dir = arguments.data_dir.path();
    let timeout = if arguments.now {
        Duration::ZERO
    } else {
        arguments.timeout
    };
    let mut ran = false;
    let left = loop {
        if let Some(running) = process::announced(&data_dir) {
            stop(&data_dir, &running, timeout, printer)?;
            ran = true;
        }
        // Also after one that ran: asked to stop while it starts, it may not have got as far as cleaning up.
        if let Some(left) = super::serve::clean_up(&data_dir)? {
            break left;
        }
        // A `start` came between.
        std::thread::sleep(LOOK);
    };
    context::restore(&data_dir)?;
    let text = match (ran, left) {
        (true, _) => "The emulator has stopped.",
        (false, true) => "The emulator did not run; what it had left behind is gone.",
        (false, false) => "The emulator does not run.",
    };
    printer.line(&Line::from(text));
    Ok(ExitCode::SUCCESS)
}

/// Asks the emulator to stop and waits for its end. The first Ctrl-C says that a second one kills the pods at once.
fn stop(data_dir: &Path, running: &Running, timeout: Duration, printer: &mut Printer) -> Result<(), Failure> {
    // Without a thread of its own: without root, this process enters a user namespace later, which takes a single thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let mut interrupted = Box::pin(tokio::signal::ctrl_c());
    let mut is_warned = false;
    let wait = || {
        let outcome = runtime.block_on(async { tokio::time::timeout(LOOK, &mut interrupted).await });
        let Ok(outcome) = outcome else { return false };
        interrupted = Box::pin(tokio::signal::ctrl_c());
        if outcome.is_err() || is_warned {
            return outcome.is_ok();
        }
        is_warned = true;
        printer.note("the pods end within their grace periods: press Ctrl-C again to kill them at once");
        false
    };
    Ok(process::stop(data_dir, running, timeout, wait)?)
}
