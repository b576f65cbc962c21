//! The headers of an archive's entries, which are read into memory: long names, extended attributes, maps of sparse
//! files. They may be of any length, and compressed to next to nothing.

use std::{
    cell::Cell,
    io::{self, Read, Seek, SeekFrom},
};

/// The most that stands before the content of one entry. Attributes are of 64 KiB at most, names of 4 KiB.
const MOST: u64 = 1 << 20;

/// Tells headers from content.
#[derive(Default)]
pub(super) struct Headers {
    /// How much may still be read, while a header is.
    left: Cell<Option<u64>>,
}

impl Headers {
    /// The stream that an archive is read from.
    pub(super) fn of<R>(&self, stream: R) -> Limited<'_, R> {
        Limited { stream, headers: self }
    }

    /// Goes to the next entry.
    pub(super) fn next<T>(&self, next: impl FnOnce() -> T) -> T {
        self.left.set(Some(MOST));
        let next = next();
        self.left.set(None);
        next
    }
}

/// Gives no header that is too long.
pub(super) struct Limited<'a, R> {
    stream: R,
    headers: &'a Headers,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        if let Some(left) = self.headers.left.get() {
            let left = left.checked_sub(count as u64);
            let left = left.ok_or_else(|| io::Error::other("the name or the attributes of an entry are too long"))?;
            self.headers.left.set(Some(left));
        }
        Ok(count)
    }
}

impl<R: Seek> Seek for Limited<'_, R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.stream.seek(position)
    }
}
