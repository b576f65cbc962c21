//! Which names of resources there are (`pkg/apis/core/helper`), and what is wrong with others.

use crate::api::admission::{
    field_error::{Errors, Path},
    names,
    quantity::Quantity,
};

/// The resources that containers can have without a prefix, besides huge pages.
const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// The resources that a quota can limit without a prefix, besides huge pages.
const OF_QUOTAS: [&str; 19] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

/// The resources that are counted.
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// Whether a quota can limit a resource of this name as one of Kubernetes' own.
pub(super) fn is_standard_for_quotas(name: &str) -> bool {
    OF_QUOTAS.contains(&name) || name.starts_with("hugepages-") || name.starts_with("requests.hugepages-")
}

/// Whether a resource is Kubernetes' own.
pub(in crate::api::admission) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a resource is one that a device plugin or an administrator offers.
pub(in crate::api::admission) fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && names::qualified(&format!("requests.{name}")).is_empty()
}

/// Whether more of a resource may be promised than there is.
pub(super) fn can_be_overcommitted(name: &str) -> bool {
    is_native(name) && !name.starts_with("hugepages-")
}

/// Checks the name of any resource; returns whether nothing is wrong with it.
pub(super) fn any(name: &str, path: &Path, errors: &mut Errors) -> bool {
    let wrong = names::qualified(name);
    let is_qualified = wrong.is_empty();
    errors.invalid_each(path, name, wrong);
    let is_known = name.contains('/') || is_standard_for_quotas(name) || name == "storage";
    if is_qualified && !is_known {
        errors.invalid(path, name, "must be a standard resource type or fully qualified");
    }
    is_qualified && is_known
}

/// Checks the name of a resource of containers.
pub(super) fn of_container(name: &str, path: &Path, errors: &mut Errors) {
    any(name, path, errors);
    if !name.contains('/') {
        if !OF_CONTAINERS.contains(&name) && !name.starts_with("hugepages-") {
            errors.invalid(path, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.invalid(path, name, "doesn't follow extended resource name standard");
    }
}

/// Checks one limit of a quota: its name and its amount.
pub(super) fn of_quota(name: &str, amount: &str, path: &Path, errors: &mut Errors) {
    any(name, path, errors);
    if !name.contains('/') && !is_standard_for_quotas(name) {
        errors.invalid(path, name, "must be a standard resource for quota");
    }
    let parsed = amount.parse().unwrap_or(Quantity::ZERO);
    if parsed < Quantity::ZERO {
        errors.invalid(path, amount, "must be greater than or equal to 0");
    }
    let is_whole = COUNTED.contains(&name) || is_extended(name);
    if is_whole && parsed.millis() % 1000 != 0 {
        errors.invalid(path, amount, "must be an integer");
    }
}
