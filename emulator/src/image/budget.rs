//! What an image may take of the disk, whatever it says of itself and however well it is compressed.

use std::io;

/// The most that an image may unpack to, in bytes.
pub(super) const MOST_BYTES: u64 = 128 << 30;

/// The most files and folders of an image.
const MOST_FILES: u64 = 8_000_000;

/// What is left for one image.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: u64,
    files: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(MOST_BYTES)
    }
}

impl Budget {
    /// That of an image of so many bytes at most.
    pub(super) fn of(bytes: u64) -> Self {
        Self {
            bytes,
            files: MOST_FILES,
        }
    }

    /// Takes a file's content from it.
    ///
    /// # Errors
    /// Where so much is not left.
    pub(super) fn spend(&mut self, bytes: u64) -> io::Result<()> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.ok_or_else(|| io::Error::other("it unpacks to more than an image may have"))?;
        Ok(())
    }

    /// Counts a file or folder.
    ///
    /// # Errors
    /// Where there are too many.
    pub(super) fn count(&mut self) -> io::Result<()> {
        let left = self.files.checked_sub(1);
        self.files = left.ok_or_else(|| io::Error::other("it has more files than an image may have"))?;
        Ok(())
    }

    /// How long the archive of a layer may be: what may be in it, and a header and padding for each file.
    pub(super) fn stream(&self) -> u64 {
        const AROUND_A_FILE: u64 = 4 << 10;
        self.bytes.saturating_add(self.files * AROUND_A_FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_and_none_is_free() {
        let mut budget = Budget { bytes: 0, files: 2 };
        budget.count().unwrap();
        budget.count().unwrap();
        let refused = budget.count().unwrap_err();
        assert!(refused.to_string().contains("more files than"), "{refused}");
    }
}
