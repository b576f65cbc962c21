//! `kubectl pod emulator logs`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use emulator::data_dir::DataDir;

use super::DataDirFlag;
use crate::daemon::process;
use crate::failure::Failure;
use crate::view::printer::Printer;

/// What `logs` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// Go on printing what is logged until the emulator stops
    #[arg(short, long)]
    follow: bool,
}

/// Prints the log file.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let data_dir = arguments.data_dir.path();
    let path = process::log_path(&data_dir);
    let mut log = match File::open(&path) {
        Ok(log) => log,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Failure::Emulator(format!(
                "there is no log in {}: no emulator has run there yet",
                data_dir.display()
            )));
        }
        Err(error) => return Err(Failure::Emulator(format!("cannot read {}: {error}", path.display()))),
    };
    loop {
        let runs = DataDir::running(&data_dir).is_some();
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)
            .map_err(|error| Failure::Emulator(format!("cannot read {}: {error}", path.display())))?;
        printer.document(&String::from_utf8_lossy(&bytes));
        printer.flush();
        if !arguments.follow || !runs || printer.is_closed() {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
