//! `kubectl pod emulator stop`.

use std::process::ExitCode;

use super::DataDirFlag;
use crate::daemon::{context, process};
use crate::failure::Failure;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// Stops the emulator, cleans up what one that was killed left, and restores the context before.
pub(super) fn run(flag: &DataDirFlag, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let data_dir = flag.path();
    let running = process::announced(&data_dir);
    if let Some(running) = &running {
        process::stop(&data_dir, running)?;
    }
    // Also after one that ran: asked to stop while it starts, it may not have got as far as cleaning up.
    let left = data_dir.is_dir() && super::serve::clean_up(&data_dir)?;
    context::restore(&data_dir)?;
    let text = match (&running, left) {
        (Some(_), _) => "The emulator has stopped.",
        (None, true) => "The emulator did not run; what it had left behind is gone.",
        (None, false) => "The emulator does not run.",
    };
    printer.line(&Line::from(text));
    Ok(ExitCode::SUCCESS)
}
