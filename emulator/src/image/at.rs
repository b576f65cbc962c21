//! What is done to a name in an open folder: whatever links an image has, it stays in that folder.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::stat::{FchmodatFlags, Mode, UtimensatFlags, fchmodat, mkdirat, utimensat},
    sys::time::TimeSpec,
    unistd::{UnlinkatFlags, unlinkat},
};

/// Folders that an archive takes for granted have this mode.
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o755);

/// A folder that everybody may enter, whatever the process's umask.
pub(super) fn make_folder(parent: &OwnedFd, name: &Path) -> io::Result<()> {
    mkdirat(parent, name, FOLDER_MODE)?;
    set_mode(parent, name, FOLDER_MODE)
}

/// Writes a file's content; what is zero all over takes no place on the disk.
pub(super) fn fill(file: &mut File, content: &mut impl Read) -> io::Result<()> {
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
pub(super) fn set_mode(parent: &OwnedFd, name: &Path, mode: Mode) -> io::Result<()> {
    Ok(fchmodat(parent, name, mode, FchmodatFlags::FollowSymlink)?)
}

/// Takes away whatever has the name.
pub(super) fn remove(parent: &OwnedFd, name: &Path) -> io::Result<()> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EISDIR | Errno::EPERM) => {
            let path = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
            std::fs::remove_dir_all(path)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn set_time(parent: &OwnedFd, name: &Path, seconds: u64) -> io::Result<()> {
    let time = TimeSpec::new(i64::try_from(seconds).unwrap_or(0), 0);
    Ok(utimensat(
        parent.as_fd(),
        name,
        &time,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )?)
}

pub(super) fn set_attribute(parent: &OwnedFd, name: &Path, attribute: &str, value: &[u8]) -> io::Result<()> {
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
