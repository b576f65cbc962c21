//! `kubectl pod`: what a pod is doing, why, and what happens next.
//!
//! Data flows one way: flags ([`cli`]) → selected pods ([`cluster`], [`manifest`]) → facts ([`pod`]) → [`view`].
//! Everything between the edges is pure: it starts no process, opens no connection and reads no clock.

pub mod cli;
pub mod cluster;
pub mod commands;
pub mod completion;
pub mod daemon;
pub mod failure;
pub mod findings;
pub mod knowledge;
pub mod lint;
pub mod manifest;
pub mod pod;
pub mod recording;
pub mod simulation;
pub mod view;

use std::ffi::OsString;
use std::process::ExitCode;

use failure::Failure;
use view::printer::Printer;

/// Runs the program with the process's own arguments and streams.
pub fn main() -> ExitCode {
    let mut printer = Printer::stdio();
    let outcome = run(std::env::args_os(), &mut printer);
    let code = match outcome {
        Ok(code) => code,
        Err(failure) => {
            failure.report(&mut printer);
            ExitCode::from(failure.exit_code())
        }
    };
    match printer.finish() {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs the program with the given arguments, the program's name first.
///
/// # Errors
/// Whatever the command could not do, in the words that the user reads.
pub fn run(arguments: impl IntoIterator<Item = OsString>, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(words) = completion::asked(&arguments) {
        printer.document(&completion::answer(words));
        return Ok(ExitCode::SUCCESS);
    }
    match cli::parse(arguments)? {
        cli::Parsed::Help(text) => {
            printer.document(&text);
            Ok(ExitCode::SUCCESS)
        }
        cli::Parsed::Command(command) => commands::run(command, printer),
    }
}
