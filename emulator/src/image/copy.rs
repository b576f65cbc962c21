//! A folder of an image, copied out of its layers.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::AT_FDCWD,
    sys::{
        stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat},
        time::TimeSpec,
    },
};

use super::at::fill;

/// The first name of each file that has several, by device and inode.
type Links = HashMap<(u64, u64), PathBuf>;

/// Copies a folder's content, owner, mode, times and attributes to an empty one (continuity's `fs.CopyDir`). Nobody may
/// change the source meanwhile.
///
/// # Errors
/// What the disk says.
pub(crate) fn copy_folder(source: &Path, target: &Path) -> io::Result<()> {
    copy_into(source, target, &mut Links::new())
}

fn copy_into(source: &Path, target: &Path, links: &mut Links) -> io::Result<()> {
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let (from, to, data) = (entry.path(), target.join(entry.file_name()), entry.metadata()?);
        let inode = (data.dev(), data.ino());
        if data.is_dir() {
            fs::create_dir(&to)?;
            copy_into(&from, &to, links)?;
        } else if let Some(first) = links.get(&inode) {
            fs::hard_link(first, &to)?;
        } else if copy_file(&data, &from, &to)? {
            copy_attributes(&data, &from, &to)?;
            if data.nlink() > 1 {
                links.insert(inode, to);
            }
        }
    }
    // Last, for a folder's time changes with what is put into it.
    copy_attributes(&fs::metadata(source)?, source, target)
}

/// Copies what is no folder; false for a device where there are none to be made.
fn copy_file(data: &Metadata, from: &Path, to: &Path) -> io::Result<bool> {
    if data.is_file() {
        fill(&mut File::create_new(to)?, &mut File::open(from)?)?;
    } else if data.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else {
        let kind = SFlag::from_bits_truncate(data.mode() & libc::S_IFMT);
        match mknod(to, kind, Mode::S_IRUSR | Mode::S_IWUSR, data.rdev()) {
            // Without root of the machine there are no devices, as when the image was unpacked.
            Err(nix::errno::Errno::EPERM) => return Ok(false),
            made => made?,
        }
    }
    Ok(true)
}

fn copy_attributes(data: &Metadata, from: &Path, to: &Path) -> io::Result<()> {
    match lchown(to, Some(data.uid()), Some(data.gid())) {
        // In a user namespace with one user, everything belongs to that user.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM)) => {}
        done => done?,
    }
    if !data.is_symlink() {
        for name in xattr::list(from)?.filter(|name| name != "security.selinux") {
            let value = xattr::get(from, &name)?.unwrap_or_default();
            match xattr::set(to, &name, &value) {
                // In a user namespace, or on a filesystem without them: the file works without its attribute.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOTSUP)) => {}
                done => done?,
            }
        }
        // After the owner: changing that takes the set-user-ID bit away.
        fs::set_permissions(to, fs::Permissions::from_mode(data.mode() & 0o7777))?;
    }
    let accessed = TimeSpec::new(data.atime(), data.atime_nsec());
    let modified = TimeSpec::new(data.mtime(), data.mtime_nsec());
    Ok(utimensat(
        AT_FDCWD,
        to,
        &accessed,
        &modified,
        UtimensatFlags::NoFollowSymlink,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_copied_with_modes_times_and_links() {
        let outer = tempfile::tempdir().unwrap();
        let (source, target) = (outer.path().join("source"), outer.path().join("target"));
        fs::create_dir_all(source.join("closed/deep")).unwrap();
        fs::create_dir(&target).unwrap();
        fs::write(source.join("closed/file"), "content").unwrap();
        fs::hard_link(source.join("closed/file"), source.join("same")).unwrap();
        symlink("/nowhere", source.join("link")).unwrap();
        mknod(&source.join("pipe"), SFlag::S_IFIFO, Mode::S_IRUSR, 0).unwrap();
        xattr::set(source.join("same"), "user.note", b"kept").unwrap();
        for (path, mode) in [
            ("closed", 0o750),
            ("closed/deep", 0o1777),
            ("same", 0o4755),
            ("", 0o700),
        ] {
            fs::set_permissions(source.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        let past = TimeSpec::new(1_000_000, 5);
        for path in ["closed/deep", "closed", "link", ""] {
            utimensat(
                AT_FDCWD,
                &source.join(path),
                &past,
                &past,
                UtimensatFlags::NoFollowSymlink,
            )
            .unwrap();
        }
        copy_folder(&source, &target).unwrap();
        let data = |path: &str| fs::symlink_metadata(target.join(path)).unwrap();
        for path in ["", "closed", "closed/deep", "closed/file", "same", "link", "pipe"] {
            let original = fs::symlink_metadata(source.join(path)).unwrap();
            assert_eq!(data(path).mode(), original.mode(), "{path}");
            assert_eq!((data(path).uid(), data(path).gid()), (original.uid(), original.gid()));
            assert_eq!(data(path).modified().unwrap(), original.modified().unwrap(), "{path}");
        }
        assert_eq!(fs::read(target.join("same")).unwrap(), b"content");
        assert_eq!(data("same").ino(), data("closed/file").ino());
        assert_eq!(fs::read_link(target.join("link")).unwrap(), Path::new("/nowhere"));
        assert_eq!(
            xattr::get(target.join("closed/file"), "user.note").unwrap().unwrap(),
            b"kept"
        );
    }
}
