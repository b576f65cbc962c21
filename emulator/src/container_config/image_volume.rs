//! A volume that is an image (KEP-4639): its layers, mounted once for all containers of the pod.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::image::Image;

/// Mounts the image below `folder`, and tells where. It stays until the pod's files are removed.
///
/// # Errors
/// An image that has no layers of its own, or what the system says.
#[cfg(target_os = "linux")]
pub(super) fn mount(folder: &Path, image: &Image) -> io::Result<PathBuf> {
    use crate::{image::Root, overlay, volumes};

    let Root::Layers(layers) = &image.root else {
        return Err(io::Error::other(format!(
            "{} is the machine's own filesystem: a hostPath mounts that",
            image.reference
        )));
    };
    // Another image of the same name is another mount: a container that is started again gets the new one.
    let digest = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
    let target = folder.join(digest);
    std::fs::create_dir_all(&target)?;
    if !volumes::is_mounted(&target)? {
        overlay::read_only(layers, &folder.join("spare"), &target)?;
    }
    Ok(target)
}

/// Containers run on Linux alone.
#[cfg(not(target_os = "linux"))]
pub(super) fn mount(_: &Path, _: &Image) -> io::Result<PathBuf> {
    Err(io::ErrorKind::Unsupported.into())
}
