//! `-f`: files, directories, standard input.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::problem::Problem;

/// The endings that kubectl reads in a directory.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A text and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as the user would write it, or `standard input`.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Reads what `-f` names.
///
/// # Errors
/// A path that does not exist or cannot be read; a directory without manifests.
pub fn read(names: &[String], is_recursive: bool) -> Result<Vec<Source>, Problem> {
    let mut sources = Vec::new();
    for name in names {
        if name == "-" {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .map_err(|error| Problem::elsewhere(format!("standard input cannot be read: {error}")))?;
            sources.push(decoded("standard input", &bytes));
            continue;
        }
        let path = Path::new(name);
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if metadata.is_dir() {
            let files = files_in(path, is_recursive)?;
            if files.is_empty() {
                return Err(Problem::elsewhere(format!(
                    "error reading [{name}]: recognized file extensions are [.json .yaml .yml]"
                )));
            }
            for file in files {
                sources.push(read_one(&file)?);
            }
        } else {
            sources.push(read_one(path)?);
        }
    }
    Ok(sources)
}

fn read_one(path: &Path) -> Result<Source, Problem> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    Ok(decoded(&path.display().to_string(), &bytes))
}

/// The text as kubectl reads it: UTF-8, or UTF-16 where a byte order mark says so; what is neither becomes U+FFFD.
fn decoded(name: &str, bytes: &[u8]) -> Source {
    let utf_16 = |from_bytes: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks(2)
            .map(|unit| from_bytes([unit[0], *unit.get(1).unwrap_or(&0)]))
            .collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        [0xff, 0xfe, ..] => utf_16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf_16(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    Source {
        name: name.to_owned(),
        text: text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
    }
}

fn files_in(directory: &Path, is_recursive: bool) -> Result<Vec<PathBuf>, Problem> {
    let entries = fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            if is_recursive {
                files.extend(files_in(&path, true)?);
            }
        } else if path
            .extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| EXTENSIONS.contains(&end))
        {
            files.push(path);
        }
    }
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::elsewhere(match error.kind() {
        std::io::ErrorKind::NotFound => format!("the path {:?} does not exist", path.display().to_string()),
        std::io::ErrorKind::PermissionDenied => format!("open {}: permission denied", path.display()),
        _ => format!("{}: {error}", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_any_encoding_of_kubectl_is_read() {
        for bytes in [
            b"a: \xc3\xa9".to_vec(),
            b"\xef\xbb\xbfa: \xc3\xa9".to_vec(),
            b"\xff\xfea\0:\0 \0\xe9\0".to_vec(),
            b"\xfe\xff\0a\0:\0 \0\xe9".to_vec(),
        ] {
            assert_eq!(decoded("f", &bytes).text, "a: é");
        }
        assert_eq!(decoded("f", b"# \xe9\na: 1").text, "# \u{fffd}\na: 1");
    }
}
