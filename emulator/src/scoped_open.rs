//! Opening a path without leaving a folder, whatever symbolic links say (`openat2(2)`).

use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
};

/// How often the kernel is asked. It answers `EAGAIN` to a path with a `..` whenever a rename or a mount anywhere on the
/// machine comes between, which a container can bring about at will: an end is needed. libpathrs sees one open in a
/// thousand fail after 128 times while somebody does nothing but rename.
const MOST_TRIES: u32 = 1024;

/// Opens `path` as if `folder` were the root directory: links and `..` stay within it.
///
/// # Errors
/// What the kernel says.
pub(crate) fn open_in_root(folder: impl AsFd, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    scoped(folder, path, flags, ResolveFlag::RESOLVE_IN_ROOT)
}

/// Opens `path` below `folder`.
///
/// # Errors
/// `EXDEV` where a link or `..` leads out of it; what else the kernel says.
pub(crate) fn open_beneath(folder: impl AsFd, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    scoped(folder, path, flags, ResolveFlag::RESOLVE_BENEATH)
}

fn scoped(folder: impl AsFd, path: &Path, flags: OFlag, scope: ResolveFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(scope | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let mut tries = 1;
    loop {
        match openat2(&folder, path, how) {
            Err(Errno::EAGAIN) if tries < MOST_TRIES => tries += 1,
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;

    #[test]
    fn renames_elsewhere_do_not_get_in_the_way() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let [from, to] = ["from", "to"].map(|name| elsewhere.path().join(name));
        fs::create_dir(&from).unwrap();
        let root = File::open(folder.path()).unwrap();
        let path = "a/b/../../".repeat(20) + "file";
        let renamed = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..100_000 {
                    fs::rename(&from, &to).unwrap();
                    fs::rename(&to, &from).unwrap();
                }
                renamed.store(true, Ordering::Relaxed);
            });
            while !renamed.load(Ordering::Relaxed) {
                open_in_root(&root, Path::new(&path), OFlag::O_PATH).unwrap();
            }
        });
    }
}
