//! One file per subcommand; each only wires flags, pods, facts and views together.

pub mod completion;
pub mod describe;
pub mod emulate;
pub mod emulator;
pub mod explain;
pub mod follow;
pub mod lifecycle;
pub mod pause_image;
pub mod simulate;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::manifest::{self, Contents, Source};
use crate::view::printer::Printer;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What a concept, field, reason or exit code means, or what is going on in a pod
    Explain(explain::Arguments),
    /// What happened to a pod, when, and what comes next
    Lifecycle(lifecycle::Arguments),
    /// All that is known of a pod, and what is wrong with it
    Describe(describe::Arguments),
    /// A one-node Kubernetes on this machine, running real containers
    Emulator(emulator::Arguments),
    /// The pause image: what holds a pod's namespaces
    PauseImage(pause_image::Arguments),
    /// The program that kubectl asks to complete this command's words
    Completion(completion::Arguments),
}

/// Runs what was asked for.
///
/// # Errors
/// Whatever kept the command from its end.
pub fn run(cli: Box<Cli>, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let Cli { command, connection } = *cli;
    match command {
        Command::Explain(arguments) => explain::run(&arguments, &connection, printer),
        Command::Lifecycle(arguments) => lifecycle::run(&arguments, &connection, printer),
        Command::Describe(arguments) => describe::run(&arguments, &connection, printer),
        Command::Emulator(arguments) => emulator::run(&arguments, &connection, printer),
        Command::Completion(arguments) => completion::run(&arguments, printer),
        Command::PauseImage(arguments) => pause_image::run(&arguments, &connection, printer),
    }
}

/// Runs what waits for the network, on this one thread: a command has little to do at once, and little memory to spend.
///
/// # Errors
/// What the command failed with, or that the system has nothing left to wait with.
pub fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(command)
}

/// The pods of files; what stands beside them, and of which objects they are, is told.
///
/// # Errors
/// What is wrong with a file.
pub fn from_files<'a>(sources: &'a [Source], printer: &mut Printer) -> Result<Contents<'a>, Failure> {
    let contents = manifest::read(sources)?;
    let makers = contents.pods.iter().filter_map(|pod| pod.maker.as_ref());
    makers.for_each(|maker| printer.note(&maker.told()));
    contents.passed_over.iter().for_each(|words| printer.note(words));
    Ok(contents)
}
