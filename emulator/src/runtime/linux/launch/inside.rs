//! Places inside a container's root, reached without ever leaving it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, openat},
    sys::stat::{Mode, mkdirat},
};

use super::syscalls::open_in_root;

/// What a mount needs as its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

/// A path that names a descriptor, for calls that take paths only.
pub(super) fn path_of(fd: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// The place at `path`, made if it is missing.
pub(super) fn place(root: BorrowedFd<'_>, path: &Path, kind: Kind) -> io::Result<OwnedFd> {
    match open_in_root(root, path, libc::O_PATH) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        done => return done,
    }
    let (parent, name) = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => (parent, name),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let parent = folder(root, parent)?;
    match kind {
        Kind::Folder => make_folder(parent.as_fd(), Path::new(name))?,
        Kind::File => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            openat(&parent, name, flags | OFlag::O_WRONLY, Mode::from_bits_truncate(0o644))?;
        }
    }
    open_in_root(root, path, libc::O_PATH)
}

/// The folder at `path`, made with its parents where they are missing.
pub(super) fn folder(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    match open_in_root(root, path, flags) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        done => return done,
    }
    let mut so_far = PathBuf::from("/");
    let mut here = open_in_root(root, &so_far, flags)?;
    for component in path.components() {
        let Component::Normal(name) = component else { continue };
        so_far.push(name);
        here = match open_in_root(root, &so_far, flags) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(here.as_fd(), Path::new(name))?;
                open_in_root(root, &so_far, flags)?
            }
            done => done?,
        };
    }
    Ok(here)
}

fn make_folder(parent: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    match mkdirat(parent, name, Mode::from_bits_truncate(0o755)) {
        Err(nix::errno::Errno::EEXIST) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_symlink_in_the_image_does_not_lead_outside() {
        let outer = tempfile::tempdir().expect("folder");
        let root_path = outer.path().join("root");
        fs::create_dir(&root_path).expect("root");
        symlink(outer.path(), root_path.join("absolute")).expect("link");
        symlink("..", root_path.join("relative")).expect("link");
        let root = fs::File::open(&root_path).expect("open");
        for path in ["/relative/made", "/relative/a/b"] {
            place(root.as_fd(), Path::new(path), Kind::Folder).expect("made");
        }
        assert!(root_path.join("made").is_dir() && root_path.join("a/b").is_dir());
        assert!(!outer.path().join("made").exists());
        // The absolute link leads to a folder that the root does not have.
        assert!(place(root.as_fd(), Path::new("/absolute/made"), Kind::Folder).is_err());
        assert!(!outer.path().join("made").exists());
    }

    #[test]
    fn a_file_is_made_for_a_file_and_what_exists_is_kept() {
        let root_path = tempfile::tempdir().expect("folder");
        fs::write(root_path.path().join("kept"), "old").expect("file");
        let root = fs::File::open(root_path.path()).expect("open");
        place(root.as_fd(), Path::new("/kept"), Kind::File).expect("there");
        place(root.as_fd(), Path::new("/etc/new"), Kind::File).expect("made");
        assert_eq!(fs::read(root_path.path().join("kept")).expect("read"), b"old");
        assert!(root_path.path().join("etc/new").is_file());
    }
}
