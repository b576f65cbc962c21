//! The kind `EphemeralContainers`, which the subresource of that name took before Kubernetes 1.22: kubectl of that time
//! sends it, with the containers that it adds.

use serde_json::{Value, json};

/// The pod of that name that such a body stands for; none where it is of another kind. The body itself names none: its
/// sender could not read the pod that it was shown.
pub(super) fn as_pod(name: &str, body: &[u8]) -> Option<Value> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let containers = &body["ephemeralContainers"];
    (body["kind"] == "EphemeralContainers").then(|| {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"ephemeralContainers": containers},
        })
    })
}

/// Adds those that the pod has: such a client does not see them in the pod that it is shown.
pub(super) fn keep_those_there(old: &Value, new: &mut Value) {
    let list = |pod: &Value| {
        pod["spec"]["ephemeralContainers"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let mut all = list(old);
    for container in list(new) {
        if !all.iter().any(|there| there["name"] == container["name"]) {
            all.push(container);
        }
    }
    new["spec"]["ephemeralContainers"] = all.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_added_to_what_is_there() {
        let body = json!({"kind": "EphemeralContainers", "metadata": {}, "ephemeralContainers": [{"name": "b"}]});
        let mut pod = as_pod("p", body.to_string().as_bytes()).unwrap();
        keep_those_there(&json!({"spec": {"ephemeralContainers": [{"name": "a"}]}}), &mut pod);
        assert_eq!(
            pod["spec"],
            json!({"ephemeralContainers": [{"name": "a"}, {"name": "b"}]})
        );
        assert_eq!(as_pod("p", br#"{"kind": "Pod"}"#), None);
        assert_eq!(as_pod("p", b"spec: {}"), None);
    }
}
