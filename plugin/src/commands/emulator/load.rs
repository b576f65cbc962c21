//! `kubectl pod emulator load`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::DataDirFlag;
use crate::failure::Failure;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// What `load` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// OCI archives, or what `docker save` writes
    #[arg(required = true, value_name = "IMAGE.tar")]
    archives: Vec<PathBuf>,
}

/// Imports each archive; a running emulator sees the images at once.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<ExitCode, Failure> {
    for archive in &arguments.archives {
        let names = emulator::emulator::load(&arguments.data_dir.path(), archive)?;
        for name in names {
            printer.line(&Line::from(format!("Loaded {name}").as_str()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
