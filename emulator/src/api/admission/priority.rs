//! A pod's priority, from its class (`plugin/pkg/admission/priority`).

use std::sync::Arc;

use serde_json::Value;

use super::tree;

/// The classes that every cluster has, with what they are for.
pub const SYSTEM_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
];

/// What a pod gets from its class.
struct Priority {
    class: String,
    value: i64,
    preemption: String,
}

/// Sets `priorityClassName`, `priority` and `preemptionPolicy`.
///
/// # Errors
/// Why the pod is forbidden.
pub(super) fn apply(pod: &mut Value, classes: &[Arc<Value>]) -> Result<(), String> {
    let spec = tree::object_or_new(pod, "spec");
    let class = spec
        .get("priorityClassName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let priority = of(class, classes)?;
    if let Some(given) = spec.get("priority").and_then(Value::as_i64)
        && given != priority.value
    {
        return Err(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; \
             priority admission controller computed {} from the given PriorityClass name",
            priority.value
        ));
    }
    let policy = spec.get("preemptionPolicy").and_then(Value::as_str).unwrap_or_default();
    if !policy.is_empty() && policy != priority.preemption {
        return Err(format!(
            "the string value of PreemptionPolicy ({policy}) must not be provided in pod spec; \
             priority admission controller computed {} from the given PriorityClass name",
            priority.preemption
        ));
    }
    if !priority.class.is_empty() {
        spec["priorityClassName"] = priority.class.into();
    }
    spec["priority"] = priority.value.into();
    spec["preemptionPolicy"] = priority.preemption.into();
    Ok(())
}

/// Keeps in a changed pod what admission had set in it, where the client has left it out.
pub(super) fn keep(old: &Value, new: &mut Value) {
    for field in ["priority", "preemptionPolicy"] {
        if new["spec"][field].is_null() && !old["spec"][field].is_null() {
            new["spec"][field] = old["spec"][field].clone();
        }
    }
}

/// Why a class may not be the default: there is one.
pub(super) fn second_default(class: &Value, classes: &[Arc<Value>]) -> Option<String> {
    if class["globalDefault"] != true {
        return None;
    }
    let name = &class["metadata"]["name"];
    let other = default(classes).filter(|other| other["metadata"]["name"] != *name)?;
    let other = other["metadata"]["name"].as_str().unwrap_or_default();
    Some(format!(
        "PriorityClass {other} is already marked as default. Only one default can exist"
    ))
}

fn of(class: &str, classes: &[Arc<Value>]) -> Result<Priority, String> {
    let found = if class.is_empty() {
        default(classes)
    } else {
        let mut all = classes.iter();
        let found = all.find(|one| one["metadata"]["name"] == class);
        Some(found.ok_or_else(|| format!("no PriorityClass with name {class} was found"))?)
    };
    let text = |value: &Value, otherwise: &str| value.as_str().unwrap_or(otherwise).to_owned();
    Ok(match found {
        None => Priority {
            class: String::new(),
            value: 0,
            preemption: "PreemptLowerPriority".to_owned(),
        },
        Some(class) => Priority {
            class: text(&class["metadata"]["name"], ""),
            value: class["value"].as_i64().unwrap_or_default(),
            preemption: text(&class["preemptionPolicy"], "PreemptLowerPriority"),
        },
    })
}

/// The default class; of several the lowest.
fn default(classes: &[Arc<Value>]) -> Option<&Arc<Value>> {
    let defaults = classes.iter().filter(|class| class["globalDefault"] == true);
    defaults.min_by_key(|class| class["value"].as_i64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn classes() -> Vec<Arc<Value>> {
        vec![
            Arc::new(json!({"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"})),
            Arc::new(json!({"metadata": {"name": "usual"}, "value": 10, "globalDefault": true})),
        ]
    }

    fn applied(spec: Value, classes: &[Arc<Value>]) -> Result<Value, String> {
        let mut pod = json!({ "spec": spec });
        apply(&mut pod, classes).map(|()| pod["spec"].take())
    }

    #[test]
    fn a_pod_has_the_priority_of_its_class_or_of_the_default() {
        let named = applied(json!({"priorityClassName": "high"}), &classes()).unwrap();
        assert_eq!(
            named,
            json!({"priorityClassName": "high", "priority": 1000, "preemptionPolicy": "Never"})
        );
        let unnamed = applied(json!({}), &classes()).unwrap();
        assert_eq!(
            unnamed,
            json!({"priorityClassName": "usual", "priority": 10, "preemptionPolicy": "PreemptLowerPriority"})
        );
        assert_eq!(applied(json!({}), &[]).unwrap()["priority"], 0);
    }

    #[test]
    fn other_priorities_are_refused() {
        let error = applied(json!({"priorityClassName": "none"}), &classes()).unwrap_err();
        assert_eq!(error, "no PriorityClass with name none was found");
        let error = applied(json!({"priorityClassName": "high", "priority": 5}), &classes()).unwrap_err();
        assert!(
            error.starts_with("the integer value of priority (5) must not be provided"),
            "{error}"
        );
        let second = json!({"metadata": {"name": "second"}, "globalDefault": true});
        assert_eq!(
            second_default(&second, &classes()).unwrap(),
            "PriorityClass usual is already marked as default. Only one default can exist"
        );
        let usual = json!({"metadata": {"name": "usual"}, "globalDefault": true});
        assert_eq!(second_default(&usual, &classes()), None);
    }
}
