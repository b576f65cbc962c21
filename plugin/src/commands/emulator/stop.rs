//! `kubectl pod emulator stop`.

use std::process::ExitCode;
use std::time::Duration;

use super::DataDirFlag;
use crate::daemon::{context, process};
use crate::failure::Failure;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// Stops the emulator, cleans up what one that was killed left, and restores the context before.
pub(super) fn run(flag: &DataDirFlag, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let data_dir = flag.path();
    let mut ran = false;
    let left = loop {
        if let Some(running) = process::announced(&data_dir) {
            process::stop(&data_dir, &running)?;
            ran = true;
        }
        // Also after one that ran: asked to stop while it starts, it may not have got as far as cleaning up.
        if let Some(left) = super::serve::clean_up(&data_dir)? {
            break left;
        }
        // A `start` came between.
        std::thread::sleep(Duration::from_millis(5));
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
