//! Layers come plain, gzip- or zstd-compressed; their first bytes tell which.

use std::io::{self, BufRead, BufReader, Read};

/// A reader of the plain content.
///
/// # Errors
/// What the stream says.
pub(super) fn plain<'a>(stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut stream = BufReader::new(stream);
    let start = stream.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        Ok(Box::new(flate2::bufread::MultiGzDecoder::new(stream)))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Ok(Box::new(zstd::stream::read::Decoder::with_buffer(stream)?))
    } else {
        Ok(Box::new(stream))
    }
}
