//! Pod Security admission: pods below the level that the labels of their namespace ask for are refused or warned of
//! (`k8s.io/pod-security-admission`). Nobody is exempt. Audit annotations have no audit log to go to.

mod checks;
mod level;
mod namespace;
mod subject;
mod violation;

use serde_json::Value;

pub(super) use self::namespace::{label_errors, warnings as namespace_warnings};
use self::{
    level::policy,
    subject::Subject,
    violation::{details, reasons},
};
pub use self::{
    level::{Level, LevelVersion, Version},
    violation::Violation,
};

/// Every check of a level that a pod, or the template of one, fails.
pub fn violations(policy: LevelVersion, pod: &Value) -> Vec<Violation> {
    checks::failed(policy, Subject::of(pod))
}

/// Why the policy of a namespace refuses a pod, or the change of one.
pub(super) fn refusal(namespace: &Value, old: Option<&Value>, pod: &Value) -> Option<String> {
    let (policy, _) = policy(&namespace["metadata"]["labels"]);
    if old.is_some_and(|old| !is_significant(old, pod)) {
        return None;
    }
    let found = violations(policy.enforce, pod);
    (!found.is_empty()).then(|| format!("violates PodSecurity \"{}\": {}", policy.enforce, details(&found)))
}

/// What the policy of a namespace warns of in a pod that it has not refused, or in the template of one.
pub(super) fn warning(namespace: &Value, old: Option<&Value>, pod: &Value) -> Option<String> {
    let (policy, _) = policy(&namespace["metadata"]["labels"]);
    if old.is_some_and(|old| !is_significant(old, pod)) {
        return None;
    }
    let found = violations(policy.warn, pod);
    (!found.is_empty()).then(|| format!("would violate PodSecurity \"{}\": {}", policy.warn, details(&found)))
}

/// Whether an update changes what a policy is about: an image, or which containers there are.
fn is_significant(old: &Value, new: &Value) -> bool {
    let list = |pod: &Value, list: &str| -> Vec<Value> {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        containers.map(|container| container["image"].clone()).collect()
    };
    if ["containers", "initContainers"]
        .iter()
        .any(|name| list(old, name) != list(new, name))
    {
        return true;
    }
    let ephemeral = |pod: &Value| {
        pod["spec"]["ephemeralContainers"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let before = ephemeral(old);
    ephemeral(new).iter().any(|container| {
        let same = before.iter().find(|one| one["name"] == container["name"]);
        same.is_none_or(|same| same["image"] != container["image"])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn namespace(level: &str) -> Value {
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}})
    }

    #[test]
    fn refusal_names_policy_and_every_violation() {
        let pod = json!({"spec": {"hostNetwork": true, "containers": [{"name": "a", "securityContext": {"privileged": true}}]}});
        assert_eq!(
            refusal(&namespace("baseline"), None, &pod).unwrap(),
            "violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true), privileged (container \"a\" \
             must not set securityContext.privileged=true)"
        );
        assert_eq!(refusal(&namespace("privileged"), None, &pod), None);
        assert_eq!(refusal(&json!({}), None, &pod), None);
    }

    #[test]
    fn update_is_checked_only_if_images_or_containers_change() {
        let pod = json!({"spec": {"hostPID": true, "containers": [{"name": "a", "image": "b:1"}]}});
        let mut relabelled = pod.clone();
        relabelled["metadata"] = json!({"labels": {"x": "y"}});
        let mut other_image = pod.clone();
        other_image["spec"]["containers"][0]["image"] = json!("b:2");
        let mut debugged = pod.clone();
        debugged["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "c"}]);
        let is_refused = |new: &Value| refusal(&namespace("baseline"), Some(&pod), new).is_some();
        assert!(!is_refused(&relabelled));
        assert!(is_refused(&other_image));
        assert!(is_refused(&debugged));
        assert!(refusal(&namespace("baseline"), Some(&debugged), &debugged).is_none());
    }
}
