//! Paths inside volumes and on the node.

use crate::api::admission::field_error::{Errors, Path};

/// No `..` on the way.
pub(super) fn no_backsteps(target: &str, path: &Path, errors: &mut Errors) {
    if target.split('/').any(|part| part == "..") {
        errors.invalid(path, target, "must not contain '..'");
    }
}

/// Relative, and never upwards.
pub(super) fn descending(target: &str, path: &Path, errors: &mut Errors) {
    if target.starts_with('/') {
        errors.invalid(path, target, "must be a relative path");
    }
    no_backsteps(target, path, errors);
}

/// Descending, and not among the names that the kubelet keeps for itself.
pub(super) fn non_reserved(target: &str, path: &Path, errors: &mut Errors) {
    descending(target, path, errors);
    if target.starts_with("..") && !target.starts_with("../") && target != ".." {
        errors.invalid(path, target, "must not start with '..'");
    }
}
