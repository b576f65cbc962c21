//! `kubectl pod emulator`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::connection::Connection;

use crate::failure::Failure;
use crate::view::printer::Printer;

/// What `emulator` takes.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs it.
///
/// # Errors
/// This version does not have the command yet.
pub fn run(_: &Arguments, _: &Connection, _: &mut Printer) -> Result<ExitCode, Failure> {
    Err(Failure::Unsupported {
        what: "emulator".into(),
        why: "this version does not have the command yet".into(),
    })
}
