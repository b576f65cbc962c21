//! Names, labels, annotations.

use serde_json::Value;

use crate::{
    api::admission::{
        field_error::{Errors, Path},
        names,
    },
    store::Resource,
};

/// All annotations of an object together.
const MOST_ANNOTATION_BYTES: usize = 256 * 1024;

/// Checks an object's metadata.
pub(super) fn check(resource: Resource, object: &Value, errors: &mut Errors) {
    let metadata = &object["metadata"];
    let path = Path::new("metadata");
    let text = |field: &str| metadata[field].as_str().unwrap_or_default();
    let rule: fn(&str) -> Vec<String> = match resource {
        Resource::Namespaces => names::dns_label,
        _ => names::dns_subdomain,
    };
    let prefix = text("generateName");
    if !prefix.is_empty() {
        // What follows the prefix is a letter or digit, so a trailing dash is no mistake.
        let probe = match prefix.strip_suffix('-') {
            Some(start) if !start.is_empty() => format!("{start}a"),
            _ => prefix.to_owned(),
        };
        errors.invalid_each(&path.child("generateName"), prefix, rule(&probe));
    }
    match text("name") {
        "" => errors.required(&path.child("name"), "name or generateName is required"),
        name => errors.invalid_each(&path.child("name"), name, rule(name)),
    }
    if resource.namespaced() {
        match text("namespace") {
            "" => errors.required(&path.child("namespace"), ""),
            namespace => errors.invalid_each(&path.child("namespace"), namespace, names::dns_label(namespace)),
        }
    }
    labels(&metadata["labels"], &path.child("labels"), errors);
    annotations(&metadata["annotations"], &path.child("annotations"), errors);
    for (index, finalizer) in metadata["finalizers"].as_array().into_iter().flatten().enumerate() {
        let finalizer = finalizer.as_str().unwrap_or_default();
        errors.invalid_each(
            &path.child("finalizers").index(index),
            finalizer,
            names::qualified(finalizer),
        );
    }
    for (index, owner) in metadata["ownerReferences"].as_array().into_iter().flatten().enumerate() {
        let path = path.child("ownerReferences").index(index);
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                errors.invalid(
                    &path.child(field),
                    "",
                    if field == "apiVersion" {
                        "version must not be empty".to_owned()
                    } else {
                        format!("{field} must not be empty")
                    },
                );
            }
        }
    }
}

/// Checks a map of annotations.
pub(super) fn annotations(annotations: &Value, path: &Path, errors: &mut Errors) {
    let mut bytes = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        // An annotation's key may be in capitals, unlike a label's prefix.
        errors.invalid_each(path, key, names::qualified(&key.to_lowercase()));
        bytes += key.len() + value.as_str().unwrap_or_default().len();
    }
    if bytes > MOST_ANNOTATION_BYTES {
        errors.too_long(path, MOST_ANNOTATION_BYTES);
    }
}

/// Checks a map of labels.
pub(super) fn labels(labels: &Value, path: &Path, errors: &mut Errors) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        errors.invalid_each(path, key, names::qualified(key));
        let value = value.as_str().unwrap_or_default();
        errors.invalid_each(path, value, names::label_value(value));
    }
}
