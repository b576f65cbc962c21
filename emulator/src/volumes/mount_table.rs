//! What is mounted below a folder, asked of the kernel: the truth even after a crash.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Makes `folder` a mount whose later mounts are seen by namespaces that are copied from now on.
#[cfg(target_os = "linux")]
pub(super) fn share(folder: &Path) -> io::Result<()> {
    use nix::mount::{MsFlags, mount};
    let folder = folder.canonicalize()?;
    if !is_mounted(&folder)? {
        mount(Some(&folder), &folder, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    }
    Ok(mount(
        None::<&str>,
        &folder,
        None::<&str>,
        MsFlags::MS_SHARED,
        None::<&str>,
    )?)
}

/// Unmounts everything at and below `folder`, deepest first. What is in use goes when it no longer is.
#[cfg(target_os = "linux")]
pub(super) fn unmount_below(folder: &Path) -> io::Result<()> {
    use nix::mount::{MntFlags, umount2};
    let Ok(folder) = folder.canonicalize() else {
        return Ok(());
    };
    for path in mounted()?.into_iter().rev().filter(|path| path.starts_with(&folder)) {
        match umount2(&path, MntFlags::MNT_DETACH) {
            // It went with one that it was mounted in.
            Ok(()) | Err(nix::Error::EINVAL) => {}
            Err(error) => return Err(io::Error::other(format!("cannot unmount {}: {error}", path.display()))),
        }
    }
    Ok(())
}

/// Whether something is mounted at `folder`.
#[cfg(target_os = "linux")]
pub(crate) fn is_mounted(folder: &Path) -> io::Result<bool> {
    Ok(mounted()?.contains(&folder.canonicalize()?))
}

/// Every mount point, in the order of mounting.
#[cfg(target_os = "linux")]
fn mounted() -> io::Result<Vec<PathBuf>> {
    Ok(points(&std::fs::read("/proc/self/mountinfo")?))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn share(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn unmount_below(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The fifth field of each line of mountinfo (proc_pid_mountinfo(5)); white space in it is written in octal.
#[cfg(target_os = "linux")]
fn points(mountinfo: &[u8]) -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let lines = mountinfo.split(|byte| *byte == b'\n');
    let field = |line: &[u8]| line.split(|byte| *byte == b' ').nth(4).map(<[u8]>::to_vec);
    lines
        .filter_map(field)
        .map(|path| PathBuf::from(std::ffi::OsString::from_vec(unescaped(&path))))
        .collect()
}

#[cfg(target_os = "linux")]
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| after.get(..3)).flatten();
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(code) => {
                out.push(code);
                rest = &after[3..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_white_space() {
        let text = b"22 1 254:0 / / rw - ext4 /dev/vda rw\n23 22 0:5 / /mnt/a\\040b rw - tmpfs tmpfs rw\n";
        assert_eq!(points(text), [PathBuf::from("/"), PathBuf::from("/mnt/a b")]);
    }
}
