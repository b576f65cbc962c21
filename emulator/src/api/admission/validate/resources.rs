//! Requests and limits.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity as Text};

use crate::api::admission::{
    field_error::{Errors, Path},
    names,
    quantity::Quantity,
};

type Amounts = BTreeMap<String, Text>;

/// Checks the resources of a container; or of a pod as a whole, which can have fewer kinds.
pub(super) fn check(resources: &ResourceRequirements, pod_level: bool, path: &Path, errors: &mut Errors) {
    let empty = Amounts::new();
    let limits = resources.limits.as_ref().unwrap_or(&empty);
    let requests = resources.requests.as_ref().unwrap_or(&empty);
    let mut huge = false;
    let mut usual = false;
    for (field, amounts) in [("limits", limits), ("requests", requests)] {
        for (name, text) in amounts {
            let path = path.child(field).key(name);
            check_name(name, pod_level, &path, errors);
            check_amount(name, text, &path, errors);
            huge |= name.starts_with("hugepages-");
            usual |= matches!(name.as_str(), "cpu" | "memory");
        }
    }
    let request_path = path.child("requests");
    for (name, text) in requests {
        let request = amount(text);
        match limits.get(name) {
            Some(limit) if !overcommits(name) && request != amount(limit) => errors.invalid(
                &request_path,
                text.0.as_str(),
                format!("must be equal to {name} limit of {}", limit.0),
            ),
            Some(limit) if request > amount(limit) => errors.invalid(
                &request_path,
                text.0.as_str(),
                format!("must be less than or equal to {name} limit of {}", limit.0),
            ),
            None if !overcommits(name) => {
                errors.required(
                    &path.child("limits"),
                    "Limit must be set for non overcommitable resources",
                );
            }
            _ => {}
        }
    }
    if huge && !usual {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
}

fn amount(text: &Text) -> Quantity {
    text.0.parse().unwrap_or(Quantity::ZERO)
}

/// Whether more may be promised of a resource than there is.
fn overcommits(name: &str) -> bool {
    !name.contains('/') && !name.starts_with("hugepages-")
}

fn check_name(name: &str, pod_level: bool, path: &Path, errors: &mut Errors) {
    errors.invalid_each(path, name, names::qualified(name));
    let standard = matches!(name, "cpu" | "memory") || name.starts_with("hugepages-");
    if pod_level {
        if !standard {
            errors.not_supported(path, name, &["cpu", "hugepages-", "memory"]);
        }
    } else if !name.contains('/') && !standard && name != "ephemeral-storage" {
        errors.invalid(path, name, "must be a standard resource type or fully qualified");
        errors.invalid(path, name, "must be a standard resource for containers");
    }
}

/// Checks one amount.
pub(super) fn check_amount(name: &str, text: &Text, path: &Path, errors: &mut Errors) {
    let amount = amount(text);
    if amount < Quantity::ZERO {
        errors.invalid(path, text.0.as_str(), "must be greater than or equal to 0");
    }
    // What comes in pieces comes in whole ones.
    if name.contains('/') && amount.millis() % 1000 != 0 {
        errors.invalid(path, text.0.as_str(), "must be an integer");
    }
}
