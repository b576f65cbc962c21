//! Blocks of headers: compressed with one zlib stream per direction, which starts from SPDY's dictionary.

use std::sync::LazyLock;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The largest block of headers after decompression.
const LARGEST_BLOCK: usize = 64 * 1024;
/// The most headers in one.
const MOST_HEADERS: usize = 64;

/// Words of the dictionary that stand behind their length.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
    accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
    content-length content-location content-md5 content-range content-type date etag expect expires from host if-match \
    if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
    proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie \
    keep-alive origin";
/// What follows them without.
const REST: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
    203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden\
    404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug \
    Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
    application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch\
    charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// The dictionary that the specification of SPDY/3 gives.
static DICTIONARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut dictionary = Vec::new();
    for word in WORDS.split_ascii_whitespace() {
        let word = word.replace('_', " ");
        dictionary.extend_from_slice(&u32::try_from(word.len()).unwrap_or_default().to_be_bytes());
        dictionary.extend_from_slice(word.as_bytes());
    }
    dictionary.extend_from_slice(REST.as_bytes());
    dictionary
});

/// The headers of a stream; names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::api::streaming) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of a header.
    pub(in crate::api::streaming) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(one, _)| one == name)?;
        Some(value)
    }

    fn parse(block: &[u8]) -> Option<Self> {
        let mut rest = block;
        let number = |rest: &mut &[u8]| -> Option<usize> {
            let (bytes, after) = rest.split_first_chunk::<4>()?;
            *rest = after;
            usize::try_from(u32::from_be_bytes(*bytes)).ok()
        };
        let count = number(&mut rest)?;
        if count > MOST_HEADERS {
            return None;
        }
        let text = |rest: &mut &[u8]| -> Option<String> {
            let length = number(rest)?;
            let bytes = rest.get(..length)?;
            *rest = &rest[length..];
            Some(String::from_utf8_lossy(bytes).into_owned())
        };
        let mut headers = Vec::with_capacity(count);
        for _ in 0..count {
            let name = text(&mut rest)?.to_ascii_lowercase();
            headers.push((name, text(&mut rest)?));
        }
        Some(Self(headers))
    }
}

/// Reads the client's blocks.
pub(super) struct Decompressor(Decompress);

impl Decompressor {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// The headers of the next block; nothing where it is none, after which no other can be read.
    pub(super) fn read(&mut self, block: &[u8]) -> Option<Headers> {
        let mut plain = Vec::with_capacity(1024);
        let mut used = 0;
        loop {
            let before = (self.0.total_in(), self.0.total_out());
            let result = self.0.decompress_vec(&block[used..], &mut plain, FlushDecompress::Sync);
            used += usize::try_from(self.0.total_in() - before.0).ok()?;
            match result {
                Ok(_) => {}
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(&DICTIONARY).ok()?;
                    continue;
                }
                Err(_) => return None,
            }
            if plain.len() == plain.capacity() {
                if plain.len() >= LARGEST_BLOCK {
                    return None;
                }
                plain.reserve(plain.capacity());
            } else if used >= block.len() || (self.0.total_in(), self.0.total_out()) == before {
                break;
            }
        }
        Headers::parse(&plain)
    }
}

/// Writes this side's blocks.
pub(super) struct Compressor(Compress);

impl Compressor {
    pub(super) fn new() -> Result<Self, flate2::CompressError> {
        let mut compress = Compress::new(Compression::fast(), true);
        compress.set_dictionary(&DICTIONARY)?;
        Ok(Self(compress))
    }

    /// A block without headers.
    pub(super) fn empty(&mut self) -> Result<Vec<u8>, flate2::CompressError> {
        self.block(&[0; 4])
    }

    fn block(&mut self, plain: &[u8]) -> Result<Vec<u8>, flate2::CompressError> {
        let mut block = Vec::with_capacity(256 + 2 * plain.len());
        let status = self.0.compress_vec(plain, &mut block, FlushCompress::Sync)?;
        debug_assert_eq!(status, Status::Ok);
        Ok(block)
    }
}

/// What a client's side of the compression does; for the tests.
#[cfg(test)]
pub(in crate::api::streaming) fn compressed(blocks: &[&[(&str, &str)]]) -> Vec<Vec<u8>> {
    let mut compressor = Compressor::new().unwrap();
    blocks
        .iter()
        .map(|headers| {
            let mut plain = u32::try_from(headers.len()).unwrap().to_be_bytes().to_vec();
            for text in headers.iter().flat_map(|(name, value)| [name, value]) {
                plain.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
                plain.extend_from_slice(text.as_bytes());
            }
            compressor.block(&plain).unwrap()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_specifications() {
        assert_eq!(DICTIONARY.len(), 1423);
        // The number by which zlib knows it.
        let mut compress = Compress::new(Compression::fast(), true);
        assert_eq!(compress.set_dictionary(&DICTIONARY).unwrap(), 0xe3c6_a7c2);
    }

    #[test]
    fn blocks_of_one_connection_share_their_compression() {
        let blocks = compressed(&[&[("streamtype", "error")], &[("streamtype", "data"), ("port", "80")]]);
        let mut decompressor = Decompressor::new();
        let first = decompressor.read(&blocks[0]).unwrap();
        assert_eq!(first.get("streamtype"), Some("error"));
        let second = decompressor.read(&blocks[1]).unwrap();
        assert_eq!(second.get("port"), Some("80"));
        assert!(blocks[1].len() < blocks[0].len() + 20);
    }

    #[test]
    fn a_block_that_grows_too_large_is_refused() {
        let huge = "x".repeat(1 << 20);
        let mut compressor = Compressor::new().unwrap();
        let mut plain = 1_u32.to_be_bytes().to_vec();
        for text in ["a", &huge] {
            plain.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
            plain.extend_from_slice(text.as_bytes());
        }
        let block = compressor.block(&plain).unwrap();
        assert!(Decompressor::new().read(&block).is_none());
    }

    #[test]
    fn nonsense_is_no_block() {
        assert!(Decompressor::new().read(b"nonsense").is_none());
        assert!(Decompressor::new().read(b"").is_none());
        assert!(Headers::parse(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).is_none());
        assert!(Headers::parse(&[0xff, 0xff, 0xff, 0xff]).is_none());
    }
}
