//! PodTemplates (`pkg/apis/core/validation`, `ValidatePodTemplateSpec`).

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{metadata, pod};
use crate::api::admission::{
    field_error::{Errors, Path},
    rejection::Rejection,
};

/// Checks the template of a pod.
///
/// # Errors
/// A template that can't be read.
pub(super) fn check(object: &Value, errors: &mut Errors) -> Result<(), Rejection> {
    let (template, path) = (&object["template"], Path::new("template"));
    metadata::labels(&template["metadata"]["labels"], &path.child("labels"), errors);
    metadata::annotations(&template["metadata"]["annotations"], &path.child("annotations"), errors);
    let typed: Pod = serde_json::from_value(json!({"metadata": template["metadata"], "spec": template["spec"]}))
        .map_err(|error| Rejection::BadRequest(error.to_string()))?;
    pod::template(&typed, &path, errors);
    let ephemeral = &template["spec"]["ephemeralContainers"];
    if ephemeral.as_array().is_some_and(|containers| !containers.is_empty()) {
        errors.forbidden(
            &path.child("spec").child("ephemeralContainers"),
            "ephemeral containers not allowed in pod template",
        );
    }
    Ok(())
}
