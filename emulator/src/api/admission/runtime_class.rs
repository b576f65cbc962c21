//! A pod's RuntimeClass: it must be there, and gives the pod overhead, node labels and tolerations
//! (`plugin/pkg/admission/runtimeclass`).

use std::sync::Arc;

use serde_json::Value;

use super::{quantity::Quantity, tree};

/// The class that a pod names.
pub(super) fn name(pod: &Value) -> Option<&str> {
    pod["spec"]["runtimeClassName"].as_str()
}

/// Applies a class to a pod.
///
/// # Errors
/// Why the pod is refused.
pub(super) fn apply(pod: &mut Value, class: Option<&Arc<Value>>) -> Result<(), String> {
    if let Some(missing) = name(pod).filter(|_| class.is_none()) {
        return Err(format!("pod rejected: RuntimeClass \"{missing}\" not found"));
    }
    let given = pod["spec"]["overhead"].clone();
    let fixed = class
        .map(|class| &class["overhead"]["podFixed"])
        .filter(|fixed| !fixed.is_null());
    match fixed {
        Some(fixed) if !given.is_null() && !same_amounts(fixed, &given) => {
            return Err("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead".to_owned());
        }
        Some(fixed) => pod["spec"]["overhead"] = fixed.clone(),
        None if !given.is_null() => {
            let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
            return Err(why.to_owned());
        }
        None => {}
    }
    match class.map(|class| &class["scheduling"]) {
        Some(scheduling) if scheduling.is_object() => schedule(&mut pod["spec"], scheduling),
        _ => Ok(()),
    }
}

/// Whether two lists of amounts are the same, however they are written.
fn same_amounts(one: &Value, other: &Value) -> bool {
    let amounts = |list: &Value| -> Vec<(String, Option<Quantity>)> {
        let list = list.as_object().into_iter().flatten();
        let mut list: Vec<_> = list
            .map(|(name, amount)| (name.clone(), amount.as_str().and_then(|text| text.parse().ok())))
            .collect();
        list.sort_by(|one, other| one.0.cmp(&other.0));
        list
    };
    amounts(one) == amounts(other)
}

/// Narrows a pod to the nodes of its class, and lets it tolerate their taints.
fn schedule(spec: &mut Value, scheduling: &Value) -> Result<(), String> {
    for (key, value) in scheduling["nodeSelector"].as_object().into_iter().flatten() {
        let selector = tree::object_or_new(spec, "nodeSelector");
        if let Some(own) = selector[key].as_str().filter(|own| own != value) {
            let value = value.as_str().unwrap_or_default();
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own}"
            ));
        }
        selector[key] = value.clone();
    }
    let of_class = scheduling["tolerations"].as_array().cloned().unwrap_or_default();
    if !of_class.is_empty() {
        let own = spec["tolerations"].as_array().cloned().unwrap_or_default();
        spec["tolerations"] = merged(own, of_class).into();
    }
    Ok(())
}

/// Both lists without those that another one covers (`pkg/util/tolerations`).
fn merged(own: Vec<Value>, of_class: Vec<Value>) -> Vec<Value> {
    let all: Vec<Value> = own.into_iter().chain(of_class).collect();
    let mut merged: Vec<Value> = Vec::new();
    for (index, toleration) in all.iter().enumerate() {
        let is_covered = merged.iter().any(|other| covers(other, toleration))
            || all[index + 1..]
                .iter()
                .any(|other| other != toleration && covers(other, toleration));
        if !is_covered {
            merged.push(toleration.clone());
        }
    }
    merged
}

/// Whether a toleration tolerates all that another one does.
fn covers(wide: &Value, narrow: &Value) -> bool {
    if wide == narrow {
        return true;
    }
    let text = |toleration: &Value, field: &str| toleration[field].as_str().unwrap_or_default().to_owned();
    let (key, operator, effect) = (text(wide, "key"), text(wide, "operator"), text(wide, "effect"));
    if key != text(narrow, "key") && !(key.is_empty() && operator == "Exists") {
        return false;
    }
    if effect != text(narrow, "effect") && !effect.is_empty() {
        return false;
    }
    if effect == "NoExecute"
        && let Some(seconds) = wide["tolerationSeconds"].as_i64()
        && narrow["tolerationSeconds"]
            .as_i64()
            .is_none_or(|narrow| narrow > seconds)
    {
        return false;
    }
    match operator.as_str() {
        "Exists" => true,
        "" | "Equal" => text(narrow, "operator") == "Equal" && text(wide, "value") == text(narrow, "value"),
        _ => false,
    }
}

/// Keeps in a changed pod the overhead that its class has given it, where the client has left it out.
pub(super) fn keep(old: &Value, new: &mut Value) {
    if new["spec"]["overhead"].is_null() && !old["spec"]["overhead"].is_null() {
        new["spec"]["overhead"] = old["spec"]["overhead"].clone();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class() -> Arc<Value> {
        Arc::new(json!({
            "handler": "runc",
            "overhead": {"podFixed": {"cpu": "250m", "memory": "64Mi"}},
            "scheduling": {
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "gpu", "operator": "Exists"}, {"key": "x", "operator": "Equal", "value": "1"}],
            },
        }))
    }

    fn applied(spec: Value) -> Result<Value, String> {
        let mut pod = json!({"spec": spec});
        apply(&mut pod, Some(&class())).map(|()| pod["spec"].take())
    }

    #[test]
    fn class_gives_overhead_labels_and_tolerations() {
        let spec = json!({"runtimeClassName": "c", "nodeSelector": {"a": "b"},
            "tolerations": [{"key": "gpu", "operator": "Equal", "value": "1"}, {"key": "y", "operator": "Exists"}]});
        let spec = applied(spec).unwrap();
        assert_eq!(spec["overhead"], json!({"cpu": "250m", "memory": "64Mi"}));
        assert_eq!(spec["nodeSelector"], json!({"a": "b", "disk": "ssd"}));
        assert_eq!(
            spec["tolerations"],
            json!([
                {"key": "y", "operator": "Exists"},
                {"key": "gpu", "operator": "Exists"},
                {"key": "x", "operator": "Equal", "value": "1"},
            ])
        );
    }

    #[test]
    fn pod_that_disagrees_with_its_class_is_refused() {
        assert!(applied(json!({"runtimeClassName": "c", "overhead": {"cpu": "0.25", "memory": "65536Ki"}})).is_ok());
        assert_eq!(
            applied(json!({"runtimeClassName": "c", "overhead": {"cpu": "1"}})).unwrap_err(),
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        );
        assert_eq!(
            applied(json!({"runtimeClassName": "c", "nodeSelector": {"disk": "hdd"}})).unwrap_err(),
            "conflict: runtimeClass.scheduling.nodeSelector[disk] = ssd; pod.spec.nodeSelector[disk] = hdd"
        );
    }

    #[test]
    fn unknown_class_and_overhead_without_one_are_refused() {
        let refused = |spec: Value| apply(&mut json!({"spec": spec}), None).unwrap_err();
        assert_eq!(
            refused(json!({"runtimeClassName": "kata"})),
            "pod rejected: RuntimeClass \"kata\" not found"
        );
        assert_eq!(
            refused(json!({"overhead": {"cpu": "1"}})),
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        );
    }
}
