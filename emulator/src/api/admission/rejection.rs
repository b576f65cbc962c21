//! Why an object is not taken.

use serde_json::Value;

use super::field_error::{FieldError, joined};
use crate::store::Resource;

/// Why an object is not taken. The API turns it into a Status.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    /// 400: it can't be read, or does not fit the request.
    BadRequest(String),
    /// 403: a rule outside the object forbids it.
    Forbidden {
        /// Of what kind the object is.
        resource: Resource,
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// 404: there is no such thing.
    NotFound(String),
    /// 500: the node could not do it.
    Internal(String),
    /// 422: fields are wrong.
    Invalid {
        /// Of what kind the object is: `Pod`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Each mistake: the causes of the Status.
        errors: Vec<FieldError>,
    },
}

impl Rejection {
    /// Forbidden, with the object's own name.
    pub(super) fn forbidden(resource: Resource, object: &Value, why: String) -> Self {
        Self::Forbidden {
            resource,
            name: name(object),
            why,
        }
    }

    /// Invalid, where there are mistakes.
    pub(super) fn of_fields(resource: Resource, object: &Value, errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() {
            return Ok(());
        }
        Err(Self::Invalid {
            kind: resource.qualified_kind(),
            name: name(object),
            errors,
        })
    }
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

impl Rejection {
    /// The answer's HTTP status.
    pub fn code(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Forbidden { .. } => 403,
            Self::NotFound(_) => 404,
            Self::Invalid { .. } => 422,
            Self::Internal(_) => 500,
        }
    }

    /// The Status' reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequest",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound(_) => "NotFound",
            Self::Invalid { .. } => "Invalid",
            Self::Internal(_) => "InternalError",
        }
    }
}

impl std::fmt::Display for Rejection {
    /// The Status' message.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadRequest(why) | Self::NotFound(why) => formatter.write_str(why),
            Self::Internal(why) => write!(formatter, "Internal error occurred: {why}"),
            Self::Forbidden { resource, name, why } => {
                write!(formatter, "{} \"{name}\" is forbidden: {why}", resource.qualified())
            }
            Self::Invalid { kind, name, errors } => {
                write!(formatter, "{kind} \"{name}\" is invalid: {}", joined(errors))
            }
        }
    }
}

impl std::error::Error for Rejection {}
