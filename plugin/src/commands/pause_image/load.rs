//! `kubectl pod pause-image load`.

use std::io::Write;

use clap::Args;

use super::{PauseImageError, architectures, default_name, image, name};
use crate::commands::emulator::DataDirFlag;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// What `load` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// The name that the image gets there
    #[arg(long, value_name = "REF", default_value_t = default_name())]
    name: String,
}

/// Imports the image; a running emulator sees it at once.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<(), PauseImageError> {
    name::check(&arguments.name)?;
    let archive = image()?.archive(&arguments.name);
    let failed = |source: std::io::Error| PauseImageError::Write {
        path: std::env::temp_dir().display().to_string(),
        source,
    };
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    file.write_all(&archive).map_err(failed)?;
    let names = emulator::emulator::load(&arguments.data_dir.path(), file.path())
        .map_err(|error| PauseImageError::Load(error.to_string()))?;
    for name in names {
        let said = format!(
            "Loaded {name} ({}): below pods after `kubectl pod emulator start --pod-infra-container-image {name}`",
            architectures()
        );
        printer.line(&Line::from(said.as_str()));
    }
    Ok(())
}
