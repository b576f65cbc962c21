//! `kubectl pod pause-image push`.

use clap::Args;
use emulator::image::Upload;

use super::{PauseImageError, architectures, image, name};
use crate::view::printer::Printer;
use crate::view::text::Line;

/// What `push` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The name to push it by, as in registry.example/tools/pause:1
    #[arg(value_name = "REF")]
    reference: String,
}

/// Pushes layers and configurations, then the manifests, then the index that names them.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<(), PauseImageError> {
    name::check(&arguments.reference)?;
    let image = image()?;
    let mut upload = Upload::default();
    for platform in &image.platforms {
        for blob in [&platform.layer, &platform.config] {
            upload.blobs.push((blob.digest.clone(), blob.bytes.clone()));
        }
        let manifest = &platform.manifest;
        upload
            .manifests
            .push((manifest.digest.clone(), manifest.media_type, manifest.bytes.clone()));
    }
    upload.top = (
        image.index.digest.clone(),
        image.index.media_type,
        image.index.bytes.clone(),
    );
    let failed = |why: String| PauseImageError::Push(why);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    runtime
        .block_on(emulator::image::push(&arguments.reference, &upload))
        .map_err(|error| failed(error.to_string()))?;
    let said = format!(
        "Pushed {} ({}): {}",
        arguments.reference,
        architectures(),
        image.index.digest
    );
    printer.line(&Line::from(said.as_str()));
    Ok(())
}
