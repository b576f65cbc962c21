//! Files that a container, or whoever made its image, has written: read without being led elsewhere or held up.

use std::{io, path::Path};

/// The most that is read of one, in bytes.
const MOST: u64 = 1 << 20;

/// Reads a file of the folder; links and `..` stay within it.
///
/// # Errors
/// What the system says; where it is too long, or no text.
#[cfg(target_os = "linux")]
pub(super) fn read(folder: &Path, path: &str) -> io::Result<String> {
    use std::io::Read;

    use nix::{
        fcntl::{OFlag, open},
        sys::stat::Mode,
    };

    use crate::scoped_open::open_in_root;

    let folder = open(
        folder,
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    // A pipe that nobody writes to must not hold the kubelet up.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
    let file = std::fs::File::from(open_in_root(&folder, Path::new(path), flags)?);
    // A device gives more than a text, and for ever; a whiteout is none.
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

/// Nowhere else is there a node that reads such files.
#[cfg(not(target_os = "linux"))]
pub(super) fn read(_: &Path, _: &str) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn a_path_does_not_leave_its_folder() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(outer.path().join("f"), "outside").unwrap();
        fs::write(folder.join("f"), "inside").unwrap();
        symlink("/../f", folder.join("link")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        for path in ["f", "../f", "link", "up/f"] {
            assert_eq!(read(&folder, path).unwrap(), "inside");
        }
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        for path in ["pipe", "."] {
            assert!(read(folder.path(), path).is_err(), "{path}");
        }
    }
}
