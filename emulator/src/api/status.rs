//! What the API server answers where it can't do what was asked: a Kubernetes `Status`.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::admission::Rejection;
use crate::store::{Expired, Resource, StoreError};

/// A refusal, as kubectl shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The HTTP status.
    pub code: u16,
    /// `NotFound`, `Conflict`, …: what programs look at.
    pub reason: &'static str,
    /// What people read.
    pub message: String,
    /// Which object, and what of it is wrong.
    pub details: Option<Box<Value>>,
    /// What a list can be gone on with, where the client's token is too old.
    pub metadata: Option<Box<Value>>,
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            metadata: None,
        }
    }

    fn about(mut self, resource: Resource, name: &str) -> Self {
        self.details = Some(Box::new(details(resource.group(), resource.plural(), name)));
        self
    }

    /// There is no such object.
    pub fn not_found(resource: Resource, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} \"{name}\" not found", resource.qualified()),
        )
        .about(resource, name)
    }

    /// There is none of a kind that is not stored.
    pub fn not_found_in(kind: &str, name: &str) -> Self {
        Self {
            details: Some(Box::new(json!({"name": name, "kind": kind}))),
            ..Self::new(404, "NotFound", format!("{kind} \"{name}\" not found"))
        }
    }

    /// There is no such path.
    pub fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// There is one already.
    pub fn already_exists(resource: Resource, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{} \"{name}\" already exists", resource.qualified()),
        )
        .about(resource, name)
    }

    /// The object is not the one that the client knows.
    pub fn conflict(resource: Resource, name: &str, why: &str) -> Self {
        Self {
            details: Some(Box::new(details(resource.group(), resource.plural(), name))),
            ..Self::conflict_on(resource.qualified(), name, why)
        }
    }

    /// The same for a part of an object, as `pods/binding`.
    pub fn conflict_on(kind: &str, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {kind} \"{name}\": {why}");
        Self {
            details: Some(Box::new(json!({"name": name, "kind": kind}))),
            ..Self::new(409, "Conflict", message)
        }
    }

    /// A configuration that cannot be merged. A real server says the same, and calls it its own error, 500
    /// (`managedfields/internal/structuredmerge.go`); it is the client's.
    pub fn untyped(configuration: &Value, namespace: Option<&str>, name: &str, why: &str) -> Self {
        let version = configuration["apiVersion"].as_str().unwrap_or_default();
        let group = if version.contains('/') { "" } else { "/" };
        let kind = configuration["kind"].as_str().unwrap_or_default();
        let namespace = namespace.unwrap_or_default();
        Self::bad_request(format!(
            "failed to create typed patch object ({namespace}/{name}; {group}{version}, Kind={kind}): {why}"
        ))
    }

    /// Others own fields that were to be applied: each of them with its field.
    pub fn apply_conflict(owners: &[(String, Vec<String>)]) -> Self {
        let fields: usize = owners.iter().map(|(_, fields)| fields.len()).sum();
        let mut message = format!(
            "Apply failed with {fields} conflict{}: ",
            if fields == 1 { "" } else { "s" }
        );
        let lists: Vec<String> = owners
            .iter()
            .map(|(owner, paths)| match paths.as_slice() {
                [one] if fields == 1 => format!("conflict with {owner}: {one}"),
                many => format!("conflicts with {owner}:\n- {}", many.join("\n- ")),
            })
            .collect();
        message.push_str(&lists.join("\n"));
        let causes: Vec<Value> = owners
            .iter()
            .flat_map(|(owner, fields)| {
                fields.iter().map(move |field| {
                    json!({"reason": "FieldManagerConflict", "message": format!("conflict with {owner}"), "field": field})
                })
            })
            .collect();
        Self {
            details: Some(Box::new(json!({"causes": causes}))),
            ..Self::new(409, "Conflict", message)
        }
    }

    /// The request can't be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// There is no such path, for a reason that is worth its words.
    pub fn no_such(message: impl Into<String>) -> Self {
        Self::new(404, "NotFound", message)
    }

    /// The body, or what would come of it, is larger than any client needs.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// The request was not completed in time.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(504, "Timeout", message)
    }

    /// The client may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "Forbidden", message)
    }

    /// The credentials are not known here.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// The path is there, the verb is not.
    pub fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    /// The body is of a type that this path does not take.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// The body can be read, and makes no sense for the object.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message)
    }

    /// What is asked for can't be had on this machine.
    pub fn service_unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// Older than what is kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// A version that is yet to come.
    pub fn too_large_version(asked: u64, newest: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {newest}");
        let causes = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
        Self {
            details: Some(Box::new(json!({"causes": causes, "retryAfterSeconds": 1}))),
            ..Self::new(504, "Timeout", message)
        }
    }

    /// The emulator itself failed.
    pub fn internal(why: impl std::fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {why}"))
    }

    /// What admission refused.
    pub fn rejected(rejection: &Rejection, resource: Resource, name: &str) -> Self {
        let mut status = Self::new(rejection.code(), rejection.reason(), rejection.to_string());
        match rejection {
            Rejection::Forbidden { .. } => status = status.about(resource, name),
            Rejection::Invalid { kind, name, errors } => {
                let causes: Vec<Value> = errors
                    .iter()
                    .map(|error| json!({"reason": error.reason(), "message": error.body(), "field": error.path}))
                    .collect();
                status.details = Some(Box::new(json!({"name": name, "kind": kind, "causes": causes})));
            }
            _ => {}
        }
        status
    }

    /// What the store refused.
    pub fn stored(error: &StoreError, resource: Resource, name: &str) -> Self {
        match error {
            StoreError::NotFound => Self::not_found(resource, name),
            StoreError::AlreadyExists => Self::already_exists(resource, name),
            StoreError::Conflict => Self::conflict(resource, name, &error.to_string()),
            StoreError::Disk(why) => Self::internal(why),
        }
    }

    /// The object that is sent.
    pub fn to_value(&self) -> Value {
        let mut value = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        });
        if let Some(metadata) = &self.metadata {
            value["metadata"] = Value::clone(metadata);
        }
        if let Some(details) = &self.details {
            value["details"] = Value::clone(details);
        }
        value["code"] = self.code.into();
        value
    }

    /// The answer that carries it.
    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.to_value().to_string()));
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json"),
        );
        response
    }
}

/// Which object a refusal is about.
fn details(group: &str, kind: &str, name: &str) -> Value {
    let mut details = json!({ "name": name });
    if !group.is_empty() {
        details["group"] = group.into();
    }
    details["kind"] = kind.into();
    details
}

impl From<Expired> for Status {
    fn from(expired: Expired) -> Self {
        Self::expired(expired.to_string())
    }
}
