//! `kubectl pod lifecycle --emulate`: one file, run from its creation to the end of its life.

use std::process::ExitCode;

use super::lifecycle::Arguments;
use crate::failure::Failure;
use crate::manifest;
use crate::view::printer::Printer;

/// Runs it.
///
/// # Errors
/// What is wrong with the file, or what keeps it from running.
pub fn run(arguments: &Arguments, names: &[String], _: &mut Printer) -> Result<ExitCode, Failure> {
    let sources = manifest::source::read(names, arguments.selection.recursive)?;
    let _ = manifest::one_pod(&sources)?;
    Err(Failure::Unsupported {
        what: "--emulate".into(),
        why: "this version has no emulator yet".into(),
    })
}
