//! The resources of a node.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;

use super::resources;
use crate::api::admission::field_error::{Errors, Path};

/// Checks the amounts in the status (`pkg/apis/core/validation`, `ValidateNodeResources`).
pub(super) fn check(node: &Value, errors: &mut Errors) {
    for field in ["capacity", "allocatable"] {
        let path = Path::new("status").child(field);
        for (name, amount) in node["status"][field].as_object().into_iter().flatten() {
            let amount = Quantity(amount.as_str().unwrap_or_default().to_owned());
            resources::check_amount(name, &amount, &path.child(name), errors);
        }
    }
}
