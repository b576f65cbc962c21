//! `kubectl pod describe`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::connection::Connection;
use crate::cli::selection::Selection;
use crate::failure::Failure;
use crate::view::printer::Printer;

/// What `describe` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which pods.
    #[command(flatten)]
    pub selection: Selection,
}

/// Runs it.
///
/// # Errors
/// This version does not have the command yet.
pub fn run(_: &Arguments, _: &Connection, _: &mut Printer) -> Result<ExitCode, Failure> {
    Err(Failure::Unsupported {
        what: "describe".into(),
        why: "this version does not have the command yet".into(),
    })
}
