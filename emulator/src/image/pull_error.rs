//! Why a pull failed, in the words that a kubelet gets from containerd.

use std::{error::Error, io};

use super::{archive::ArchiveError, reference::Reference, request_error::RequestError};

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The name could not be looked up.
    #[error(transparent)]
    Resolve(RequestError),
    /// Its content could not be fetched.
    #[error(transparent)]
    Fetch(RequestError),
    /// It is for other machines.
    #[error("no match for platform in manifest")]
    NoPlatform,
    /// What describes it is damaged, or describes too much.
    #[error("{0}")]
    Document(String),
    /// The content is damaged, or the disk refuses.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Archive(error.into())
    }
}

impl Fault {
    /// Whether other credentials could help.
    pub(super) fn is_denied(&self) -> bool {
        match self {
            Self::Resolve(error) | Self::Fetch(error) => error.is_denied(),
            Self::NoPlatform | Self::Document(_) | Self::Archive(_) => false,
        }
    }

    /// The sentence that goes into events and the container's status.
    pub(super) fn sentence(&self, name: &Reference, url: &str) -> String {
        let (code, why) = match self {
            Self::Resolve(error) if error.is_missing() => {
                ("NotFound", format!("failed to resolve image: {name}: not found"))
            }
            Self::Resolve(error) if error.is_denied() => (
                "Unknown",
                "failed to resolve image: pull access denied, repository does not exist or may require authorization: \
                 authorization failed"
                    .to_owned(),
            ),
            Self::Resolve(RequestError::Http(error)) => (
                "Unknown",
                format!(
                    "failed to resolve image: failed to do request: Head {url:?}: {}",
                    cause(error, name)
                ),
            ),
            Self::Resolve(error) => ("Unknown", format!("failed to resolve image: {error}")),
            Self::Fetch(RequestError::Http(error)) => ("Unknown", format!("failed to copy: {}", cause(error, name))),
            Self::Fetch(error) => ("Unknown", format!("failed to copy: {error}")),
            Self::NoPlatform => ("NotFound", format!("{self}: not found")),
            Self::Document(why) => ("Unknown", why.clone()),
            Self::Archive(error) => ("Unknown", error.to_string()),
        };
        let why = why.trim_end_matches('.');
        format!("rpc error: code = {code} desc = failed to pull and unpack image \"{name}\": {why}")
    }
}

/// What lies at the bottom: a connection that did not come about, in Go's words, else all causes one after the other.
fn cause(error: &(dyn Error + 'static), name: &Reference) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(why) = error.downcast_ref::<io::Error>().and_then(connection) {
            return format!("dial tcp {}: {why}", name.address());
        }
        let more = error.to_string();
        if let Some(why) = more.strip_prefix("failed to lookup address information: ") {
            let why = match why {
                "Name or service not known" | "No address associated with hostname" => "no such host",
                other => other,
            };
            return format!("dial tcp: lookup {}: {why}", name.host());
        }
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = error.source();
    }
    text
}

fn connection(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused",
        io::ErrorKind::ConnectionReset => "connect: connection reset by peer",
        io::ErrorKind::HostUnreachable => "connect: no route to host",
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable",
        io::ErrorKind::TimedOut => "i/o timeout",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use reqwest::{StatusCode, Url};

    use super::*;

    #[test]
    fn a_missing_image_and_a_forbidden_one_are_told_apart() {
        let name = Reference::parse("localhost:5000/a:1").unwrap();
        let url = name.manifest_url();
        let answered = |status| {
            let asked = Url::parse(&url).unwrap();
            Fault::Resolve(RequestError::status(&asked, status, b""))
        };
        assert_eq!(
            answered(StatusCode::NOT_FOUND).sentence(&name, &url),
            "rpc error: code = NotFound desc = failed to pull and unpack image \"localhost:5000/a:1\": \
             failed to resolve image: localhost:5000/a:1: not found"
        );
        let denied = answered(StatusCode::UNAUTHORIZED);
        assert!(denied.is_denied() && denied.sentence(&name, &url).contains("pull access denied"));
        assert!(!answered(StatusCode::BAD_GATEWAY).is_denied());
        assert_eq!(
            Fault::NoPlatform.sentence(&name, &url),
            "rpc error: code = NotFound desc = failed to pull and unpack image \"localhost:5000/a:1\": \
             no match for platform in manifest: not found"
        );
    }
}
