//! Why a request to a registry failed.

use std::io;

use reqwest::{StatusCode, Url};
use serde::Deserialize;

/// Why there is no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// No answer, or none to its end.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// Whoever asks may not have it.
    #[error("authorization failed")]
    Denied,
    /// Another status than the one of success.
    #[error("unexpected status from GET request to {url}: {status}{said}")]
    Status {
        /// What was asked for, without what a token service was told.
        url: String,
        /// The status.
        status: StatusCode,
        /// What the registry says of it, in short.
        said: String,
    },
    /// An answer that is not what it may be.
    #[error("{0}")]
    Answer(String),
    /// The disk refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl RequestError {
    /// That of a status, with the registry's own words where they are of the form that they should have.
    pub(super) fn status(url: &Url, status: StatusCode, body: &[u8]) -> Self {
        Self::Status {
            url: url.to_string(),
            status,
            said: said(body),
        }
    }

    /// Whether other credentials could help.
    pub(super) fn is_denied(&self) -> bool {
        match self {
            Self::Denied => true,
            Self::Status { status, .. } => matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
            _ => false,
        }
    }

    /// Whether there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Status { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}

fn said(body: &[u8]) -> String {
    /// It goes into events.
    const LENGTH_MAX: usize = 200;
    #[derive(Deserialize)]
    struct Envelope {
        errors: Vec<Refusal>,
    }
    #[derive(Deserialize)]
    struct Refusal {
        code: String,
        #[serde(default)]
        message: String,
    }
    let envelope: Option<Envelope> = serde_json::from_slice(body).ok();
    let Some(refusal) = envelope.and_then(|envelope| envelope.errors.into_iter().next()) else {
        return String::new();
    };
    let text = format!(": {}: {}", refusal.code.to_lowercase(), refusal.message);
    text.chars()
        .filter(|char| !char.is_control())
        .take(LENGTH_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_with_the_registrys_reason_in_short() {
        let url = Url::parse("https://r.example/v2/a/manifests/1").unwrap();
        let of = |body: &str| RequestError::status(&url, StatusCode::TOO_MANY_REQUESTS, body.as_bytes()).to_string();
        let plain = "unexpected status from GET request to https://r.example/v2/a/manifests/1: 429 Too Many Requests";
        assert_eq!(of("<html>"), plain);
        assert_eq!(
            of(r#"{"errors": [{"code": "TOOMANYREQUESTS", "message": "wait\u001b[31m a while"}]}"#),
            format!("{plain}: toomanyrequests: wait[31m a while")
        );
        let long = format!(r#"{{"errors": [{{"code": "{}"}}]}}"#, "x".repeat(5000));
        assert_eq!(of(&long).len(), plain.len() + 200);
    }
}
