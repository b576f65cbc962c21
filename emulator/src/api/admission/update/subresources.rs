//! Parts of an object that have a path of their own: its status, ephemeral containers.

use serde_json::{Value, json};

use super::{
    keep::{copy, copy_within, drop_null},
    keep_servers_own, metadata_unchanged, raise_generation,
};
use crate::{
    api::admission::{
        AdmissionContext, check_policies, defaults,
        field_error::{Errors, Path},
        rejection::Rejection,
        service_account, tree, validate,
    },
    store::Resource,
};

/// Makes `new` the object with nothing but its status (and metadata that a status update may carry) changed.
///
/// # Errors
/// Why the change is refused.
pub fn admit_status(resource: Resource, old: &Value, new: &mut Value) -> Result<(), Rejection> {
    keep_servers_own(old, new);
    copy(old, new, "spec");
    metadata_unchanged(resource, old, new)?;
    if resource == Resource::ResourceQuotas {
        let mut errors = Errors::default();
        validate::resource_quota::status(&new["status"], &mut errors);
        Rejection::of_fields(resource, new, errors.into_inner())?;
    }
    if resource == Resource::Pods {
        copy_within(old, new, "metadata", "ownerReferences");
        // The class is decided once.
        if !old["status"]["qosClass"].is_null() {
            tree::object_or_new(new, "status")["qosClass"] = old["status"]["qosClass"].clone();
        }
    }
    if resource == Resource::Nodes {
        Rejection::of_fields(resource, new, validate::mistakes(resource, new)?)?;
    }
    Ok(())
}

/// Makes `new` the pod with nothing but ephemeral containers added.
///
/// # Errors
/// Why the change is refused.
pub fn admit_ephemeral_containers(
    old: &Value,
    new: &mut Value,
    context: &AdmissionContext<'_>,
) -> Result<(), Rejection> {
    let mut wanted = new["spec"]["ephemeralContainers"].clone();
    let mut result = old.clone();
    result["metadata"]["resourceVersion"] = new["metadata"]["resourceVersion"].clone();
    if wanted.is_null() {
        wanted = json!([]);
    }
    let mut errors = Errors::default();
    let path = Path::new("spec").child("ephemeralContainers");
    result["spec"]["ephemeralContainers"] = wanted;
    defaults::apply(Resource::Pods, &mut result);
    let mut kept = std::collections::HashMap::new();
    for one in result["spec"]["ephemeralContainers"].as_array().into_iter().flatten() {
        kept.entry(one["name"].as_str()).or_insert(one);
    }
    for before in old["spec"]["ephemeralContainers"].as_array().into_iter().flatten() {
        let after = kept.get(&before["name"].as_str()).copied();
        let name = before["name"].as_str().unwrap_or_default();
        match after {
            None => errors.forbidden(
                &path,
                format!("existing ephemeral containers \"{name}\" may not be removed\n"),
            ),
            Some(after) if after != before => {
                errors.forbidden(
                    &path,
                    format!("existing ephemeral containers \"{name}\" may not be changed\n"),
                );
            }
            Some(_) => {}
        }
    }
    if service_account::is_mirror(old) {
        return Err(Rejection::BadRequest(
            "static pods do not support ephemeral containers".into(),
        ));
    }
    *new = result;
    drop_null(&mut new["metadata"], "resourceVersion");
    if new["spec"] != old["spec"] {
        raise_generation(new);
    }
    validate::validate(Resource::Pods, new)?;
    Rejection::of_fields(Resource::Pods, new, errors.into_inner())?;
    check_policies(Resource::Pods, Some(old), new, context)
}
