//! Which objects can be, and the words for those that can't.

mod metadata;

use serde_json::Value;

use super::{
    field_error::{Errors, FieldError},
    rejection::Rejection,
};
use crate::store::Resource;

/// Checks an object whose defaults are filled in.
///
/// # Errors
/// All of its mistakes.
pub fn validate(resource: Resource, object: &Value) -> Result<(), Rejection> {
    let mut errors = Errors::default();
    metadata::check(resource, object, &mut errors);
    Rejection::of_fields(resource, object, errors.into_inner())
}

/// Checks a pod from the node's directory of static pods.
///
/// # Errors
/// All of its mistakes.
pub fn validate_static_pod(pod: &Value) -> Result<(), Rejection> {
    validate(Resource::Pods, pod)
}

/// What a pod may only get later.
pub(super) fn on_create(_pod: &Value) -> Vec<FieldError> {
    Vec::new()
}
