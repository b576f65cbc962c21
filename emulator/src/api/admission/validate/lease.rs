//! Leases (`pkg/apis/coordination/validation`).

use serde_json::Value;

use crate::api::admission::field_error::{Errors, Path};

/// Checks a lease.
pub(super) fn check(lease: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let spec = &lease["spec"];
    if let Some(seconds) = spec["leaseDurationSeconds"].as_i64().filter(|seconds| *seconds <= 0) {
        errors.invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    if let Some(count) = spec["leaseTransitions"].as_i64().filter(|count| *count < 0) {
        errors.invalid(
            &path.child("leaseTransitions"),
            count,
            "must be greater than or equal to 0",
        );
    }
}
