//! Bodies that ask something of an object and are never stored: evictions, bindings, requests for tokens.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::answer;
use super::status::Status;

/// A kind of such a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    kind: &'static str,
    /// The versions it may have; the first is today's.
    versions: &'static [&'static str],
}

impl Part {
    pub(super) const EVICTION: Self = Self {
        kind: "Eviction",
        versions: &["policy/v1", "policy/v1beta1"],
    };
    pub(super) const TOKEN_REQUEST: Self = Self {
        kind: "TokenRequest",
        versions: &["authentication.k8s.io/v1"],
    };
    pub(super) const BINDING: Self = Self {
        kind: "Binding",
        versions: &["v1"],
    };

    /// Reads one.
    ///
    /// # Errors
    /// A BadRequest where it is no JSON, or of another kind.
    pub(super) fn read(self, body: &[u8]) -> Result<Value, Status> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Status::bad_request(format!("couldn't get version/kind; json parse error: {error}")))?;
        let (kind, wanted) = (self.kind, self.versions[0]);
        if let Some(version) = value["apiVersion"]
            .as_str()
            .filter(|version| !self.versions.contains(version))
        {
            return Err(Status::bad_request(format!(
                "the API version in the data ({version}) does not match the expected API version ({wanted})"
            )));
        }
        if let Some(other) = value["kind"].as_str().filter(|other| *other != kind) {
            return Err(Status::bad_request(format!(
                "{other} in version \"{wanted}\" cannot be handled as a {kind}: unknown conversion"
            )));
        }
        Ok(value)
    }
}

/// What is answered where there is nothing to show.
pub(super) fn done() -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    answer::json(StatusCode::CREATED, &status, &[])
}
