//! What may be changed in an object that exists.

use serde_json::{Value, json};

use super::{
    AdmissionContext, defaults,
    field_error::{Errors, Path},
    rejection::Rejection,
    tolerations, tree, validate,
};
use crate::store::Resource;

/// Fields of the metadata that only the server sets.
const SERVERS_OWN: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
];

/// What a pod's update may change, as the refusal lists it.
const CHANGEABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
    `spec.tolerations` (only additions to existing tolerations),\
    `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Makes a decoded object ready to be stored in place of `old`.
///
/// # Errors
/// Why the change is refused.
pub fn admit_update(
    resource: Resource,
    old: &Value,
    new: &mut Value,
    context: &AdmissionContext<'_>,
) -> Result<(), Rejection> {
    keep_servers_own(old, new);
    defaults::apply(resource, new);
    match resource {
        Resource::Pods => {
            tolerations::apply(new);
            // Its status has a path of its own.
            copy(old, new, "status");
            if new["spec"] != old["spec"] {
                raise_generation(new);
            }
        }
        Resource::Namespaces | Resource::Nodes => {
            copy(old, new, "status");
            if resource == Resource::Namespaces {
                copy(old, new, "spec");
            }
        }
        _ => {}
    }
    let _ = context;
    metadata_unchanged(resource, old, new)?;
    validate::validate(resource, new)?;
    let errors = match resource {
        Resource::Pods => pod_changes(old, new),
        Resource::ConfigMaps | Resource::Secrets => stays_immutable(resource, old, new),
        _ => Errors::default(),
    };
    Rejection::of_fields(resource, new, errors.into_inner())
}

/// Makes `new` the object with nothing but its status (and metadata that a status update may carry) changed.
///
/// # Errors
/// Why the change is refused.
pub fn admit_status(resource: Resource, old: &Value, new: &mut Value) -> Result<(), Rejection> {
    keep_servers_own(old, new);
    copy(old, new, "spec");
    metadata_unchanged(resource, old, new)?;
    if resource == Resource::Pods {
        copy_within(old, new, "metadata", "ownerReferences");
        // The class is decided once.
        if !old["status"]["qosClass"].is_null() {
            tree::object_or_new(new, "status")["qosClass"] = old["status"]["qosClass"].clone();
        }
    }
    Ok(())
}

/// Makes `new` the pod with nothing but ephemeral containers added.
///
/// # Errors
/// Why the change is refused.
pub fn admit_ephemeral_containers(old: &Value, new: &mut Value) -> Result<(), Rejection> {
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
    for before in old["spec"]["ephemeralContainers"].as_array().into_iter().flatten() {
        let after = result["spec"]["ephemeralContainers"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["name"] == before["name"]);
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
    if super::service_account::is_mirror(old) {
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
    Rejection::of_fields(Resource::Pods, new, errors.into_inner())
}

/// Makes `new` the pod with nothing but the resources of its containers changed.
///
/// # Errors
/// Why the change is refused.
pub fn admit_resize(old: &Value, new: &mut Value) -> Result<(), Rejection> {
    let mut result = old.clone();
    for list in ["containers", "initContainers"] {
        let wanted = new["spec"][list].as_array().cloned().unwrap_or_default();
        for container in tree::items(&mut result["spec"], list) {
            if let Some(one) = wanted.iter().find(|one| one["name"] == container["name"]) {
                container["resources"] = one["resources"].clone();
                if !one["resizePolicy"].is_null() {
                    container["resizePolicy"] = one["resizePolicy"].clone();
                }
            }
        }
    }
    defaults::apply(Resource::Pods, &mut result);
    let mut errors = Errors::default();
    if super::qos_class(&result["spec"]) != old["status"]["qosClass"].as_str().unwrap_or_default() {
        errors.invalid(
            &Path::new("spec"),
            super::qos_class(&result["spec"]),
            "Pod QOS Class may not change as a result of resizing",
        );
    }
    result["metadata"]["resourceVersion"] = new["metadata"]["resourceVersion"].clone();
    drop_null(&mut result["metadata"], "resourceVersion");
    *new = result;
    if new["spec"] != old["spec"] {
        raise_generation(new);
    }
    validate::validate(Resource::Pods, new)?;
    Rejection::of_fields(Resource::Pods, new, errors.into_inner())
}

fn drop_null(value: &mut Value, field: &str) {
    if let Some(map) = value.as_object_mut()
        && map.get(field).is_some_and(Value::is_null)
    {
        map.shift_remove(field);
    }
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => to[field] = value.clone(),
        None => {
            if let Some(map) = to.as_object_mut() {
                map.shift_remove(field);
            }
        }
    }
}

fn copy_within(from: &Value, to: &mut Value, outer: &str, field: &str) {
    if let Some(from) = from.get(outer) {
        copy(from, tree::object_or_new(to, outer), field);
    }
}

/// What a client says about the server's own fields is not heard, but a wrong `uid` is a conflict of its own.
fn keep_servers_own(old: &Value, new: &mut Value) {
    for field in SERVERS_OWN {
        let given = &new["metadata"][field];
        if field == "uid" && given.as_str().is_some_and(|uid| !uid.is_empty()) {
            continue;
        }
        copy_within(old, new, "metadata", field);
    }
    if new["metadata"]["namespace"].as_str().unwrap_or_default().is_empty() {
        copy_within(old, new, "metadata", "namespace");
    }
}

fn raise_generation(new: &mut Value) {
    let generation = new["metadata"]["generation"].as_i64().unwrap_or_default();
    new["metadata"]["generation"] = (generation + 1).into();
}

fn metadata_unchanged(resource: Resource, old: &Value, new: &Value) -> Result<(), Rejection> {
    let mut errors = Errors::default();
    let path = Path::new("metadata");
    for field in ["name", "namespace", "uid"] {
        let (before, after) = (&old["metadata"][field], &new["metadata"][field]);
        if before != after {
            errors.invalid(&path.child(field), after.clone(), "field is immutable");
        }
    }
    // The name in the answer is the one that was asked for.
    Rejection::of_fields(resource, old, errors.into_inner())
}

fn stays_immutable(resource: Resource, old: &Value, new: &Value) -> Errors {
    let mut errors = Errors::default();
    let root = |field: &str| Path::new(field);
    if old["immutable"] == true {
        if new["immutable"] != true {
            errors.forbidden(&root("immutable"), "field is immutable when `immutable` is set");
        }
        for field in ["data", "binaryData"] {
            if old[field] != new[field] {
                errors.forbidden(&root(field), "field is immutable when `immutable` is set");
            }
        }
    }
    if resource == Resource::Secrets && old["type"] != new["type"] {
        errors.invalid(&root("type"), new["type"].clone(), "field is immutable");
    }
    errors
}

/// Everything of a pod's spec stays, but for the few fields that may change in a few ways.
fn pod_changes(old: &Value, new: &Value) -> Errors {
    let mut errors = Errors::default();
    let spec = Path::new("spec");
    let (before, after) = (&old["spec"], &new["spec"]);
    let mut munged = after.clone();
    for list in ["containers", "initContainers"] {
        let count = |spec: &Value| spec[list].as_array().map_or(0, Vec::len);
        if count(before) != count(after) {
            errors.forbidden(&spec.child(list), "pod updates may not add or remove containers");
            return errors;
        }
        for (index, container) in tree::items(&mut munged, list).enumerate() {
            container["image"] = before[list][index]["image"].clone();
            drop_null(container, "image");
        }
    }
    if !deadline_change(before, after, &mut errors) {
        return errors;
    }
    copy(before, &mut munged, "activeDeadlineSeconds");
    toleration_changes(before, after, &mut errors);
    copy(before, &mut munged, "tolerations");
    gate_changes(before, after, &mut errors);
    copy(before, &mut munged, "schedulingGates");
    let grace = |spec: &Value| spec["terminationGracePeriodSeconds"].as_i64().unwrap_or_default();
    if grace(before) < 0 && grace(after) == 1 {
        copy(before, &mut munged, "terminationGracePeriodSeconds");
    }
    let gated = before["schedulingGates"]
        .as_array()
        .is_some_and(|gates| !gates.is_empty());
    if gated {
        node_selector_change(before, after, &mut errors);
        copy(before, &mut munged, "nodeSelector");
    }
    if munged != *before {
        let changed = changed_fields(before, &munged).join(", ");
        errors.forbidden(
            &spec,
            format!("pod updates may not change fields other than {CHANGEABLE}\n{changed}"),
        );
    }
    errors
}

/// Whether the rest is worth checking.
fn deadline_change(before: &Value, after: &Value, errors: &mut Errors) -> bool {
    let path = Path::new("spec").child("activeDeadlineSeconds");
    let deadline = |spec: &Value| spec["activeDeadlineSeconds"].as_i64();
    match (deadline(before), deadline(after)) {
        (_, Some(new)) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            errors.invalid(&path, new, "must be between 0 and 2147483647, inclusive");
            false
        }
        (Some(old), Some(new)) if old < new => {
            errors.invalid(&path, new, "must be less than or equal to previous value");
            false
        }
        (Some(_), None) => {
            errors.invalid(
                &path,
                Value::Null,
                "must not update from a positive integer to nil value",
            );
            true
        }
        _ => true,
    }
}

fn toleration_changes(before: &Value, after: &Value, errors: &mut Errors) {
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Some(map) = toleration.as_object_mut() {
            map.shift_remove("tolerationSeconds");
        }
        toleration
    };
    let list = |spec: &Value| -> Vec<Value> {
        let tolerations = spec["tolerations"].as_array().into_iter().flatten();
        tolerations.map(without_seconds).collect()
    };
    let kept = list(after);
    if list(before).iter().any(|old| !kept.contains(old)) {
        errors.forbidden(
            &Path::new("spec").child("tolerations"),
            "existing toleration can not be modified except its tolerationSeconds",
        );
    }
}

fn gate_changes(before: &Value, after: &Value, errors: &mut Errors) {
    let path = Path::new("spec").child("schedulingGates");
    let old: Vec<&Value> = before["schedulingGates"].as_array().into_iter().flatten().collect();
    let new = after["schedulingGates"].as_array().into_iter().flatten();
    for (index, gate) in new.enumerate() {
        if !old.iter().any(|one| one["name"] == gate["name"]) {
            let name = gate["name"].as_str().unwrap_or_default();
            errors.forbidden(
                &path.index(index).child("name"),
                format!("only deletion is allowed, but found new scheduling gate '{name}'"),
            );
        }
    }
}

/// A pod that waits at a gate may be steered to fewer nodes, not to others.
fn node_selector_change(before: &Value, after: &Value, errors: &mut Errors) {
    for (key, value) in before["nodeSelector"].as_object().into_iter().flatten() {
        if after["nodeSelector"][key] != *value {
            let selector = after["nodeSelector"].clone();
            errors.invalid(
                &Path::new("spec").child("nodeSelector"),
                selector,
                "only additions are allowed (no mutations or deletions)",
            );
            return;
        }
    }
}

/// The first fields at which two trees part, for the reader of the refusal.
fn changed_fields(before: &Value, after: &Value) -> Vec<String> {
    fn walk(path: &Path2, before: &Value, after: &Value, found: &mut Vec<String>) {
        if before == after || found.len() >= 10 {
            return;
        }
        match (before, after) {
            (Value::Object(old), Value::Object(new)) => {
                let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    let path = format!("{path}.{key}");
                    walk(&path, &before[key], &after[key], found);
                }
            }
            (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    walk(&format!("{path}[{index}]"), old, new, found);
                }
            }
            _ => found.push(format!("{path}: {before} -> {after}")),
        }
    }
    type Path2 = String;
    let mut found = Vec::new();
    walk(&"spec".to_owned(), before, after, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: Value) -> Value {
        let mut pod = json!({"metadata": {"name": "p", "namespace": "n", "generation": 1}, "spec": spec});
        defaults::apply(Resource::Pods, &mut pod);
        tolerations::apply(&mut pod);
        pod
    }

    fn update(old: &Value, change: impl FnOnce(&mut Value)) -> Result<Value, String> {
        let mut new = old.clone();
        change(&mut new);
        let context = AdmissionContext {
            namespace: "n",
            now: jiff::Timestamp::UNIX_EPOCH,
            lookup: &|_| None,
        };
        admit_update(Resource::Pods, old, &mut new, &context)
            .map(|()| new)
            .map_err(|error| error.to_string())
    }

    fn simple() -> Value {
        pod(json!({"containers": [{"name": "a", "image": "b:1"}]}))
    }

    #[test]
    fn an_image_may_change_and_raises_the_generation() {
        let new = update(&simple(), |pod| pod["spec"]["containers"][0]["image"] = "b:2".into()).unwrap();
        assert_eq!(new["metadata"]["generation"], 2);
    }

    #[test]
    fn labels_change_without_a_new_generation() {
        let new = update(&simple(), |pod| pod["metadata"]["labels"] = json!({"a": "b"})).unwrap();
        assert_eq!(new["metadata"]["generation"], 1);
    }

    #[test]
    fn a_command_may_not_change() {
        let error = update(&simple(), |pod| pod["spec"]["containers"][0]["command"] = json!(["x"])).unwrap_err();
        assert!(
            error.starts_with("Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"),
            "{error}"
        );
    }

    #[test]
    fn gates_can_only_go() {
        let gated = pod(json!({"containers": [{"name": "a", "image": "b:1"}], "schedulingGates": [{"name": "x.y/g"}]}));
        assert!(update(&gated, |pod| pod["spec"]["schedulingGates"] = json!([])).is_ok());
        let error = update(&gated, |pod| {
            pod["spec"]["schedulingGates"] = json!([{"name": "x.y/h"}])
        })
        .unwrap_err();
        assert!(
            error.contains("only deletion is allowed, but found new scheduling gate 'x.y/h'"),
            "{error}"
        );
    }

    #[test]
    fn the_name_stays() {
        let error = update(&simple(), |pod| pod["metadata"]["name"] = "q".into()).unwrap_err();
        assert_eq!(
            error,
            "Pod \"p\" is invalid: metadata.name: Invalid value: \"q\": field is immutable"
        );
    }
}
