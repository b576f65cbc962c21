//! `kubectl pod emulator stop`.

use std::process::ExitCode;

use emulator::data_dir::DataDir;

use super::DataDirFlag;
use crate::daemon::{context, process};
use crate::failure::Failure;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// Stops the emulator, cleans up what one that was killed left, and restores the context before.
pub(super) fn run(flag: &DataDirFlag, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let data_dir = flag.path();
    let running = DataDir::running(&data_dir);
    let stopped = match &running {
        Some(running) => {
            process::stop(&data_dir, running)?;
            true
        }
        None if data_dir.is_dir() => super::serve::clean_up(&data_dir)?,
        None => false,
    };
    context::restore(&data_dir)?;
    let text = match (&running, stopped) {
        (Some(_), _) => "The emulator has stopped.",
        (None, true) => "The emulator did not run; what it had left behind is gone.",
        (None, false) => "The emulator does not run.",
    };
    printer.line(&Line::from(text));
    Ok(ExitCode::SUCCESS)
}
