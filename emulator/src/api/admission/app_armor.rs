//! AppArmor profiles by annotation, as they were given before Kubernetes 1.30: each becomes the field of its container
//! (`pkg/registry/core/pod/strategy.go`, `applyAppArmorVersionSkew`).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::tree;

/// What stands before the container's name in the key of such an annotation.
pub(super) const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The annotations of that kind: key, name of the container, profile.
pub fn annotations(pod: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let all = pod["metadata"]["annotations"].as_object().into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.as_str(), key.strip_prefix(ANNOTATION)?, value.as_str()?)))
}

/// The keys of the annotations that a pod should no longer have: each stands for a field, or for nothing. One beside the same
/// field passes: tools write both, for servers of either age.
pub(super) fn deprecated(pod: &Value) -> Vec<String> {
    let of_pod = &pod["spec"]["securityContext"]["appArmorProfile"];
    let lists = ["initContainers", "containers", "ephemeralContainers"].into_iter();
    let containers = lists.flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    let without_field = containers.filter(|one| one["securityContext"]["appArmorProfile"].is_null());
    let keys = without_field.filter_map(|one| {
        let key = format!("{ANNOTATION}{}", one["name"].as_str()?);
        let field = field(pod["metadata"]["annotations"][&key].as_str()?);
        field.is_none_or(|field| field != *of_pod).then_some(key)
    });
    keys.collect()
}

/// Gives containers that have no profile of their own the one that an annotation names, unless it is the pod's.
pub(super) fn apply(pod: &mut Value) {
    let of_pod = pod["spec"]["securityContext"]["appArmorProfile"].clone();
    let fields: HashMap<String, Value> = annotations(pod)
        .filter_map(|(_, container, profile)| Some((container.to_owned(), field(profile)?)))
        .filter(|(_, field)| *field != of_pod)
        .collect();
    let spec = tree::object_or_new(pod, "spec");
    for list in ["initContainers", "containers"] {
        for one in tree::items(spec, list) {
            let found = one["name"].as_str().and_then(|name| fields.get(name));
            if let Some(field) = found {
                tree::default(
                    tree::object_or_new(one, "securityContext"),
                    "appArmorProfile",
                    field.clone(),
                );
            }
        }
    }
}

/// The field that means the same; none for what means nothing.
pub(super) fn field(profile: &str) -> Option<Value> {
    match profile {
        "runtime/default" => Some(json!({"type": "RuntimeDefault"})),
        "unconfined" => Some(json!({"type": "Unconfined"})),
        other => {
            let name = other.strip_prefix("localhost/").filter(|name| !name.is_empty())?;
            Some(json!({"type": "Localhost", "localhostProfile": name}))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_the_field_of_its_container_where_that_has_none() {
        let mut pod = json!({
            "metadata": {"annotations": {
                format!("{ANNOTATION}a"): "runtime/default", format!("{ANNOTATION}b"): "localhost/p",
                format!("{ANNOTATION}c"): "localhost/p", format!("{ANNOTATION}d"): "",
                "container.seccomp.security.alpha.kubernetes.io/d": "runtime/default",
            }},
            "spec": {
                "initContainers": [{"name": "a"}],
                "containers": [{"name": "b"}, {"name": "d"},
                    {"name": "c", "securityContext": {"appArmorProfile": {"type": "Unconfined"}}}],
            },
        });
        apply(&mut pod);
        let spec = &pod["spec"];
        let profile = |container: &Value| container["securityContext"]["appArmorProfile"].clone();
        assert_eq!(profile(&spec["initContainers"][0]), json!({"type": "RuntimeDefault"}));
        let named = json!({"type": "Localhost", "localhostProfile": "p"});
        assert_eq!(profile(&spec["containers"][0]), named);
        assert_eq!(spec["containers"][1], json!({"name": "d"}));
        assert_eq!(profile(&spec["containers"][2]), json!({"type": "Unconfined"}));
    }

    #[test]
    fn annotation_in_place_of_a_field_is_deprecated() {
        let pod = |annotation: &str, of_pod: Value, of_container: Value| {
            json!({"metadata": {"annotations": {format!("{ANNOTATION}c"): annotation}}, "spec": {
                "securityContext": {"appArmorProfile": of_pod},
                "containers": [{"name": "c", "securityContext": {"appArmorProfile": of_container}}]}})
        };
        let unconfined = || json!({"type": "Unconfined"});
        for (pod, expected) in [
            (pod("unconfined", Value::Null, Value::Null), 1),
            (pod("nonsense", Value::Null, Value::Null), 1),
            (pod("unconfined", json!({"type": "RuntimeDefault"}), Value::Null), 1),
            (pod("unconfined", unconfined(), Value::Null), 0),
            (pod("unconfined", Value::Null, unconfined()), 0),
        ] {
            assert_eq!(deprecated(&pod).len(), expected, "{pod}");
        }
    }
}
