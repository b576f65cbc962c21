//! A volume that is an image (KEP-4639): its layers, mounted once for all containers of the pod.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{image::Image, pod_ids::PodIds};

/// Mounts the image below `folder`, with the IDs of a pod that has its own, and tells where. It stays until the pod's
/// files are removed.
///
/// # Errors
/// An image that has no layers of its own, or what the system says.
#[cfg(target_os = "linux")]
pub(super) fn mount(folder: &Path, image: &Image, ids: Option<PodIds>) -> io::Result<PathBuf> {
    use crate::{image::Root, mapped_namespace, overlay, volumes};

    let Root::Layers(layers) = &image.root else {
        return Err(io::Error::other(format!(
            "{} is the machine's own filesystem: a hostPath mounts that",
            image.reference
        )));
    };
    // Another image of the same name is another mount: a container that is started again gets the new one.
    let digest = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
    // So is one for other IDs, which a pod has with another sandbox.
    let target = folder.join(ids.map_or(digest.to_owned(), |ids| format!("{digest}-{}", ids.name())));
    std::fs::create_dir_all(&target)?;
    if !volumes::is_mounted(&target)? {
        let namespace = ids.map(mapped_namespace::for_mounts).transpose()?;
        overlay::read_only(layers, namespace.as_ref(), &folder.join("spare"), &target)?;
    }
    Ok(target)
}

/// Containers run on Linux alone.
#[cfg(not(target_os = "linux"))]
pub(super) fn mount(_: &Path, _: &Image, _: Option<PodIds>) -> io::Result<PathBuf> {
    Err(io::ErrorKind::Unsupported.into())
}
