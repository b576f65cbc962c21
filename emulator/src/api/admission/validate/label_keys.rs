//! `matchLabelKeys` and `mismatchLabelKeys` beside a label selector, into which they have been merged.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// Checks the keys that are to match, and those that are not to.
pub(super) fn check(
    matching: &[String],
    mismatching: &[String],
    selector: Option<&LabelSelector>,
    path: &Path,
    errors: &mut Errors,
) {
    for (field, keys) in [("matchLabelKeys", matching), ("mismatchLabelKeys", mismatching)] {
        let path = path.child(field);
        if !keys.is_empty() && selector.is_none() {
            errors.forbidden(&path, "must not be specified when labelSelector is not set");
            continue;
        }
        for (index, key) in keys.iter().enumerate() {
            errors.invalid_each(&path.index(index), key, names::qualified(key));
        }
    }
    for (index, key) in matching.iter().enumerate() {
        // Once it is there because it was merged.
        if selector.is_some_and(|selector| conditions(selector, key) > 1) {
            // The server leaves out the field's name.
            errors.invalid(
                &path.index(index),
                key.as_str(),
                "exists in both matchLabelKeys and labelSelector",
            );
        }
        if mismatching.contains(key) {
            errors.invalid(
                &path.child("matchLabelKeys").index(index),
                key.as_str(),
                "exists in both matchLabelKeys and mismatchLabelKeys",
            );
        }
    }
}

/// How many conditions a selector has on one label.
fn conditions(selector: &LabelSelector, key: &str) -> usize {
    let labels = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    labels.filter(|(label, _)| *label == key).count() + expressions.filter(|one| one.key == key).count()
}
