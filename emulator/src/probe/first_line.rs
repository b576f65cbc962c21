//! What a server says first, kept so that an answer that is no HTTP can be told as Go's `net/http` tells it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// As much of an answer as is kept, in bytes.
const MOST: usize = 1024;

/// The first bytes that a connection has brought.
#[derive(Clone, Default)]
pub(super) struct FirstLine(Arc<Mutex<Vec<u8>>>);

impl FirstLine {
    /// Why it is no answer in HTTP; none where it is, or where nothing came.
    pub(super) fn fault(&self) -> Option<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let fault = fault(text.lines().next()?)?;
        Some(format!("net/http: HTTP/1.x transport connection broken: {fault}"))
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
    }
}

/// As `http.ReadResponse` judges a status line.
fn fault(line: &str) -> Option<String> {
    let Some((version, rest)) = line.split_once(' ') else {
        return Some(format!("malformed HTTP response {line:?}"));
    };
    let code = rest.trim_start_matches(' ').split(' ').next().unwrap_or_default();
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("malformed HTTP status code {code:?}"));
    }
    let known = matches!(version, "HTTP/1.0" | "HTTP/1.1" | "HTTP/2.0" | "HTTP/3.0");
    (!known).then(|| format!("malformed HTTP version {version:?}"))
}

/// A connection whose first bytes are kept.
pub(super) struct Kept<S> {
    inner: S,
    first: FirstLine,
}

impl<S> Kept<S> {
    pub(super) fn new(inner: S) -> (Self, FirstLine) {
        let first = FirstLine::default();
        let kept = first.clone();
        (Self { inner, first }, kept)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Kept<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.first.keep(&buffer.filled()[before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Kept<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_http_is_told_as_go_tells_it() {
        for (line, expected) in [
            ("hello", Some("malformed HTTP response \"hello\"")),
            ("SSH-2.0 OpenSSH", Some("malformed HTTP status code \"OpenSSH\"")),
            ("HTTP/9 200 OK", Some("malformed HTTP version \"HTTP/9\"")),
            ("HTTP/1.1 200 OK", None),
        ] {
            assert_eq!(fault(line).as_deref(), expected, "{line}");
        }
    }

    #[tokio::test]
    async fn the_first_line_is_kept() {
        use tokio::io::AsyncReadExt;
        let (mut stream, first) = Kept::new(&b"hello\r\nworld"[..]);
        assert_eq!(first.fault(), None);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"hello\r\nworld");
        let expected = "net/http: HTTP/1.x transport connection broken: malformed HTTP response \"hello\"";
        assert_eq!(first.fault().as_deref(), Some(expected));
    }
}
