//! SHA-256 digests, as images name their parts.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// `sha256:…` of some bytes.
pub(super) fn of(bytes: &[u8]) -> String {
    text(Sha256::new_with_prefix(bytes))
}

/// `sha256:…` of what was hashed.
pub(super) fn text(hasher: Sha256) -> String {
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Passes on what it reads, no more than `most` bytes of it, and keeps the digest.
pub(super) struct Digesting<R> {
    inner: R,
    hasher: Sha256,
    left: u64,
}

impl<R: Read> Digesting<R> {
    pub(super) fn new(inner: R, most: u64) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            left: most,
        }
    }

    /// Reads what is left and tells the digest of all of it.
    pub(super) fn finish(mut self) -> io::Result<String> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(text(self.hasher))
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other("it is larger than it says"))?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
