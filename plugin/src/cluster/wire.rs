//! What goes over the wire, told on standard error where `-v` asks for it; and the server's warnings.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use k8s_openapi::jiff::Zoned;
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use crate::view::clean::clean;

/// The level from which on kubectl tells each request.
const TELLS_REQUESTS: i32 = 6;

/// What to tell, and what to refuse.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    /// The server's address, for messages.
    pub(super) server: String,
    /// `-v`.
    pub(super) verbosity: i32,
    /// `--warnings-as-errors`.
    pub(super) refuses_warnings: bool,
}

/// An answer came with warnings, and they are to be errors.
#[derive(Debug, thiserror::Error)]
#[error("{0} warnings received")]
pub(super) struct RefusedWarnings(pub(super) usize);

impl<S> Layer<S> for Wire {
    type Service = Told<S>;

    fn layer(&self, inner: S) -> Told<S> {
        Told {
            inner,
            wire: self.clone(),
        }
    }
}

/// The client beneath, with its requests told.
#[derive(Clone, Debug)]
pub(super) struct Told<S> {
    inner: S,
    wire: Wire,
}

impl<S, B> Service<Request<Body>> for Told<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let wire = self.wire.clone();
        let asked = (wire.verbosity >= TELLS_REQUESTS).then(|| (request.method().clone(), request.uri().to_string()));
        let began = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            if let Some((verb, path)) = asked {
                let status = match &answer {
                    Ok(answer) => answer.status().to_string(),
                    Err(_) => String::new(),
                };
                tell(&format!(
                    "{} \"Response\" verb=\"{verb}\" url=\"{}{path}\" status=\"{status}\" milliseconds={}",
                    Zoned::now().strftime("I%m%d %H:%M:%S%.6f"),
                    wire.server,
                    began.elapsed().as_millis()
                ));
            }
            let answer = answer?;
            let warnings = warnings(answer.headers());
            for warning in &warnings {
                tell(&format!("Warning: {warning}"));
            }
            if wire.refuses_warnings && !warnings.is_empty() {
                return Err(RefusedWarnings(warnings.len()).into());
            }
            Ok(answer)
        })
    }
}

/// The texts of the `Warning` headers with code 299, which are the API server's own (KEP-1693).
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("warning").iter();
    let texts = values.filter_map(|value| {
        let rest = std::str::from_utf8(value.as_bytes()).ok()?.strip_prefix("299 ")?;
        let quoted = rest.split_once('"')?.1;
        let mut text = String::new();
        let mut letters = quoted.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => text.extend(letters.next()),
                other => text.push(other),
            }
        }
        Some(text)
    });
    texts.collect()
}

#[expect(
    clippy::print_stderr,
    reason = "requests are told while they are made, wherever the command's own output has got to"
)]
fn tell(line: &str) {
    eprintln!("{}", clean(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_warnings_are_read_out_of_their_quotes() {
        let mut headers = HeaderMap::new();
        headers.append("warning", "299 - \"v1 is \\\"old\\\"\"".parse().unwrap());
        headers.append("warning", "214 - \"a proxy's own\"".parse().unwrap());
        headers.append("warning", "299 - \"second\"".parse().unwrap());
        assert_eq!(warnings(&headers), ["v1 is \"old\"", "second"]);
    }
}
