//! Layers of an image as one tree (the kernel's `Documentation/filesystems/overlayfs.rst`).

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::mount_tree::attach_mapped;

/// The lower layers of a mount. They are named by descriptors, which keeps the options short however many layers there
/// are, and free of characters that would end a word.
pub(crate) struct Lower(Vec<File>);

impl Lower {
    /// Opens layers, the lowest first.
    ///
    /// # Errors
    /// A layer that is not there.
    pub(crate) fn open(layers: &[PathBuf]) -> io::Result<Self> {
        layers.iter().rev().map(File::open).collect::<io::Result<_>>().map(Self)
    }

    /// Mounts them; `more` are further options, as `upperdir=…`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn mount(&self, target: &Path, flags: MsFlags, more: &str) -> io::Result<()> {
        let path_of = |layer: &File| format!("/proc/self/fd/{}", layer.as_raw_fd());
        let paths: Vec<String> = self.0.iter().map(path_of).collect();
        let mut options = format!("lowerdir={}{more}", paths.join(":"));
        if in_user_namespace() {
            options.push_str(",userxattr");
        }
        Ok(mount(
            Some("overlay"),
            target,
            Some("overlay"),
            flags,
            Some(options.as_str()),
        )?)
    }
}

/// Mounts layers, the lowest first, so that nobody can write, with the IDs of a user namespace if one is given. `spare` is a folder for the layers that the kernel wants
/// where there is none to write on: two at least.
///
/// # Errors
/// What the kernel says.
pub(crate) fn read_only(
    layers: &[PathBuf],
    namespace: Option<&OwnedFd>,
    spare: &Path,
    target: &Path,
) -> io::Result<()> {
    let mut lower = layers.to_vec();
    while lower.len() < 2 {
        let empty = spare.join(lower.len().to_string());
        fs::create_dir_all(&empty)?;
        lower.insert(0, empty);
    }
    let show = |lower: &[PathBuf]| Lower::open(lower)?.mount(target, MsFlags::MS_RDONLY | MsFlags::MS_NODEV, "");
    let Some(namespace) = namespace else {
        return show(&lower);
    };
    let places = spare.join("mapped");
    fs::create_dir_all(&places)?;
    let shown = mapped(&lower, namespace.as_fd(), &places).and_then(|lower| show(&lower));
    // The overlay holds what it is made of.
    umount2(&places, MntFlags::MNT_DETACH)?;
    shown
}

/// Layers once more, with the IDs of a user namespace: each below `folder`, which is covered with what holds them.
///
/// # Errors
/// What the kernel says.
pub(crate) fn mapped(layers: &[PathBuf], namespace: BorrowedFd<'_>, folder: &Path) -> io::Result<Vec<PathBuf>> {
    mount(
        Some("layers"),
        folder,
        Some("tmpfs"),
        MsFlags::MS_NODEV,
        Some("mode=700"),
    )?;
    let mapped = |(number, layer): (usize, &PathBuf)| {
        let place = folder.join(number.to_string());
        fs::create_dir(&place)?;
        attach_mapped(layer, &place, namespace)?;
        Ok(place)
    };
    layers.iter().enumerate().map(mapped).collect()
}

/// This process is root of less than the whole machine.
pub(crate) fn in_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_ascii_whitespace().ne(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_one_tree_that_nobody_can_write() {
        if !nix::unistd::geteuid().is_root() {
            return; // Mounting takes root.
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (layer, file) in [("low", "a"), ("low", "b"), ("high", "b")] {
            fs::create_dir_all(path(layer)).unwrap();
            fs::write(path(layer).join(file), layer).unwrap();
        }
        let target = path("target");
        fs::create_dir(&target).unwrap();
        for (layers, files) in [
            (vec![path("low"), path("high")], vec![("a", "low"), ("b", "high")]),
            (vec![path("high")], vec![("b", "high")]),
            (vec![], vec![]),
        ] {
            read_only(&layers, None, &path("spare"), &target).unwrap();
            let names = fs::read_dir(&target).unwrap().count();
            assert_eq!(names, files.len());
            for (file, words) in files {
                assert_eq!(fs::read_to_string(target.join(file)).unwrap(), words);
            }
            let refused = fs::write(target.join("new"), "").unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::EROFS));
            nix::mount::umount(&target).unwrap();
        }
    }
}
