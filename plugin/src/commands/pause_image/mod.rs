//! `kubectl pod pause-image`: the image that holds a pod's namespaces, for nodes of every kind.

mod configure;
mod load;
mod name;
mod push;
mod save;
mod version;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::connection::Connection;
use crate::failure::Failure;
use crate::view::printer::Printer;

/// What `pause-image` takes.
#[derive(Debug, Args)]
#[command(subcommand_required = true, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  # Put it on a node without a registry
  kubectl pod pause-image save pause.tar && ctr -n k8s.io images import pause.tar

  # Push it, and have containerd 2 use it
  kubectl pod pause-image push registry.example/pause:1
  kubectl pod pause-image configure containerd --version 2.1 --image registry.example/pause:1";

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the image into a file, as an OCI archive
    Save(save::Arguments),
    /// Push the image to a registry, with the credentials of the docker configuration
    Push(push::Arguments),
    /// Load the image into the emulator
    Load(load::Arguments),
    /// Print the setting that makes a container engine use the image
    Configure(configure::Arguments),
}

/// Why there is no image, or nowhere to put it.
#[derive(Debug, thiserror::Error)]
pub enum PauseImageError {
    /// The plugin was built without the program.
    #[error(
        "this build of kubectl pod carries no pause program: build it on Linux, or with `rustup target add x86_64-unknown-linux-musl`"
    )]
    NoProgram,
    /// The disk refused.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The registry refused, or the way to it.
    #[error("{0}")]
    Push(String),
    /// The name is none, or none for this.
    #[error("{0}")]
    Name(String),
    /// The emulator could not take it.
    #[error("{0}")]
    Load(String),
    /// The version is none.
    #[error("{0}")]
    Version(String),
    /// The engine has no such setting.
    #[error("{0}")]
    NoSetting(String),
}

/// Runs it.
///
/// # Errors
/// Whatever kept it from its end.
pub fn run(arguments: &Arguments, _: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Save(arguments) => save::run(arguments, printer)?,
        Command::Push(arguments) => push::run(arguments, printer)?,
        Command::Load(arguments) => load::run(arguments, printer)?,
        Command::Configure(arguments) => configure::run(arguments, printer)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The name that the image has where it is given none.
fn default_name() -> String {
    format!("localhost/pause:{}", pause::VERSION)
}

/// The image, where this build has a program to put into it.
fn image() -> Result<pause::image::Image, PauseImageError> {
    if pause::BINARIES.is_empty() {
        return Err(PauseImageError::NoProgram);
    }
    Ok(pause::image::Image::new(pause::BINARIES))
}

/// The architectures in it, as a sentence's end.
fn architectures() -> String {
    let names: Vec<&str> = pause::BINARIES.iter().map(|binary| binary.architecture).collect();
    names.join(", ")
}
