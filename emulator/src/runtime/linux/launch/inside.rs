//! Places inside a container's root, reached without ever leaving it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, readlinkat},
    sys::stat::{Mode, mkdirat},
};

use crate::scoped_open::open_in_root;

/// What a mount needs as its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

/// A path that names a descriptor, for calls that take paths only.
pub(in super::super) fn path_of(fd: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// Links followed on the way to one place, as the kernel counts them.
const MOST_LINKS: u32 = 40;

/// The place at `path`, made if it is missing. A link in the image that leads nowhere is followed inside the root, and
/// what it names is made there.
pub(super) fn place(root: BorrowedFd<'_>, path: &Path, kind: Kind) -> io::Result<OwnedFd> {
    place_within(root, path, kind, MOST_LINKS)
}

/// The folder at `path`, made with its parents where they are missing.
pub(super) fn folder(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    folder_within(root, path, MOST_LINKS)
}

fn place_within(root: BorrowedFd<'_>, path: &Path, kind: Kind, links: u32) -> io::Result<OwnedFd> {
    match open_in_root(root, path, OFlag::O_PATH) {
        Err(Errno::ENOENT) => {}
        done => return Ok(done?),
    }
    let (parent_path, name) = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => (parent, name),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let parent = folder_within(root, parent_path, links)?;
    if let Ok(target) = readlinkat(&parent, name) {
        let left = links.checked_sub(1).ok_or(Errno::ELOOP)?;
        return place_within(root, &parent_path.join(target), kind, left);
    }
    match kind {
        Kind::Folder => make_folder(parent.as_fd(), Path::new(name))?,
        Kind::File => {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            openat(&parent, name, flags | OFlag::O_WRONLY, Mode::from_bits_truncate(0o644))?;
        }
    }
    Ok(open_in_root(root, path, OFlag::O_PATH)?)
}

fn folder_within(root: BorrowedFd<'_>, path: &Path, links: u32) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    match open_in_root(root, path, flags) {
        Err(Errno::ENOENT) => {}
        done => return Ok(done?),
    }
    let mut so_far = PathBuf::from("/");
    let mut here = open_in_root(root, &so_far, flags)?;
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                let parent = so_far.clone();
                so_far.push(name);
                here = match open_in_root(root, &so_far, flags) {
                    Err(Errno::ENOENT) => {
                        if let Ok(target) = readlinkat(&here, name) {
                            let left = links.checked_sub(1).ok_or(Errno::ELOOP)?;
                            folder_within(root, &parent.join(target), left)?
                        } else {
                            make_folder(here.as_fd(), Path::new(name))?;
                            open_in_root(root, &so_far, flags)?
                        }
                    }
                    done => done?,
                };
            }
            Component::ParentDir => {
                so_far.pop();
                here = open_in_root(root, &so_far, flags)?;
            }
            _ => {}
        }
    }
    Ok(here)
}

fn make_folder(parent: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    match mkdirat(parent, name, Mode::from_bits_truncate(0o755)) {
        Err(Errno::EEXIST) | Ok(()) => Ok(()),
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
        // The absolute link names a folder that the root does not have: it is made there.
        place(root.as_fd(), Path::new("/absolute/made"), Kind::Folder).expect("made");
        assert!(!outer.path().join("made").exists());
        let inner = outer.path().strip_prefix("/").expect("absolute");
        assert!(root_path.join(inner).join("made").is_dir());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_made_to_lead_somewhere() {
        let root_path = tempfile::tempdir().expect("folder");
        fs::create_dir(root_path.path().join("etc")).expect("etc");
        symlink("../run/resolve/stub.conf", root_path.path().join("etc/resolv.conf")).expect("link");
        symlink("loop", root_path.path().join("loop")).expect("link");
        let root = fs::File::open(root_path.path()).expect("open");
        place(root.as_fd(), Path::new("/etc/resolv.conf"), Kind::File).expect("made");
        assert!(root_path.path().join("run/resolve/stub.conf").is_file());
        assert!(place(root.as_fd(), Path::new("/loop"), Kind::File).is_err());
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
