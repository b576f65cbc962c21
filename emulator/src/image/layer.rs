//! Unpacking a layer: untrusted paths, links and sizes stay inside its folder; whiteouts become overlayfs' own.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, open},
    sys::stat::{Mode, SFlag, makedev, mkdirat, mknodat},
    unistd::{Gid, LinkatFlags, Uid, fchownat, linkat, symlinkat},
};
use tar::{Entry, EntryType};

use super::{
    at::{fill, make_folder, remove, set_attribute, set_mode, set_time},
    budget::Budget,
    headers::Headers,
};
use crate::scoped_open::open_in_root;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// Other notes that aufs left for itself; they are no part of the image.
const NOTE: &str = ".wh..wh.";

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

#[cfg(test)]
mod tests;
