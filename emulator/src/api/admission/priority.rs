//! A pod's priority, from the name of its class. The node has the two classes that every cluster has.

use serde_json::Value;

use super::tree;

const CLASSES: [(&str, i64); 2] = [
    ("system-cluster-critical", 2_000_000_000),
    ("system-node-critical", 2_000_001_000),
];

/// Sets `priority` and `preemptionPolicy`.
///
/// # Errors
/// Why the pod is forbidden.
pub(super) fn apply(pod: &mut Value) -> Result<(), String> {
    let spec = tree::object_or_new(pod, "spec");
    let class = spec
        .get("priorityClassName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let priority = if class.is_empty() {
        0
    } else {
        CLASSES
            .into_iter()
            .find_map(|(name, priority)| (name == class).then_some(priority))
            .ok_or_else(|| format!("no PriorityClass with name {class} was found"))?
    };
    if let Some(given) = spec.get("priority").and_then(Value::as_i64)
        && given != priority
    {
        return Err(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; \
             priority admission controller computed {priority} from the given PriorityClass name"
        ));
    }
    spec["priority"] = priority.into();
    let policy = spec.get("preemptionPolicy").and_then(Value::as_str).unwrap_or_default();
    if !policy.is_empty() && policy != "PreemptLowerPriority" {
        return Err(format!(
            "the string value of PreemptionPolicy ({policy}) must not be provided in pod spec; \
             priority admission controller computed PreemptLowerPriority from the given PriorityClass name"
        ));
    }
    spec["preemptionPolicy"] = "PreemptLowerPriority".into();
    Ok(())
}
