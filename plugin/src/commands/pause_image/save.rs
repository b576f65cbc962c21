//! `kubectl pod pause-image save`.

use std::path::PathBuf;

use clap::Args;

use super::{PauseImageError, architectures, default_name, image, name};
use crate::view::printer::Printer;
use crate::view::text::Line;

/// What `save` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where to write the archive; containerd, podman, skopeo and the emulator read it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name that the image gets where the archive is loaded
    #[arg(long, value_name = "REF", default_value_t = default_name())]
    name: String,
}

/// Writes the archive.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<(), PauseImageError> {
    name::check(&arguments.name)?;
    let image = image()?;
    let archive = image.archive(&arguments.name);
    let path = arguments.file.display().to_string();
    std::fs::write(&arguments.file, &archive).map_err(|source| PauseImageError::Write {
        path: path.clone(),
        source,
    })?;
    let said = format!(
        "Wrote {} ({}) to {path}: {} bytes, {}",
        arguments.name,
        architectures(),
        archive.len(),
        image.index.digest
    );
    printer.line(&Line::from(said.as_str()));
    Ok(())
}
