//! `emptyDir`: a folder of the disk, or of memory (`pkg/volume/emptydir`).

use std::{fs, io, path::Path};

use k8s_openapi::api::core::v1::EmptyDirVolumeSource;

/// Makes it where it is missing; what containers have put into it stays.
pub(super) fn make(folder: &Path, source: &EmptyDirVolumeSource, group: Option<i64>) -> io::Result<()> {
    let is_new = !folder.exists();
    fs::create_dir_all(folder)?;
    if source.medium.as_deref() == Some("Memory") {
        let size = source
            .size_limit
            .as_ref()
            .and_then(|limit| crate::quantity::milli(&limit.0));
        mount_memory(folder, size.map(|milli| milli / 1000))?;
    }
    if is_new {
        open_to_all(folder, group)?;
    }
    Ok(())
}

/// Everybody may write; with an fsGroup what is made in it belongs to that group.
#[cfg(unix)]
fn open_to_all(folder: &Path, group: Option<i64>) -> io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    let mode = match group.and_then(|group| u32::try_from(group).ok()) {
        Some(group) => {
            chown(folder, None, Some(group))?;
            0o2777
        }
        None => 0o777,
    };
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn open_to_all(_: &Path, _: Option<i64>) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn mount_memory(folder: &Path, size: Option<i128>) -> io::Result<()> {
    use nix::{
        mount::{MsFlags, mount},
        sys::statfs::{TMPFS_MAGIC, statfs},
    };
    if statfs(folder)?.filesystem_type() == TMPFS_MAGIC && is_mount(folder)? {
        return Ok(());
    }
    let options = size
        .filter(|size| *size > 0)
        .map(|size| format!("size={size}"))
        .unwrap_or_default();
    Ok(mount(
        Some("tmpfs"),
        folder,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(options.as_str()),
    )?)
}

/// A folder on another device than the one that it is in.
#[cfg(target_os = "linux")]
fn is_mount(folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let parent = folder.parent().unwrap_or(folder);
    Ok(fs::metadata(folder)?.dev() != fs::metadata(parent)?.dev())
}

#[cfg(not(target_os = "linux"))]
fn mount_memory(_: &Path, _: Option<i128>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
