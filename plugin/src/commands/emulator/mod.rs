//! `kubectl pod emulator`: a one-node Kubernetes on this machine.

mod keep;
mod load;
mod logs;
mod serve;
mod start;
mod status;
mod stop;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::connection::Connection;
use crate::failure::Failure;
use crate::view::printer::Printer;

/// What `emulator` takes.
#[derive(Debug, Args)]
#[command(subcommand_required = true, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  # Start it, run a pod on it with plain kubectl, stop it
  kubectl pod emulator start
  kubectl apply -f examples/completes.yaml
  kubectl get pods -w
  kubectl pod emulator stop

  # Let every container that asks for an image of one registry run on the machine's own files
  kubectl pod emulator start --map-image 'registry.example/*=localhost/host'";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the emulator and make pod-emulator the current context
    Start(start::Arguments),
    /// Stop the emulator and everything that runs on it; what the API stored is kept for the next start
    Stop(stop::Arguments),
    /// Say whether the emulator runs, and where
    Status(DataDirFlag),
    /// Import images from an OCI or docker archive
    Load(load::Arguments),
    /// Print what the emulator itself has logged
    Logs(logs::Arguments),
    /// Be the emulator; `start` runs this
    #[command(hide = true)]
    Serve(start::Arguments),
    /// Clean up behind the process that started this one, when it has ended; `lifecycle --emulate` runs this
    #[command(hide = true)]
    Keep(DataDirFlag),
}

/// Which emulator.
#[derive(Clone, Debug, Args)]
pub(in crate::commands) struct DataDirFlag {
    /// The folder that it keeps everything in; one emulator a folder [default: ~/.local/share/kubectl-pod/emulator]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DataDirFlag {
    /// The folder, absolute, whether or not it exists.
    pub(in crate::commands) fn path(&self) -> PathBuf {
        let path = self.data_dir.clone().unwrap_or_else(|| {
            env::var_os("XDG_DATA_HOME")
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| env::home_dir().unwrap_or_default().join(".local/share"))
                .join("kubectl-pod/emulator")
        });
        std::path::absolute(&path).unwrap_or(path)
    }
}

/// Runs it.
///
/// # Errors
/// Whatever kept it from its end; on systems other than Linux, what it needs.
pub fn run(arguments: &Arguments, connection: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::Emulator(
            "the emulator runs containers and so needs Linux: run it in a Linux virtual machine".to_owned(),
        ));
    }
    match &arguments.command {
        Command::Start(arguments) => start::run(arguments, connection, printer),
        Command::Stop(arguments) => stop::run(arguments, printer),
        Command::Status(data_dir) => status::run(data_dir, printer),
        Command::Load(arguments) => load::run(arguments, printer),
        Command::Logs(arguments) => logs::run(arguments, printer),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Keep(data_dir) => keep::run(data_dir),
    }
}
