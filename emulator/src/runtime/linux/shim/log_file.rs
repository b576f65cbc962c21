//! A container's log: lines in the CRI format, in a file that is rotated.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Error,
}

/// Longer lines are written in parts.
const LONGEST: usize = 16 * 1024;

/// How much one file holds, and how many files there are (`containerLogMaxSize`, `containerLogMaxFiles`).
const MOST_BYTES: u64 = 10 * 1024 * 1024;
const MOST_FILES: u32 = 5;

/// The file that a container's output goes to.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    most: u64,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o640).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
            most: MOST_BYTES,
        })
    }

    /// A full disk loses lines, not the container: nobody is left to tell.
    pub(super) fn write(&mut self, lines: &[u8]) {
        if self.size >= self.most {
            let _ = self.rotate();
        }
        if self.file.write_all(lines).is_ok() {
            self.size += lines.len() as u64;
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..MOST_FILES - 1).rev() {
            let _ = fs::rename(numbered(number), numbered(number + 1));
        }
        fs::rename(&self.path, numbered(1))?;
        *self = Self {
            most: self.most,
            ..Self::open(&self.path)?
        };
        Ok(())
    }
}

/// Cuts one stream into lines.
pub(super) struct Lines {
    stream: Stream,
    rest: Vec<u8>,
}

impl Lines {
    pub(super) fn of(stream: Stream) -> Self {
        Self {
            stream,
            rest: Vec::new(),
        }
    }

    /// What these bytes add to the log, at this time.
    pub(super) fn take(&mut self, mut bytes: &[u8], time: &str) -> Vec<u8> {
        let mut log = Vec::with_capacity(bytes.len() + 64);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            self.write_parts(&mut log, time);
            self.line(&mut log, time, b'F');
        }
        self.rest.extend_from_slice(bytes);
        self.write_parts(&mut log, time);
        log
    }

    /// What is left without an end of line when the stream ends.
    pub(super) fn finish(&mut self, time: &str) -> Vec<u8> {
        let mut log = Vec::new();
        if !self.rest.is_empty() {
            self.line(&mut log, time, b'P');
        }
        log
    }

    fn write_parts(&mut self, log: &mut Vec<u8>, time: &str) {
        while self.rest.len() > LONGEST {
            let later = self.rest.split_off(LONGEST);
            self.line(log, time, b'P');
            self.rest = later;
        }
    }

    fn line(&mut self, log: &mut Vec<u8>, time: &str, tag: u8) {
        let stream: &[u8] = if self.stream == Stream::Out {
            b" stdout "
        } else {
            b" stderr "
        };
        log.extend_from_slice(time.as_bytes());
        log.extend_from_slice(stream);
        log.extend_from_slice(&[tag, b' ']);
        log.append(&mut self.rest);
        log.push(b'\n');
    }
}

/// The time as the log has it.
pub(super) fn now() -> String {
    format!("{:.9}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_full_and_a_rest_waits() {
        let mut lines = Lines::of(Stream::Out);
        assert_eq!(lines.take(b"a\nb", "T"), b"T stdout F a\n");
        assert_eq!(lines.take(b"c\n\n", "U"), b"U stdout F bc\nU stdout F \n");
        assert!(lines.finish("V").is_empty());
    }

    #[test]
    fn what_ends_without_a_line_end_is_partial() {
        let mut lines = Lines::of(Stream::Error);
        assert!(lines.take(b"last words", "T").is_empty());
        assert_eq!(lines.finish("T"), b"T stderr P last words\n");
    }

    #[test]
    fn a_long_line_is_written_in_parts_of_16_kib() {
        let mut lines = Lines::of(Stream::Out);
        let mut text = vec![b'x'; LONGEST + 1];
        text.push(b'\n');
        let log = lines.take(&text, "T");
        let parts: Vec<&[u8]> = log.split(|byte| *byte == b'\n').collect();
        assert_eq!(parts[0].len(), "T stdout P ".len() + LONGEST);
        assert_eq!(parts[1], b"T stdout F x");
    }

    #[test]
    fn times_have_nine_digits_and_a_z() {
        let now = now();
        assert_eq!((now.len(), now.ends_with('Z')), (30, true), "{now}");
    }

    #[test]
    fn a_full_file_makes_room_and_five_are_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("0.log");
        let mut log = LogFile::open(&path).expect("open");
        log.most = 10;
        for number in 0..20 {
            log.write(format!("line number {number}\n").as_bytes());
        }
        let count = fs::read_dir(folder.path()).expect("list").count();
        assert_eq!(count, 5);
        assert_eq!(fs::read_to_string(&path).expect("newest"), "line number 19\n");
    }
}
