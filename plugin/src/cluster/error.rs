//! What can go wrong between us and an API server, in the very sentences that kubectl's users know.

use std::path::PathBuf;

use super::{certificate, credentials, dial};
use crate::cli::usage::UsageError;

/// An answer that was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The flags contradict themselves.
    #[error(transparent)]
    Flags(#[from] UsageError),
    /// `--context` names none; a namespace was given too, which makes kubectl look at the context alone.
    #[error("error: context {0:?} does not exist")]
    NoContext(String),
    /// The context in use is not there.
    #[error("Error in configuration: context was not found for specified context: {0}")]
    ContextNotFound(String),
    /// `--cluster` names none.
    #[error("error: no server found for cluster {0:?}")]
    NoCluster(String),
    /// `--user` names none.
    #[error("error: auth info {0:?} does not exist")]
    NoUser(String),
    /// `--kubeconfig` names no file.
    #[error("error: stat {}: no such file or directory", .0.display())]
    NoKubeconfig(PathBuf),
    /// A kubeconfig that cannot be understood.
    #[error("error: error loading config file {:?}: {why}", .path.display().to_string())]
    BadKubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Something in the kubeconfig cannot be used: a certificate, a key, a proxy.
    #[error("error: {0}")]
    Configuration(String),
    /// The same, several times over.
    #[error("Error in configuration: \n* {}", .0.join("\n* "))]
    Configurations(Vec<String>),
    /// An auth plugin failed, and said why on its own standard error.
    #[error("{}Unable to connect to the server: getting credentials: {message}", own_line(.said))]
    Plugin {
        /// What the plugin wrote.
        said: String,
        /// What became of it.
        message: String,
    },
    /// A type of objects that the server does not have.
    #[error("error: the server doesn't have a resource type {0:?}")]
    NoResourceType(String),
    /// Warnings were received, with `--warnings-as-errors`.
    #[error("error: {} received", if *.0 == 1 { "1 warning".to_owned() } else { format!("{} warnings", .0) })]
    Warnings(usize),
    /// There is no such pod, and one that may be meant.
    #[error("{error}\n\nDid you mean this?\n\t{meant}")]
    Misnamed {
        /// What the server said.
        error: Box<Self>,
        /// The name of the other one.
        meant: String,
    },
    /// Nobody listens there.
    #[error("The connection to the server {server} was refused - did you specify the right host or port?")]
    Refused {
        /// Host and port.
        server: String,
    },
    /// The way to the server does not work.
    #[error("Unable to connect to the server: {0}")]
    Unreachable(String),
    /// The server did not answer within `--request-timeout`.
    #[error(
        "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
    )]
    TimedOut,
    /// The server does not know who we are.
    #[error("error: You must be logged in to the server ({0})")]
    Unauthorized(String),
    /// The server refused.
    #[error("Error from server{}: {message}", in_parentheses(.reason))]
    Server {
        /// The reason in one word: `NotFound`, `Forbidden`.
        reason: String,
        /// The reason in words.
        message: String,
        /// The HTTP status.
        code: u16,
    },
    /// The answer is none that an API server gives.
    #[error("Server returned an unexpected response: {0}")]
    Unexpected(String),
}

impl ClusterError {
    /// Puts kube's error into kubectl's words; `server` is the host and port that were asked.
    pub fn of(error: kube::Error, server: &str) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(*status),
            kube::Error::SerdeError(error) if error.is_eof() => {
                Self::Configuration("unexpected end of JSON input".to_owned())
            }
            kube::Error::SerdeError(error) => Self::Unexpected(error.to_string()),
            kube::Error::FromUtf8(error) => Self::Unexpected(error.to_string()),
            kube::Error::Auth(error) => credentials::failed(&error, None),
            kube::Error::RustlsTls(error) => Self::Configuration(certificate::identity_words(&error)),
            kube::Error::Service(ref failure) => dial::classify(failure.as_ref(), server),
            kube::Error::HyperError(ref failure) => dial::classify(failure, server),
            kube::Error::ReadEvents(ref failure) => dial::classify(failure, server),
            other => Self::Unreachable(innermost(&other)),
        }
    }

    /// Adds what was asked for, where the server refuses a list of pods, as kubectl does.
    #[must_use]
    pub fn about_list(self, labels: Option<&str>, fields: Option<&str>) -> Self {
        match self {
            Self::Server {
                reason,
                message,
                code: code @ (400 | 404),
            } => Self::Server {
                message: match (labels, fields) {
                    (None, None) => format!("Unable to list \"/v1, Resource=pods\": {message}"),
                    (labels, fields) => format!(
                        "Unable to find \"/v1, Resource=pods\" that match label selector {:?}, field selector {:?}: {message}",
                        labels.unwrap_or_default(),
                        fields.unwrap_or_default()
                    ),
                },
                reason,
                code,
            },
            other => other,
        }
    }

    /// Reads the status that the API server sent.
    pub fn of_status(status: kube::core::Status) -> Self {
        // What is no Status comes from something else on the way, such as a proxy: client-go makes up what it lacks.
        let is_foreign = status.reason.contains(' ');
        if status.code == 401 || status.reason == "Unauthorized" {
            return Self::Unauthorized(if is_foreign {
                "Unauthorized".to_owned()
            } else {
                status.message
            });
        }
        if !is_foreign {
            return Self::Server {
                reason: status.reason,
                message: status.message,
                code: status.code,
            };
        }
        let (reason, message) = generic(status.code, status.message.trim());
        Self::Server {
            reason: reason.to_owned(),
            message,
            code: status.code,
        }
    }

    /// Whether the server says that there is no such object.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Misnamed { error, .. } => error.is_not_found(),
            error => matches!(error, Self::Server { code: 404, .. }),
        }
    }

    /// Adds what may be meant instead.
    #[must_use]
    pub fn meant(self, other: Option<String>) -> Self {
        match other {
            Some(meant) => Self::Misnamed {
                error: Box::new(self),
                meant,
            },
            None => self,
        }
    }

    /// Whether the server says that we may not.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Server { code: 403, .. })
    }

    /// Whether the server has forgotten the version or the page that was asked for.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Server { code: 410, .. })
    }

    /// Whether trying again may help: the server was not reached, or is overwhelmed.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Unreachable(_) | Self::TimedOut | Self::Server { code: 429 | 500.., .. }
        )
    }
}

fn own_line(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!("{said}\n")
    }
}

fn in_parentheses(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(" ({reason})")
    }
}

/// The reason and message that client-go gives an answer which is no Status.
fn generic(code: u16, body: &str) -> (&'static str, String) {
    match code {
        400 => ("BadRequest", body.to_owned()),
        403 => ("Forbidden", body.to_owned()),
        404 => (
            "NotFound",
            "the server could not find the requested resource".to_owned(),
        ),
        405 => (
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource".to_owned(),
        ),
        409 => ("Conflict", "the server reported a conflict".to_owned()),
        410 => ("Gone", "the requested resource has been removed".to_owned()),
        429 => (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later".to_owned(),
        ),
        503 => (
            "ServiceUnavailable",
            "the server is currently unable to handle the request".to_owned(),
        ),
        504 => (
            "Timeout",
            "the server was unable to return a response in the time allotted, but may still be processing the request"
                .to_owned(),
        ),
        500.. => (
            "InternalError",
            format!("an error on the server ({body:?}) has prevented the request from succeeding"),
        ),
        _ => ("", body.to_owned()),
    }
}

/// What the last error of a chain says: the outer ones only repeat it.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    #[test]
    fn a_refusal_reads_as_in_kubectl() {
        let status = Status::failure("pods \"x\" not found", "NotFound").with_code(404);
        let error = ClusterError::of_status(status);
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), "Error from server (NotFound): pods \"x\" not found");
    }

    #[test]
    fn a_stranger_is_told_to_log_in() {
        let status = Status::failure("Unauthorized", "Unauthorized").with_code(401);
        assert_eq!(
            ClusterError::of_status(status).to_string(),
            "error: You must be logged in to the server (Unauthorized)"
        );
    }

    #[test]
    fn a_proxys_page_gets_the_reason_of_its_code() {
        let status = Status::failure("bad gateway\n", "Failed to parse error data").with_code(502);
        assert_eq!(
            ClusterError::of_status(status).to_string(),
            "Error from server (InternalError): an error on the server (\"bad gateway\") has prevented the request from \
             succeeding"
        );
    }
}
