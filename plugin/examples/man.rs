//! Writes the man pages: one for the program, one for each of its commands.
//!
//!     cargo run --example man -- FOLDER

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        return ExitCode::from(2);
    };
    match write(&kubectl_pod::cli::command(), Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn write(command: &clap::Command, folder: &Path) -> std::io::Result<()> {
    // The pages of subcommands are named after the whole path, as `man kubectl pod` looks for them.
    clap_mangen::generate_to(command.clone().disable_help_subcommand(true), folder)
}
