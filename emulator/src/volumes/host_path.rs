//! `hostPath`: a path of the node, checked by its type (`pkg/volume/hostpath`).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Checks the path, and makes it where the type says so.
///
/// # Errors
/// The kubelet's sentence.
pub(super) fn check(path: &str, kind: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    let failed = |what: &str| Err(format!("hostPath type check failed: {} is not {what}", path.display()));
    let make = |outcome: io::Result<()>| outcome.map_err(|error| format!("cannot make {}: {error}", path.display()));
    match kind {
        "" => {}
        "DirectoryOrCreate" => {
            if !path.exists() {
                make(fs::create_dir_all(&path))?;
            }
            if !path.is_dir() {
                return failed("a directory");
            }
        }
        "FileOrCreate" => {
            if !path.exists() {
                make(fs::File::create(&path).map(drop))?;
            }
            if !path.is_file() {
                return failed("a file");
            }
        }
        "Directory" if !path.is_dir() => return failed("a directory"),
        "File" if !path.is_file() => return failed("a file"),
        "Socket" if !is(&path, Special::Socket) => return failed("a socket file"),
        "CharDevice" if !is(&path, Special::Character) => return failed("a character device"),
        "BlockDevice" if !is(&path, Special::Block) => return failed("a block device"),
        _ => {}
    }
    if kind.is_empty() && !path.exists() {
        // As container runtimes do for a source that is missing.
        make(fs::create_dir_all(&path))?;
    }
    Ok(path)
}

enum Special {
    Socket,
    Character,
    Block,
}

#[cfg(unix)]
fn is(path: &Path, special: Special) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|metadata| match special {
        Special::Socket => metadata.file_type().is_socket(),
        Special::Character => metadata.file_type().is_char_device(),
        Special::Block => metadata.file_type().is_block_device(),
    })
}

#[cfg(not(unix))]
fn is(_: &Path, _: Special) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_takes_what_it_names_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("file"), "").unwrap();
        assert!(check(&at("file"), "File").is_ok());
        assert_eq!(
            check(&at("file"), "Directory").unwrap_err(),
            format!("hostPath type check failed: {} is not a directory", at("file"))
        );
        assert!(
            check(&at("missing"), "File")
                .unwrap_err()
                .ends_with("missing is not a file")
        );
        assert!(check(&at("made"), "DirectoryOrCreate").unwrap().is_dir());
        assert!(check(&at("made-file"), "FileOrCreate").unwrap().is_file());
        assert!(check("/dev/null", "CharDevice").is_ok());
        assert!(
            check("/dev/null", "Socket")
                .unwrap_err()
                .ends_with("/dev/null is not a socket file")
        );
    }
}
