//! The labels of a namespace: whether they can be read, and which of its pods a new policy would not take.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{Level, policy, reasons, violations};
use crate::api::admission::field_error::FieldError;

/// What is wrong with the labels of a namespace; of an update, what was not wrong in the same way before.
pub(in crate::api::admission) fn label_errors(old: Option<&Value>, new: &Value) -> Vec<FieldError> {
    let errors = |namespace: &Value| policy(&namespace["metadata"]["labels"]).1;
    let wrong = errors(new);
    if old.is_some_and(|old| errors(old) == wrong) {
        return Vec::new();
    }
    wrong
}

/// Whether an update asks for more than before, so that the pods have to be looked at.
fn is_stricter(old: &Value, new: &Value) -> bool {
    let enforce = |namespace: &Value| policy(&namespace["metadata"]["labels"]).0.enforce;
    let (old, new) = (enforce(old), enforce(new));
    let is_relaxed = new.version == old.version && new.level <= old.level;
    new != old && new.level != Level::Privileged && !is_relaxed
}

/// The warnings of an update: the pods that the new level would not take, by what is wrong with them.
pub(in crate::api::admission) fn warnings(old: &Value, new: &Value, pods: &[Arc<Value>]) -> Vec<String> {
    if !is_stricter(old, new) {
        return Vec::new();
    }
    let enforce = policy(&new["metadata"]["labels"]).0.enforce;
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in pods {
        let wrong = violations(enforce, pod);
        if !wrong.is_empty() {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            found.entry(reasons(&wrong)).or_default().push(name);
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    let name = new["metadata"]["name"].as_str().unwrap_or_default();
    let mut lines: Vec<String> = found
        .into_iter()
        .map(|(reasons, names)| {
            let first = names.iter().min().copied().unwrap_or_default();
            match names.len() - 1 {
                0 => format!("{first}: {reasons}"),
                1 => format!("{first} (and 1 other pod): {reasons}"),
                others => format!("{first} (and {others} other pods): {reasons}"),
            }
        })
        .collect();
    lines.sort_unstable();
    lines.insert(
        0,
        format!("existing pods in namespace \"{name}\" violate the new PodSecurity enforce level \"{enforce}\""),
    );
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn namespace(labels: &Value) -> Value {
        json!({"metadata": {"name": "n", "labels": labels}})
    }

    fn pod(name: &str, spec: &Value) -> Arc<Value> {
        Arc::new(json!({"metadata": {"name": name}, "spec": spec}))
    }

    #[test]
    fn stricter_level_warns_of_pods_that_violate_it() {
        let pods = [
            pod("c", &json!({"hostPID": true})),
            pod("b", &json!({"hostIPC": true})),
            pod(
                "a",
                &json!({"hostPID": true, "volumes": [{"name": "v", "hostPath": {}}]}),
            ),
            pod("d", &json!({})),
        ];
        let enforce = |level: &str| namespace(&json!({"pod-security.kubernetes.io/enforce": level}));
        assert_eq!(
            warnings(&namespace(&json!({})), &enforce("baseline"), &pods),
            [
                "existing pods in namespace \"n\" violate the new PodSecurity enforce level \"baseline:latest\"",
                "a: host namespaces, hostPath volumes",
                "b (and 1 other pod): host namespaces",
            ]
        );
        let none: Vec<String> = Vec::new();
        assert_eq!(warnings(&enforce("restricted"), &enforce("baseline"), &pods), none);
        assert_eq!(warnings(&enforce("baseline"), &enforce("privileged"), &pods), none);
        assert_eq!(warnings(&namespace(&json!({})), &enforce("baseline"), &pods[3..]), none);
    }

    #[test]
    fn invalid_labels_that_stay_are_let_pass() {
        let wrong = namespace(&json!({"pod-security.kubernetes.io/enforce": "x"}));
        assert_eq!(label_errors(None, &wrong).len(), 1);
        assert_eq!(label_errors(Some(&wrong), &wrong), []);
        let more =
            namespace(&json!({"pod-security.kubernetes.io/enforce": "x", "pod-security.kubernetes.io/warn": "y"}));
        assert_eq!(label_errors(Some(&wrong), &more).len(), 2);
    }
}
