//! Label selectors inside a pod's spec.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::metadata;
use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// Checks a label selector.
pub(super) fn check(selector: &LabelSelector, path: &Path, errors: &mut Errors) {
    let labels = serde_json::to_value(&selector.match_labels).unwrap_or_default();
    metadata::labels(&labels, &path.child("matchLabels"), errors);
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        let path = path.child("matchExpressions").index(index);
        let values = requirement.values.as_deref().unwrap_or_default();
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => errors.required(
                &path.child("values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.forbidden(
                &path.child("values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
        }
        errors.invalid_each(&path.child("key"), &requirement.key, names::qualified(&requirement.key));
        for (index, value) in values.iter().enumerate() {
            errors.invalid_each(&path.child("values").index(index), value, names::label_value(value));
        }
    }
}
