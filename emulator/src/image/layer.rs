//! Unpacking a layer: untrusted paths, links and sizes stay inside its folder; whiteouts become overlayfs' own.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, open},
    sys::stat::{FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmodat, makedev, mkdirat, mknodat, utimensat},
    sys::time::TimeSpec,
    unistd::{Gid, LinkatFlags, Uid, UnlinkatFlags, fchownat, linkat, symlinkat, unlinkat},
};
use tar::{Entry, EntryType};

use super::{budget::Budget, headers::Headers};
use crate::scoped_open::open_in_root;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// Other notes that aufs left for itself; they are no part of the image.
const NOTE: &str = ".wh..wh.";

/// Folders that an archive takes for granted have this mode.
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o755);

/// Unpacks the tar stream into the empty folder `target`.
///
/// # Errors
/// What the disk says, what is wrong with an entry, by its name, or that the image's budget is spent.
pub(super) fn unpack(stream: impl Read, target: &Path, budget: &mut Budget) -> io::Result<()> {
    let root = open(
        target,
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    let mut unpacker = Unpacker {
        root,
        owners: nix::unistd::geteuid().is_root(),
        budget,
    };
    let headers = Headers::default();
    let mut archive = tar::Archive::new(headers.of(stream));
    let mut entries = archive.entries()?;
    // A folder's own mode and time are set last: making files in it needs the one and changes the other.
    let mut folders = Vec::new();
    while let Some(entry) = headers.next(|| entries.next()) {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let named = |error: io::Error| match error.raw_os_error() {
            // A full disk stays recognisable.
            Some(_) => error,
            None => io::Error::new(error.kind(), format!("{}: {error}", path.display())),
        };
        // A sparse file is larger unpacked than what of it is in the stream.
        unpacker.budget.spend(entry.size())?;
        if let Some(folder) = unpacker.entry(&mut entry, &path).map_err(named)? {
            let header = entry.header();
            folders.push((folder, header.mode()?, header.mtime().unwrap_or(0)));
        }
        // What nobody wanted of its content is no header of the next one.
        io::copy(&mut entry, &mut io::sink())?;
    }
    for (folder, mode, mtime) in folders {
        unpacker.finish_folder(&folder, Mode::from_bits_truncate(mode), mtime)?;
    }
    Ok(())
}

struct Unpacker<'a> {
    root: OwnedFd,
    /// Whether owners can be set.
    owners: bool,
    budget: &'a mut Budget,
}

impl Unpacker<'_> {
    /// Makes one entry; returns its path where it is a folder.
    fn entry(&mut self, entry: &mut Entry<'_, impl Read>, path: &Path) -> io::Result<Option<PathBuf>> {
        self.budget.count()?;
        let path = inside(path)?;
        let kind = entry.header().entry_type();
        if path.as_os_str().is_empty() {
            // The root itself: it is there, its mode is the image's.
            return Ok((kind == EntryType::Directory).then_some(path));
        }
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(None);
        }
        let (parent, name) = self.parent(&path)?;
        let base = name.to_string_lossy().into_owned();
        if base == OPAQUE {
            return self.opaque(path.parent().unwrap_or(Path::new(""))).map(|()| None);
        }
        if base.starts_with(NOTE) {
            return Ok(None);
        }
        if let Some(hidden) = base.strip_prefix(WHITEOUT) {
            // `.wh...` would hide, and so remove, the folder above.
            if matches!(hidden, "" | "." | "..") {
                return Err(io::Error::other("its path leads out of the image"));
            }
            remove(&parent, Path::new(hidden))?;
            mknodat(&parent, Path::new(hidden), SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?;
            return Ok(None);
        }
        let header = entry.header();
        let mode = Mode::from_bits_truncate(header.mode()?);
        let (uid, gid) = (header.uid()?, header.gid()?);
        let mtime = header.mtime().unwrap_or(0);
        if !matches!(kind, EntryType::Directory) {
            remove(&parent, &name)?;
        }
        match kind {
            EntryType::Directory => match mkdirat(&parent, &name, Mode::S_IRWXU) {
                Err(Errno::EEXIST) => {
                    if !self.is_folder(&parent, &name) {
                        remove(&parent, &name)?;
                        mkdirat(&parent, &name, Mode::S_IRWXU)?;
                    }
                }
                made => made?,
            },
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let file = nix::fcntl::openat(&parent, &name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
                fill(&mut File::from(file), entry)?;
            }
            EntryType::Symlink => {
                let target = entry
                    .link_name()?
                    .ok_or_else(|| io::Error::other("a symbolic link without a target"))?;
                symlinkat(target.as_ref(), &parent, &name)?;
            }
            EntryType::Link => {
                let target = entry
                    .link_name()?
                    .ok_or_else(|| io::Error::other("a link without a target"))?;
                let (from, from_name) = self.parent(&inside(&target)?)?;
                // Not through a symbolic link: the link itself is linked to.
                linkat(&from, &from_name, &parent, &name, LinkatFlags::empty())?;
                return Ok(None);
            }
            EntryType::Fifo => mknodat(&parent, &name, SFlag::S_IFIFO, Mode::S_IRUSR | Mode::S_IWUSR, 0)?,
            EntryType::Char | EntryType::Block => {
                let (major, minor) = (header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0));
                let kind = if kind == EntryType::Char {
                    SFlag::S_IFCHR
                } else {
                    SFlag::S_IFBLK
                };
                let device = makedev(major.into(), minor.into());
                match mknodat(&parent, &name, kind, Mode::S_IRUSR | Mode::S_IWUSR, device) {
                    // Without root of the machine there are no devices; a container's own come from the runtime.
                    Err(Errno::EPERM) => return Ok(None),
                    made => made?,
                }
            }
            other => return Err(io::Error::other(format!("entries of type {other:?} are not supported"))),
        }
        if self.owners {
            let (uid, gid) = (u32::try_from(uid).unwrap_or(0), u32::try_from(gid).unwrap_or(0));
            match fchownat(
                &parent,
                &name,
                Some(Uid::from_raw(uid)),
                Some(Gid::from_raw(gid)),
                AtFlags::AT_SYMLINK_NOFOLLOW,
            ) {
                // In a user namespace with one user, everything belongs to that user.
                Err(Errno::EINVAL | Errno::EPERM) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if kind != EntryType::Symlink {
            self.extended_attributes(entry, &path)?;
            // After the owner: changing that takes the set-user-ID bit away. The name is no symbolic link: it was made above.
            if kind == EntryType::Directory {
                return Ok(Some(path));
            }
            set_mode(&parent, &name, mode)?;
        }
        set_time(&parent, &name, mtime)?;
        Ok(None)
    }

    /// The folder that `path` is in, opened without leaving the root, made where it is missing; and the last name.
    fn parent(&mut self, path: &Path) -> io::Result<(OwnedFd, PathBuf)> {
        let name = path.file_name().ok_or_else(|| io::Error::other("it has no name"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut so_far = PathBuf::new();
        let mut opened = self.root.try_clone()?;
        for part in folder.components() {
            so_far.push(part);
            opened = match self.open(&so_far) {
                Err(Errno::ENOENT) => {
                    self.budget.count()?;
                    make_folder(&opened, Path::new(part.as_os_str()))?;
                    self.open(&so_far)?
                }
                other => other?,
            };
        }
        Ok((opened, name.into()))
    }

    /// A folder below the root; symbolic links are followed as if the root were `/`.
    fn open(&self, path: &Path) -> Result<OwnedFd, Errno> {
        open_in_root(&self.root, path, OFlag::O_PATH | OFlag::O_DIRECTORY)
    }

    /// Gives a folder the mode and time of its entry. A later entry may have replaced it; then there is nothing to do.
    fn finish_folder(&mut self, folder: &Path, mode: Mode, mtime: u64) -> io::Result<()> {
        let (parent, name) = match folder.as_os_str().is_empty() {
            true => (self.root.try_clone()?, PathBuf::from(".")),
            false => match self.parent(folder) {
                Ok(found) => found,
                Err(_) => return Ok(()),
            },
        };
        if self.is_folder(&parent, &name) {
            set_mode(&parent, &name, mode)?;
            set_time(&parent, &name, mtime)?;
        }
        Ok(())
    }

    fn is_folder(&self, parent: &OwnedFd, name: &Path) -> bool {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        nix::fcntl::openat(parent, name, flags, Mode::empty()).is_ok()
    }

    /// Hides what lower layers have in a folder.
    fn opaque(&mut self, folder: &Path) -> io::Result<()> {
        let (parent, name) = match folder.as_os_str().is_empty() {
            true => (self.root.try_clone()?, PathBuf::from(".")),
            false => self.parent(folder)?,
        };
        match make_folder(&parent, &name) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            made => made?,
        }
        // Only root of the machine may set the first; overlayfs in a user namespace reads the second.
        if set_attribute(&parent, &name, "trusted.overlay.opaque", b"y").is_err() {
            set_attribute(&parent, &name, "user.overlay.opaque", b"y")?;
        }
        Ok(())
    }

    fn extended_attributes(&mut self, entry: &mut Entry<'_, impl Read>, path: &Path) -> io::Result<()> {
        let mut attributes = Vec::new();
        if let Some(extensions) = entry.pax_extensions()? {
            for extension in extensions {
                let extension = extension?;
                let name = extension.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr."));
                // overlayfs' own attributes are not an image's to set.
                if let Some(name) = name.filter(|name| !name.contains("overlay.")) {
                    attributes.push((name.to_owned(), extension.value_bytes().to_vec()));
                }
            }
        }
        if attributes.is_empty() {
            return Ok(());
        }
        let (parent, name) = self.parent(path)?;
        for (attribute, value) in attributes {
            match set_attribute(&parent, &name, &attribute, &value) {
                // In a user namespace, or on a filesystem without them: the file works without its attribute.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOTSUP)) => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// A path that stays inside: no root, no `..`.
fn inside(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::other("its path leads out of the image"));
            }
        }
    }
    Ok(clean)
}

/// A folder that everybody may enter, whatever the process's umask.
fn make_folder(parent: &OwnedFd, name: &Path) -> io::Result<()> {
    mkdirat(parent, name, FOLDER_MODE)?;
    set_mode(parent, name, FOLDER_MODE)
}

/// Writes a file's content; what is zero all over takes no place on the disk.
fn fill(file: &mut File, content: &mut impl Read) -> io::Result<()> {
    let mut block = vec![0; 64 << 10];
    loop {
        match content.read(&mut block)? {
            0 => break,
            count if block[..count].iter().all(|byte| *byte == 0) => {
                file.seek(SeekFrom::Current(i64::try_from(count).map_err(io::Error::other)?))?;
            }
            count => file.write_all(&block[..count])?,
        }
    }
    let length = file.stream_position()?;
    file.set_len(length)
}

/// `name` is no symbolic link: it was made, or looked at, just now.
fn set_mode(parent: &OwnedFd, name: &Path, mode: Mode) -> io::Result<()> {
    Ok(fchmodat(parent, name, mode, FchmodatFlags::FollowSymlink)?)
}

/// Takes away whatever has the name.
fn remove(parent: &OwnedFd, name: &Path) -> io::Result<()> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EISDIR | Errno::EPERM) => {
            let path = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
            std::fs::remove_dir_all(path)
        }
        Err(error) => Err(error.into()),
    }
}

fn set_time(parent: &OwnedFd, name: &Path, seconds: u64) -> io::Result<()> {
    let time = TimeSpec::new(i64::try_from(seconds).unwrap_or(0), 0);
    Ok(utimensat(
        parent.as_fd(),
        name,
        &time,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )?)
}

fn set_attribute(parent: &OwnedFd, name: &Path, attribute: &str, value: &[u8]) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
    let nul = |_| io::Error::other("a name with a NUL byte");
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(nul)?;
    let attribute = std::ffi::CString::new(attribute).map_err(nul)?;
    // SAFETY: both strings end in NUL, and `value` is valid for the length that is passed with it.
    let result = unsafe { libc::lsetxattr(path.as_ptr(), attribute.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn archive(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(if *kind == EntryType::Directory { 0o755 } else { 0o644 });
            let owner = nix::unistd::geteuid().as_raw();
            header.set_uid(owner.into());
            header.set_gid(nix::unistd::getegid().as_raw().into());
            // Written past the checks of the builder, as an attacker would.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name_literal(content).unwrap();
                header.set_size(0);
                header.set_cksum();
                builder.append(&header, io::empty()).unwrap();
            } else {
                header.set_size(content.len() as u64);
                header.set_cksum();
                builder.append(&header, content.as_bytes()).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    use EntryType::{Directory, Link, Regular, Symlink};

    #[test]
    fn files_folders_and_links_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = archive(&[
            (Directory, "bin", ""),
            (Regular, "bin/tool", "x"),
            (Symlink, "sbin", "/bin"),
            (Regular, "sbin/other", "y"),
            (Link, "bin/same", "bin/tool"),
            (Regular, "bin/tool", "new"),
        ]);
        unpack(&bytes[..], folder.path(), &mut Budget::default()).unwrap();
        let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
        assert_eq!(read("bin/tool"), "new");
        assert_eq!(read("bin/same"), "x");
        assert_eq!(read("bin/other"), "y");
    }

    #[test]
    fn nothing_leaves_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "old").unwrap();
        let target = outside.path().join("layer");
        let out = outside.path().to_str().unwrap();
        let absolute = format!("{out}/secret");
        for entries in [
            vec![(Regular, "../secret", "new")],
            vec![(Symlink, "out", out), (Regular, "out/secret", "new")],
            vec![(Symlink, "up", ".."), (Regular, "up/secret", "new")],
            vec![(Symlink, "secret", absolute.as_str()), (Regular, "secret", "new")],
            vec![(Link, "mine", "../secret")],
            vec![(Symlink, "out", out), (Link, "mine", "out/secret")],
            vec![(Symlink, "out", out), (Regular, "out/.wh.secret", "")],
            vec![(Regular, absolute.as_str(), "new")],
            vec![(Regular, ".wh...", "")],
            vec![
                (Directory, "a", ""),
                (Regular, "a/.wh..", ""),
                (Regular, "a/.wh...", ""),
            ],
            vec![(Symlink, "up", ".."), (Regular, "up/.wh..wh..opq", "")],
            vec![
                (Symlink, "up", ".."),
                (Directory, "up", ""),
                (Regular, "up/secret", "new"),
            ],
        ] {
            fs::create_dir(&target).unwrap();
            let outcome = unpack(&archive(&entries)[..], &target, &mut Budget::default());
            assert_eq!(
                fs::read_to_string(outside.path().join("secret")).unwrap(),
                "old",
                "{entries:?} {outcome:?}"
            );
            let mine = target.join("mine");
            assert!(
                fs::read_to_string(mine).map_or(true, |text| text != "old"),
                "{entries:?}"
            );
            fs::remove_dir_all(&target).unwrap();
        }
    }

    #[test]
    fn folders_get_their_modes_though_files_are_made_in_them_later() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        for (name, mode) in [("./", 0o711), ("closed/", 0o555), ("tmp/", 0o1777)] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(Directory);
            header.set_mode(mode);
            header.set_uid(nix::unistd::geteuid().as_raw().into());
            header.set_gid(nix::unistd::getegid().as_raw().into());
            header.set_size(0);
            builder.append_data(&mut header, name, io::empty()).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o4755);
        header.set_uid(nix::unistd::geteuid().as_raw().into());
        header.set_gid(nix::unistd::getegid().as_raw().into());
        builder.append_data(&mut header, "closed/deep/su", io::empty()).unwrap();
        unpack(
            &builder.into_inner().unwrap()[..],
            folder.path(),
            &mut Budget::default(),
        )
        .unwrap();
        let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("."), mode("closed"), mode("tmp")), (0o711, 0o555, 0o1777));
        assert_eq!((mode("closed/deep"), mode("closed/deep/su")), (0o755, 0o4755));
    }

    #[test]
    fn a_sparse_file_cannot_be_larger_than_a_layer() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::GNUSparse);
        header.set_path("bomb").unwrap();
        header.set_mode(0o644);
        header.set_size(0);
        // 4 EiB, as tar writes large numbers.
        let size = [0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0];
        let gnu = header.as_gnu_mut().unwrap();
        gnu.realsize = size;
        gnu.sparse[0].offset = size;
        gnu.sparse[0].numbytes = *b"00000000000\0";
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, io::empty()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let refused = unpack(
            &builder.into_inner().unwrap()[..],
            folder.path(),
            &mut Budget::default(),
        )
        .unwrap_err();
        assert!(refused.to_string().contains("more than an image may have"), "{refused}");
    }

    #[test]
    fn a_file_counts_with_those_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = archive(&[(Regular, "a", "123456"), (Regular, "b", "123456")]);
        unpack(&bytes[..], folder.path(), &mut Budget::of(12)).unwrap();
        let refused = unpack(&bytes[..], folder.path(), &mut Budget::of(11)).unwrap_err();
        assert!(refused.to_string().contains("more than an image may have"), "{refused}");
    }

    #[test]
    fn what_is_zero_all_over_takes_no_place() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let zeros = "\0".repeat(1 << 20);
        unpack(
            &archive(&[(Regular, "a", &zeros), (Regular, "b", "x\0")])[..],
            folder.path(),
            &mut Budget::default(),
        )
        .unwrap();
        let metadata = fs::metadata(folder.path().join("a")).unwrap();
        assert_eq!((metadata.len(), metadata.blocks()), (1 << 20, 0));
        assert_eq!(fs::read(folder.path().join("b")).unwrap(), b"x\0");
    }

    #[test]
    fn a_name_without_end_is_not_read_into_memory() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_cksum();
        let stream = header.as_bytes().chain(io::repeat(b'x'));
        let folder = tempfile::tempdir().unwrap();
        let refused = unpack(stream, folder.path(), &mut Budget::default()).unwrap_err();
        assert!(refused.to_string().contains("too long"), "{refused}");
    }

    #[test]
    fn content_that_nobody_wants_is_no_header() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(2 << 20);
        let bytes = archive(&[(Directory, "d", &long), (Regular, "d/f", "y")]);
        unpack(&bytes[..], folder.path(), &mut Budget::default()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("d/f")).unwrap(), "y");
    }

    #[test]
    fn a_whiteout_hides_a_file_of_a_lower_layer() {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        let folder = tempfile::tempdir().unwrap();
        unpack(
            &archive(&[(Directory, "etc", ""), (Regular, "etc/.wh.passwd", "")])[..],
            folder.path(),
            &mut Budget::default(),
        )
        .unwrap();
        let metadata = fs::symlink_metadata(folder.path().join("etc/passwd")).unwrap();
        assert!(metadata.file_type().is_char_device());
        assert_eq!(metadata.rdev(), 0);
    }
}
