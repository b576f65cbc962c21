//! Variables from a file in a volume (`fileKeyRef`, KEP-3721; `pkg/kubelet/util/env`).

use std::{io, path::Path};

use k8s_openapi::api::core::v1::FileKeySelector;

use super::{Subject, config_error};
use crate::kubelet::start_failure::StartFailure;

/// The most of a file that is read, in bytes.
const MOST: u64 = 1 << 20;

/// The value that a key has in its file; none where it is not there and may be missing.
///
/// # Errors
/// A volume or key that is not there, a file that can't be read or is no env file.
pub(super) fn value(subject: &Subject<'_>, source: &FileKeySelector) -> Result<Option<String>, StartFailure> {
    let name = &source.volume_name;
    let volume = subject
        .volumes
        .get(name)
        .ok_or_else(|| config_error(format!("cannot find the volume {name:?} referenced by FileKeyRef")))?;
    let text = read(volume, &source.path).map_err(|_| config_error("couldn't parse env file"))?;
    let found = find(&text, &source.key).map_err(|Malformed| config_error("couldn't parse env file"))?;
    match found.filter(|value| !value.is_empty()) {
        Some(value) => Ok(Some(value)),
        None if source.optional == Some(true) => Ok(None),
        None => {
            let (key, path) = (&source.key, &source.path);
            Err(config_error(format!(
                "environment variable key {key:?} not found in file {path:?}"
            )))
        }
    }
}

/// Reads a file of the volume; links and `..` stay within it.
#[cfg(target_os = "linux")]
fn read(volume: &Path, path: &str) -> io::Result<String> {
    use std::io::Read;

    use nix::{
        fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
        sys::stat::Mode,
    };

    let folder = open(
        volume,
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    let how = OpenHow::new()
        // A pipe that nobody writes to must not hold the kubelet up.
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = std::fs::File::from(openat2(&folder, path, how)?);
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(not(target_os = "linux"))]
fn read(_: &Path, _: &str) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

#[derive(Debug, PartialEq, Eq)]
struct Malformed;

/// The value of a key: `KEY='value'`, where the value may go over several lines and a comment may follow it.
fn find(text: &str, key: &str) -> Result<Option<String>, Malformed> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(None);
        }
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let (name, after) = rest.split_once('=').ok_or(Malformed)?;
        let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
        let quoted = after.strip_prefix('\'').filter(|_| is_name).ok_or(Malformed)?;
        let (value, after) = quoted.split_once('\'').ok_or(Malformed)?;
        let (trailing, next) = after.split_once('\n').unwrap_or((after, ""));
        let trailing = trailing.trim();
        if !trailing.is_empty() && !trailing.starts_with('#') {
            return Err(Malformed);
        }
        if name == key {
            return Ok(Some(value.to_owned()));
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_may_go_over_lines() {
        let text = "# made by init\nHOST='db.internal'\n\nTEXT='two\nlines' # a note\nEMPTY=''\n";
        assert_eq!(find(text, "HOST"), Ok(Some("db.internal".to_owned())));
        assert_eq!(find(text, "TEXT"), Ok(Some("two\nlines".to_owned())));
        assert_eq!(find(text, "EMPTY"), Ok(Some(String::new())));
        assert_eq!(find(text, "OTHER"), Ok(None));
    }

    #[test]
    fn anything_else_is_no_env_file() {
        for text in ["A=bare", "A = 'spaced'", "A='open", "A='x' y", "just words"] {
            assert_eq!(find(text, "A"), Err(Malformed), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_path_does_not_leave_its_volume() {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("volume");
        std::fs::create_dir(&volume).unwrap();
        std::fs::write(folder.path().join("f"), "A='outside'").unwrap();
        std::fs::write(volume.join("f"), "A='inside'").unwrap();
        std::os::unix::fs::symlink("/../f", volume.join("link")).unwrap();
        for path in ["f", "../f", "link"] {
            assert_eq!(read(&volume, path).unwrap(), "A='inside'");
        }
    }
}
