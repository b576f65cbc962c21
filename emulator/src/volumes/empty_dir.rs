//! `emptyDir`: a folder of the disk, or of memory (`pkg/volume/emptydir`).

use std::{fs, io, path::Path};

use k8s_openapi::api::core::v1::EmptyDirVolumeSource;

/// Only the owner of a file may remove it.
const STICKY: u32 = 0o1000;

/// Makes it where it is missing; what containers have put into it stays. `memory` is what the pod may use: a folder of
/// memory can't take more.
///
/// # Errors
/// A medium that the emulator does not have, or what the system says.
pub(super) fn make(
    folder: &Path,
    source: &EmptyDirVolumeSource,
    memory: Option<i128>,
    group: Option<i64>,
) -> io::Result<()> {
    let in_memory = match source.medium.as_deref() {
        None | Some("") => false,
        Some("Memory") => true,
        Some(other) => {
            return Err(io::Error::other(format!(
                "emptyDir of medium {other} is not supported by the emulator"
            )));
        }
    };
    if !folder.exists() {
        // It appears with its mode and group, or not at all.
        let new = folder.with_extension(format!("new-{}", crate::uid::new()));
        fs::create_dir_all(&new)?;
        open_to_all(&new, 0, group)?;
        fs::rename(&new, folder)?;
    }
    if in_memory {
        let limit = source
            .size_limit
            .as_ref()
            .and_then(|limit| crate::quantity::milli(&limit.0))
            .map(|milli| milli / 1000)
            .filter(|size| *size > 0);
        let size = [limit, memory].into_iter().flatten().min();
        if super::memory::mount(folder, size)? {
            // As the system makes a folder of memory.
            open_to_all(folder, STICKY, group)?;
        }
    }
    Ok(())
}

/// Everybody may write; with an fsGroup what is made in it belongs to that group.
#[cfg(unix)]
fn open_to_all(folder: &Path, more: u32, group: Option<i64>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = match group.and_then(|group| u32::try_from(group).ok()) {
        Some(group) => {
            super::owner::give(folder, None, Some(group))?;
            0o2777
        }
        None => 0o777,
    };
    fs::set_permissions(folder, fs::Permissions::from_mode(mode | more))
}

#[cfg(not(unix))]
fn open_to_all(_: &Path, _: u32, _: Option<i64>) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn everybody_may_write_into_it_and_it_keeps_what_it_has() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("cache");
        make(&folder, &EmptyDirVolumeSource::default(), None, None).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o7777, 0o777);
        fs::write(folder.join("kept"), "x").unwrap();
        make(&folder, &EmptyDirVolumeSource::default(), None, None).unwrap();
        assert!(folder.join("kept").exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_medium_that_is_not_there_is_named() {
        let source = EmptyDirVolumeSource {
            medium: Some("HugePages-2Mi".to_owned()),
            ..EmptyDirVolumeSource::default()
        };
        let refused = make(Path::new("/nonexistent/x"), &source, None, None).unwrap_err();
        assert!(refused.to_string().contains("HugePages-2Mi"));
    }
}
