//! Conditions of a pod that the control plane sets.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::time::seconds;

/// A condition that holds, with why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition {
    pub(crate) kind: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) message: &'static str,
}

impl Condition {
    /// Sets it in a pod; it keeps the moment since when it holds.
    pub(crate) fn set(self, pod: &mut Value, now: Timestamp) {
        let mut conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let before = conditions.iter().position(|condition| condition["type"] == self.kind);
        let held = before.is_some_and(|at| conditions[at]["status"] == "True");
        let mut condition = json!({"type": self.kind, "status": "True", "lastProbeTime": null});
        condition["lastTransitionTime"] = match before.filter(|_| held) {
            Some(at) => conditions[at]["lastTransitionTime"].clone(),
            None => seconds(now).into(),
        };
        if let Some(generation) = pod["metadata"]["generation"].as_i64() {
            condition["observedGeneration"] = generation.into();
        }
        for (field, text) in [("reason", self.reason), ("message", self.message)] {
            if !text.is_empty() {
                condition[field] = text.into();
            }
        }
        match before {
            Some(at) => conditions[at] = condition,
            None => conditions.push(condition),
        }
        pod["status"]["conditions"] = Value::Array(conditions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_the_moment_since_when_it_holds() {
        let condition = Condition {
            kind: "DisruptionTarget",
            reason: "EvictionByEvictionAPI",
            message: "Eviction API: evicting",
        };
        let mut pod = json!({"metadata": {"generation": 3}, "status": {"conditions": [{"type": "Ready"}]}});
        condition.set(&mut pod, "2026-01-01T00:00:00Z".parse().unwrap());
        condition.set(&mut pod, "2026-01-01T00:01:00Z".parse().unwrap());
        let conditions = pod["status"]["conditions"].as_array().unwrap();
        assert_eq!(conditions.len(), 2);
        assert_eq!(conditions[1]["lastTransitionTime"], "2026-01-01T00:00:00Z");
        assert_eq!(conditions[1]["observedGeneration"], 3);
        assert_eq!(conditions[1]["reason"], "EvictionByEvictionAPI");
    }
}
