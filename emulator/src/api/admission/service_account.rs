//! A pod's service account: looked up, and its token mounted into every container.

use serde_json::{Value, json};

use super::{names::random_suffix, tree};
use crate::token_request::POD_TOKEN;

/// Where a container finds its token.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX: &str = "kube-api-access-";

/// Whether a pod was made by the kubelet for a static pod.
pub(super) fn is_mirror(pod: &Value) -> bool {
    !pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null()
}

/// What may not be in the pod that stands for a static pod.
///
/// # Errors
/// Why it is forbidden.
pub(super) fn check_mirror(pod: &Value) -> Result<(), String> {
    let spec = &pod["spec"];
    if spec["serviceAccountName"].as_str().is_some_and(|name| !name.is_empty()) {
        return Err("a mirror pod may not reference service accounts".into());
    }
    let token = spec["volumes"].as_array().into_iter().flatten().any(|volume| {
        volume["projected"]["sources"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|source| !source["serviceAccountToken"].is_null())
    });
    if token {
        return Err("a mirror pod may not use ServiceAccountToken volume projections".into());
    }
    Ok(())
}

/// The account's name, `default` where none is given; both of its fields are set.
pub(super) fn name(pod: &mut Value) -> String {
    let spec = tree::object_or_new(pod, "spec");
    tree::default(spec, "serviceAccountName", "default");
    let name = spec["serviceAccountName"].as_str().unwrap_or_default().to_owned();
    spec["serviceAccount"] = name.as_str().into();
    name
}

/// Mounts the token, unless pod or account refuse it, and hands on the account's pull secrets.
pub(super) fn apply(pod: &mut Value, account: &Value) {
    let spec = tree::object_or_new(pod, "spec");
    let wanted = [
        spec.get("automountServiceAccountToken"),
        account.get("automountServiceAccountToken"),
    ]
    .into_iter()
    .flatten()
    .find_map(Value::as_bool)
    .unwrap_or(true);
    if wanted {
        mount_token(spec);
    }
    let has_secrets = spec
        .get("imagePullSecrets")
        .and_then(Value::as_array)
        .is_some_and(|secrets| !secrets.is_empty());
    if let Some(secrets) = account.get("imagePullSecrets").and_then(Value::as_array)
        && !has_secrets
        && !secrets.is_empty()
    {
        spec["imagePullSecrets"] = secrets.clone().into();
    }
}

fn mount_token(spec: &mut Value) {
    let present = tree::items(spec, "volumes")
        .filter(|volume| !volume["projected"].is_null())
        .find_map(|volume| {
            let name = volume["name"].as_str()?;
            name.starts_with(VOLUME_PREFIX).then(|| name.to_owned())
        });
    let name = present
        .clone()
        .unwrap_or_else(|| format!("{VOLUME_PREFIX}{}", random_suffix()));
    let mut used = false;
    for field in ["initContainers", "containers"] {
        for container in tree::items(spec, field) {
            let shadowed = tree::items(container, "volumeMounts").any(|mount| mount["mountPath"] == TOKEN_PATH);
            if !shadowed {
                let mount = json!({"name": name, "readOnly": true, "mountPath": TOKEN_PATH});
                tree::push(container, "volumeMounts", mount);
                used = true;
            }
        }
    }
    if used && present.is_none() {
        tree::push(spec, "volumes", token_volume(&name));
    }
}

fn token_volume(name: &str) -> Value {
    json!({
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": POD_TOKEN.as_secs(), "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [
                    {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                ]}}
            ],
            "defaultMode": 420
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_mounts_something_there_keeps_it() {
        let mut pod = json!({"spec": {"containers": [
            {"name": "a", "volumeMounts": [{"name": "x", "mountPath": TOKEN_PATH}]}]}});
        apply(&mut pod, &json!({}));
        assert_eq!(pod["spec"]["volumes"], Value::Null);
    }

    #[test]
    fn pod_before_account_decides_about_the_token() {
        let pod = |spec: Value| json!({"spec": spec});
        let mut refused = pod(json!({"containers": [{"name": "a"}]}));
        apply(&mut refused, &json!({"automountServiceAccountToken": false}));
        assert_eq!(refused["spec"]["volumes"], Value::Null);
        let mut wanted = pod(json!({"containers": [{"name": "a"}], "automountServiceAccountToken": true}));
        apply(&mut wanted, &json!({"automountServiceAccountToken": false}));
        assert_eq!(wanted["spec"]["volumes"].as_array().map(Vec::len), Some(1));
    }
}
