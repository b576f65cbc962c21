//! Which objects can be, and the words for those that can't.

mod affinity;
mod app_armor;
mod container;
mod containers;
mod data;
mod dns;
mod env;
mod event;
mod handler;
mod label_keys;
mod lease;
mod limit_range;
mod metadata;
mod node;
mod path;
mod pod;
mod pod_template;
mod ports;
pub(super) mod priority_class;
pub(super) mod resource_names;
pub(super) mod resource_quota;
mod resources;
pub(super) mod runtime_class;
mod scheduling;
mod security;
mod selector;
mod volume;
mod volume_mounts;

use serde_json::Value;

use super::{
    field_error::{Errors, FieldError, Path},
    rejection::Rejection,
};
use crate::store::Resource;

/// Checks an object whose defaults are filled in.
///
/// # Errors
/// All of its mistakes.
pub fn validate(resource: Resource, object: &Value) -> Result<(), Rejection> {
    Rejection::of_fields(resource, object, mistakes(resource, object)?)
}

/// The mistakes of an object whose defaults are filled in.
///
/// # Errors
/// An object that can't be read.
pub(super) fn mistakes(resource: Resource, object: &Value) -> Result<Vec<FieldError>, Rejection> {
    let mut errors = Errors::default();
    metadata::check(resource, object, &mut errors);
    match resource {
        Resource::Pods => {
            let typed = serde_json::from_value(object.clone());
            let typed = typed.map_err(|error| Rejection::BadRequest(error.to_string()))?;
            pod::check(&typed, &mut errors);
            app_armor::by_annotation(object, &mut errors);
        }
        Resource::ConfigMaps => data::config_map(object, &mut errors),
        Resource::Secrets => data::secret(object, &mut errors),
        Resource::Events => event::check(object, &mut errors),
        Resource::PriorityClasses => priority_class::check(object, &mut errors),
        Resource::Leases => lease::check(object, &mut errors),
        Resource::LimitRanges => limit_range::check(object, &mut errors),
        Resource::PodTemplates => pod_template::check(object, &mut errors)?,
        Resource::ResourceQuotas => resource_quota::check(object, &mut errors),
        Resource::RuntimeClasses => runtime_class::check(object, &mut errors),
        Resource::Nodes => node::check(object, &mut errors),
        Resource::Namespaces | Resource::ServiceAccounts => {}
    }
    Ok(errors.into_inner())
}

/// Checks a pod from the node's directory of static pods.
///
/// # Errors
/// All of its mistakes.
pub fn validate_static_pod(pod: &Value) -> Result<(), Rejection> {
    validate(Resource::Pods, pod)
}

/// What a pod may only get later.
pub(super) fn on_create(pod: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::new("spec");
    let spec = &pod["spec"];
    let has = |field: &str| spec[field].as_array().is_some_and(|list| !list.is_empty());
    if has("ephemeralContainers") {
        errors.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
    if has("schedulingGates") && spec["nodeName"].as_str().is_some_and(|node| !node.is_empty()) {
        errors.forbidden(
            &path.child("nodeName"),
            "cannot be set until all schedulingGates have been cleared",
        );
    }
    app_armor::both_ways(pod, &mut errors);
    errors.into_inner()
}

#[cfg(test)]
mod tests;
