//! What may be changed in a pod's spec.

use std::collections::HashSet;

use serde_json::Value;

use super::keep::{copy, drop_null};
use crate::api::admission::{
    field_error::{Errors, Path},
    tree,
};

/// What a pod's update may change, as the refusal lists it.
const CHANGEABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
    `spec.tolerations` (only additions to existing tolerations),\
    `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Everything of a pod's spec stays, but for the few fields that may change in a few ways.
pub(super) fn changes(old: &Value, new: &Value) -> Errors {
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
    // All of a toleration but its seconds.
    let list = |spec: &Value| -> HashSet<[Option<String>; 4]> {
        let tolerations = spec["tolerations"].as_array().into_iter().flatten();
        tolerations
            .map(|toleration| {
                ["key", "operator", "value", "effect"].map(|field| toleration[field].as_str().map(str::to_owned))
            })
            .collect()
    };
    let kept = list(after);
    if !list(before).is_subset(&kept) {
        errors.forbidden(
            &Path::new("spec").child("tolerations"),
            "existing toleration can not be modified except its tolerationSeconds",
        );
    }
}

fn gate_changes(before: &Value, after: &Value, errors: &mut Errors) {
    let path = Path::new("spec").child("schedulingGates");
    let old = before["schedulingGates"].as_array().into_iter().flatten();
    let old: HashSet<&str> = old.filter_map(|gate| gate["name"].as_str()).collect();
    let new = after["schedulingGates"].as_array().into_iter().flatten();
    for (index, gate) in new.enumerate() {
        let name = gate["name"].as_str().unwrap_or_default();
        if !old.contains(name) {
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
