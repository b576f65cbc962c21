//! Volumes in memory: a tmpfs of their own, so that their content never reaches a disk.

use std::{io, path::Path};

/// Mounts a tmpfs at a folder, which it makes where it is missing; returns whether there was none. The tmpfs takes at most
/// `size` bytes.
///
/// # Errors
/// What the system says.
#[cfg(target_os = "linux")]
pub(super) fn mount(folder: &Path, size: Option<i128>) -> io::Result<bool> {
    use nix::{
        mount::{MsFlags, mount},
        sys::statfs::{TMPFS_MAGIC, statfs},
    };
    std::fs::create_dir_all(folder)?;
    if statfs(folder)?.filesystem_type() == TMPFS_MAGIC && is_mount(folder)? {
        return Ok(false);
    }
    let size = size.map(|size| format!("size={size}"));
    let mount = |options: &[Option<&str>]| {
        let options: Vec<&str> = options.iter().flatten().copied().collect();
        let options = options.join(",");
        mount(
            Some("tmpfs"),
            folder,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
    };
    // Linux before 6.4 does not know the option, and in a user namespace it is refused (`pkg/kubelet/util/swap`).
    mount(&[size.as_deref(), Some("noswap")]).or_else(|_| mount(&[size.as_deref()]))?;
    Ok(true)
}

/// A folder on another device than the one that it is in.
#[cfg(target_os = "linux")]
fn is_mount(folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let parent = folder.parent().unwrap_or(folder);
    Ok(std::fs::metadata(folder)?.dev() != std::fs::metadata(parent)?.dev())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn mount(_: &Path, _: Option<i128>) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn tmpfs_is_mounted_once_and_takes_no_more_than_its_size() {
        if !nix::unistd::geteuid().is_root() {
            return; // Mounting takes root.
        }
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("secret");
        assert!(mount(&folder, Some(1 << 20)).unwrap());
        std::fs::write(folder.join("kept"), "x").unwrap();
        assert!(!mount(&folder, Some(1 << 20)).unwrap());
        assert!(folder.join("kept").exists());
        let full = std::fs::write(folder.join("large"), vec![0; 2 << 20]).unwrap_err();
        nix::mount::umount(&folder).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is on the disk");
    }
}
