//! A path inside a volume, mounted so that no symbolic link can lead out of the volume, now or later
//! (`pkg/volume/util/subpath`).

use std::{
    io,
    path::{Path, PathBuf},
};

/// Opens `within` below `volume` without leaving it, makes it as a folder where it is missing, with the mode that the
/// volume itself has, and pins what was opened at `target`. The result is safe to mount: it is the opened file itself,
/// whatever becomes of the path. What an earlier instance of the container had there is let go.
///
/// # Errors
/// A path that leaves the volume, or what the system says.
#[cfg(target_os = "linux")]
pub(super) fn prepare(volume: &Path, within: &str, target: &Path) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd;

    use nix::{
        fcntl::{OFlag, open},
        sys::stat::{Mode, fstat, mkdirat},
    };

    use crate::scoped_open::open_beneath;

    let root = open(
        volume,
        OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY,
        Mode::empty(),
    )?;
    let mode = fstat(&root)?.st_mode;
    let mut opened = None;
    let mut so_far = PathBuf::new();
    for part in Path::new(within).components() {
        so_far.push(part);
        opened = Some(match open_beneath(&root, &so_far, OFlag::O_PATH) {
            Err(nix::Error::ENOENT) => {
                let parent = match so_far.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                    Some(parent) => open_beneath(&root, parent, OFlag::O_PATH)?,
                    None => root.try_clone()?,
                };
                mkdirat(&parent, Path::new(part.as_os_str()), Mode::from_bits_truncate(0o750))?;
                let made = open_beneath(&root, &so_far, OFlag::O_PATH)?;
                // Through the descriptor, and whatever the umask: a link that took its place is not followed out.
                let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode & 0o7777);
                std::fs::set_permissions(format!("/proc/self/fd/{}", made.as_raw_fd()), permissions)?;
                made
            }
            Err(nix::Error::EXDEV | nix::Error::ELOOP) => {
                return Err(io::Error::other(format!("subpath {within:?} not within volume path")));
            }
            other => other?,
        });
    }
    pin(&opened.map_or(root, |opened| opened), target)
}

/// The same of a volume that nobody can write, where a folder is there or is not (containerd's
/// `internal/cri/server/container_image_mount.go`).
///
/// # Errors
/// A path that leaves the volume, that is not there or no folder, or what the system says.
#[cfg(target_os = "linux")]
pub(super) fn find(volume: &Path, within: &str, target: &Path) -> io::Result<PathBuf> {
    use nix::{
        fcntl::{OFlag, open},
        sys::stat::{Mode, SFlag, fstat},
    };

    use crate::scoped_open::open_beneath;

    let root = open(
        volume,
        OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY,
        Mode::empty(),
    )?;
    let opened = open_beneath(&root, Path::new(within), OFlag::O_PATH).map_err(|error| match error {
        nix::Error::EXDEV => io::Error::other(format!("openat {within}: path escapes from parent")),
        error => io::Error::other(format!("openat {within}: {}", words(error))),
    })?;
    if SFlag::from_bits_truncate(fstat(&opened)?.st_mode) & SFlag::S_IFMT != SFlag::S_IFDIR {
        return Err(io::Error::other(format!(
            "only directory subpath is supported, subpath: {within:?}"
        )));
    }
    pin(&opened, target)
}

/// What the system says, as Go writes it.
#[cfg(target_os = "linux")]
fn words(error: nix::Error) -> String {
    error.desc().to_lowercase()
}

/// Mounts what is open at `target`, instead of what is mounted there.
#[cfg(target_os = "linux")]
fn pin(opened: &std::os::fd::OwnedFd, target: &Path) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd;

    use nix::mount::{MntFlags, MsFlags, mount, umount2};

    let pinned = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    // Not a mount, or not there: then there is nothing to let go.
    let _ = umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
    if std::fs::metadata(&pinned)?.is_dir() {
        std::fs::create_dir_all(target)?;
    } else {
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::File::create(target)?;
    }
    mount(
        Some(&pinned),
        target,
        None::<&str>,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        None::<&str>,
    )?;
    Ok(target.to_owned())
}

/// Containers run on Linux alone.
#[cfg(not(target_os = "linux"))]
pub(super) fn prepare(_: &Path, _: &str, _: &Path) -> io::Result<PathBuf> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Containers run on Linux alone.
#[cfg(not(target_os = "linux"))]
pub(super) fn find(_: &Path, _: &str, _: &Path) -> io::Result<PathBuf> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_that_is_made_has_the_mode_of_its_volume_and_replaces_the_one_before() {
        use std::os::unix::fs::PermissionsExt;
        if !nix::unistd::geteuid().is_root() {
            return; // Mounting takes root.
        }
        let folder = tempfile::tempdir().unwrap();
        let (volume, target) = (folder.path().join("volume"), folder.path().join("target"));
        std::fs::create_dir(&volume).unwrap();
        std::fs::set_permissions(&volume, PermissionsExt::from_mode(0o2777)).unwrap();
        for within in ["a/b", "a/c"] {
            prepare(&volume, within, &target).unwrap();
            std::fs::write(target.join("file"), within).unwrap();
            let made = volume.join(within);
            assert_eq!(std::fs::read_to_string(made.join("file")).unwrap(), within);
            assert_eq!(std::fs::metadata(&made).unwrap().permissions().mode() & 0o7777, 0o2777);
        }
        nix::mount::umount(&target).unwrap();
        assert!(nix::mount::umount(&target).is_err(), "one mount, not one for each time");
    }

    #[test]
    fn a_link_out_of_the_volume_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("volume");
        std::fs::create_dir(&volume).unwrap();
        symlink("/etc", volume.join("out")).unwrap();
        symlink("../..", volume.join("up")).unwrap();
        for within in ["out", "out/passwd", "up", "up/x", "../x"] {
            let refused = prepare(&volume, within, &folder.path().join("target")).unwrap_err();
            assert!(
                refused.to_string().contains("not within volume path"),
                "{within}: {refused}"
            );
        }
    }

    #[test]
    fn of_what_can_not_be_written_only_a_folder_that_is_there_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("volume");
        std::fs::create_dir(&volume).unwrap();
        std::fs::write(volume.join("file"), "").unwrap();
        symlink("/etc", volume.join("out")).unwrap();
        for (within, words) in [
            ("none/x", "openat none/x: no such file or directory"),
            ("out", "openat out: path escapes from parent"),
            ("file", "only directory subpath is supported, subpath: \"file\""),
        ] {
            let refused = find(&volume, within, &folder.path().join("target")).unwrap_err();
            assert_eq!(refused.to_string(), words);
        }
        assert!(!volume.join("none").exists());
    }
}
