//! Resizing a pod's containers in place (`pkg/apis/core/validation`, `ValidatePodResize`, and the admission plugin
//! `PodResizeValidator`; KEP-1287, KEP-5419).

use std::sync::Arc;

use serde_json::Value;

use super::{keep::drop_null, raise_generation};
use crate::{
    api::admission::{
        defaults,
        field_error::{Errors, Path},
        limit_range, qos_class,
        quantity::Quantity,
        rejection::Rejection,
        service_account, tree, validate,
    },
    quantity,
    store::Resource,
};

/// What a resize is judged by, besides the pod.
pub struct Resizing<'a> {
    /// The pod's node, where it has one.
    pub node: Option<&'a Value>,
    /// Whether resources of the pod as a whole can be resized.
    pub of_pods: bool,
    /// The LimitRanges of the namespace.
    pub limit_ranges: &'a [Arc<Value>],
}

/// Where nobody names a field, the server writes this.
const NOWHERE: &str = "[]";

/// Makes `new` the pod with nothing but the resources of its containers changed.
///
/// # Errors
/// Why the change is refused.
pub fn admit_resize(old: &Value, new: &mut Value, resizing: &Resizing<'_>) -> Result<(), Rejection> {
    let mut result = with_resources_of(old, new, resizing);
    defaults::apply(Resource::Pods, &mut result);
    result["metadata"]["resourceVersion"] = new["metadata"]["resourceVersion"].clone();
    drop_null(&mut result["metadata"], "resourceVersion");
    // What is being deleted is let pass.
    let is_limited = !old["metadata"]["deletionTimestamp"].is_string();
    if is_limited {
        limit_range::apply_defaults(&mut result, resizing.limit_ranges);
    }
    *new = result;
    if let Some(why) = never(old, resizing) {
        let mut errors = Errors::default();
        errors.forbidden(&Path::new(NOWHERE), why);
        return Rejection::of_fields(Resource::Pods, new, errors.into_inner());
    }
    let mut errors = validate::mistakes(Resource::Pods, new)?;
    errors.extend(mistakes(old, new).into_inner());
    Rejection::of_fields(Resource::Pods, new, errors)?;
    if let Some(why) = limit_range::refusal(new, resizing.limit_ranges).filter(|_| is_limited) {
        return Err(Rejection::forbidden(Resource::Pods, new, why));
    }
    if new["spec"] != old["spec"] {
        raise_generation(new);
        if let Some(why) = resizing.node.and_then(|node| beyond(node, new)) {
            return Err(Rejection::forbidden(Resource::Pods, new, why));
        }
    }
    Ok(())
}

/// The old pod with the new one's resources; whatever else is new is not looked at.
fn with_resources_of(old: &Value, new: &Value, resizing: &Resizing<'_>) -> Value {
    let mut result = old.clone();
    for list in ["containers", "initContainers"] {
        let mut wanted = std::collections::HashMap::new();
        for one in new["spec"][list].as_array().into_iter().flatten() {
            wanted.entry(one["name"].as_str()).or_insert(one);
        }
        for container in tree::items(&mut result["spec"], list) {
            if let Some(one) = wanted.get(&container["name"].as_str()).copied() {
                for field in ["resources", "resizePolicy"] {
                    container[field] = one[field].clone();
                    drop_null(container, field);
                }
            }
        }
    }
    if resizing.of_pods {
        result["spec"]["resources"] = new["spec"]["resources"].clone();
        drop_null(&mut result["spec"], "resources");
    }
    result
}

/// Why this pod can't be resized at all.
fn never(old: &Value, resizing: &Resizing<'_>) -> Option<&'static str> {
    if !resizing.of_pods && has_any(&old["spec"]["resources"]) {
        Some("pods with pod-level resources cannot be resized")
    } else if service_account::is_mirror(old) {
        Some("static pods cannot be resized")
    } else if old["spec"]["os"]["name"] == "windows" {
        Some("windows pods cannot be resized")
    } else {
        None
    }
}

fn has_any(resources: &Value) -> bool {
    let has = |list: &str| resources[list].as_object().is_some_and(|amounts| !amounts.is_empty());
    has("requests") || has("limits")
}

/// What must not change.
fn mistakes(old: &Value, new: &Value) -> Errors {
    let mut errors = Errors::default();
    let spec = Path::new("spec");
    let class = old["status"]["qosClass"].as_str().unwrap_or_default();
    if qos_class(&new["spec"]) != class {
        errors.invalid(&spec, class, "Pod QOS Class may not change as a result of resizing");
    }
    let (before, after) = (&old["spec"]["resources"], &new["spec"]["resources"]);
    if has_any(before) || has_any(after) {
        of_pod(before, after, &spec, &mut errors);
    }
    // The same containers in the same order: no other has been taken.
    let containers = |list: &str| -> Vec<(&Value, &Value)> {
        let (before, after) = (old["spec"][list].as_array(), new["spec"][list].as_array());
        before.into_iter().flatten().zip(after.into_iter().flatten()).collect()
    };
    let (init, regular) = (containers("initContainers"), containers("containers"));
    for (list, containers) in [("initContainers", &init), ("containers", &regular)] {
        for (index, (before, after)) in containers.iter().enumerate() {
            let path = spec.child(list).index(index).child("resources");
            removals(
                &before["resources"],
                &after["resources"],
                "resource",
                &path,
                &mut errors,
            );
        }
    }
    for (before, after) in regular {
        if changes_more(before, after) {
            errors.forbidden(&spec, "only cpu and memory resources are mutable");
        }
    }
    for (index, (before, after)) in init.into_iter().enumerate() {
        let path = spec.child("initContainers").index(index);
        if changes_more(before, after) {
            let words = "only cpu and memory resources for init or sidecar containers are mutable";
            errors.forbidden(&path, words);
        }
        let is_sidecar = after["restartPolicy"] == "Always";
        let mut policies = after["resizePolicy"].as_array().into_iter().flatten();
        if before != after && !is_sidecar && policies.any(|policy| policy["restartPolicy"] == "RestartContainer") {
            let words = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
            errors.forbidden(&path, words);
        }
    }
    errors
}

/// Resources of the pod as a whole.
fn of_pod(before: &Value, after: &Value, spec: &Path, errors: &mut Errors) {
    let path = spec.child("resources");
    if !before.is_null() && after.is_null() {
        errors.forbidden(&path, "pod-level resources cannot be removed");
        return;
    }
    removals(before, after, "pod-level resource", &path, errors);
    if others_differ(before, after) {
        errors.forbidden(spec, "only cpu and memory resources are mutable at pod-level");
    }
}

/// An amount that was there is still there.
fn removals(before: &Value, after: &Value, what: &str, path: &Path, errors: &mut Errors) {
    for list in ["requests", "limits"] {
        let mut names = before[list].as_object().into_iter().flat_map(|amounts| amounts.keys());
        if names.any(|name| after[list][name.as_str()].is_null()) {
            errors.forbidden(&path.child(list), format!("{what} {list} cannot be removed"));
        }
    }
}

fn changes_more(before: &Value, after: &Value) -> bool {
    before["resizePolicy"] != after["resizePolicy"] || others_differ(&before["resources"], &after["resources"])
}

/// Whether amounts of anything but CPU and memory are not the same.
fn others_differ(before: &Value, after: &Value) -> bool {
    let others = |resources: &Value, list: &str| -> Vec<(String, Option<Quantity>)> {
        let amounts = resources[list].as_object().into_iter().flatten();
        let mut others: Vec<_> = amounts
            .filter(|(name, _)| !matches!(name.as_str(), "cpu" | "memory"))
            .map(|(name, amount)| (name.clone(), amount.as_str().and_then(|text| text.parse().ok())))
            .collect();
        others.sort_by(|a, b| a.0.cmp(&b.0));
        others
    };
    ["requests", "limits"]
        .into_iter()
        .any(|list| others(before, list) != others(after, list))
}

/// Why the node could never give it, if it could not.
fn beyond(node: &Value, pod: &Value) -> Option<String> {
    let spec = serde_json::from_value(pod["spec"].clone()).ok()?;
    let requests = quantity::requests(&spec);
    let short = [("cpu", 1), ("memory", 1000)].into_iter().filter_map(|(name, unit)| {
        let requested = requests.get(name).copied().unwrap_or_default();
        let allocatable = node["status"]["allocatable"][name].as_str().and_then(quantity::milli);
        let allocatable = allocatable.unwrap_or_default();
        (requested > allocatable).then(|| {
            let (requested, allocatable) = (requested / unit, allocatable / unit);
            format!("{name}, requested: {requested}, allocatable: {allocatable}")
        })
    });
    let short: Vec<String> = short.collect();
    let begin = "Node didn't have enough allocatable resources";
    (!short.is_empty()).then(|| format!("{begin}: {}", short.join("; ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: Value) -> Value {
        let class = qos_class(&spec);
        json!({"metadata": {"name": "p", "namespace": "default", "uid": "u", "generation": 1}, "spec": spec,
            "status": {"qosClass": class}})
    }

    /// A container of each kind, with these resources.
    fn sized(resources: &Value) -> Value {
        let mut pod = pod(json!({
            "initContainers": [{"name": "i", "image": "b", "resources": resources},
                {"name": "s", "image": "b", "resources": resources, "restartPolicy": "Always"}],
            "containers": [{"name": "a", "image": "b", "resources": resources}],
        }));
        defaults::apply(Resource::Pods, &mut pod);
        pod
    }

    fn refused(old: &Value, change: impl FnOnce(&mut Value), resizing: &Resizing<'_>) -> Vec<String> {
        let mut new = old.clone();
        change(&mut new["spec"]);
        match admit_resize(old, &mut new, resizing) {
            Ok(()) => Vec::new(),
            Err(Rejection::Invalid { errors, .. }) => errors
                .iter()
                .map(|error| format!("{}: {}", error.path, error.body()))
                .collect(),
            Err(Rejection::Forbidden { why, .. }) => vec![why],
            Err(other) => panic!("{other:?}"),
        }
    }

    const ANY: Resizing<'_> = Resizing {
        node: None,
        of_pods: true,
        limit_ranges: &[],
    };

    #[test]
    fn amounts_of_cpu_and_memory_change_and_none_goes() {
        let old = sized(&json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}));
        for list in ["containers", "initContainers"] {
            let more = json!({"requests": {"cpu": "2", "memory": "512Mi"}, "limits": {"cpu": "3", "memory": "1Gi"}});
            assert_eq!(refused(&old, |spec| spec[list][0]["resources"] = more, &ANY), [""; 0]);
            let less = json!({"requests": {"cpu": "1"}});
            assert_eq!(
                refused(&old, |spec| spec[list][0]["resources"] = less, &ANY),
                [
                    format!("spec.{list}[0].resources.requests: Forbidden: resource requests cannot be removed"),
                    format!("spec.{list}[0].resources.limits: Forbidden: resource limits cannot be removed"),
                ]
            );
        }
    }

    #[test]
    fn nothing_else_changes() {
        let old = sized(&json!({"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}}));
        let disk =
            |spec: &mut Value, list: &str| spec[list][0]["resources"]["requests"]["ephemeral-storage"] = "2Gi".into();
        assert_eq!(
            refused(&old, |spec| disk(spec, "containers"), &ANY),
            ["spec: Forbidden: only cpu and memory resources are mutable"]
        );
        assert_eq!(
            refused(&old, |spec| disk(spec, "initContainers"), &ANY),
            [
                "spec.initContainers[0]: Forbidden: only cpu and memory resources for init or sidecar containers are mutable"
            ]
        );
        let same =
            |spec: &mut Value| spec["containers"][0]["resources"]["requests"]["ephemeral-storage"] = "1024Mi".into();
        assert_eq!(refused(&old, same, &ANY), [""; 0]);
        let policy = json!([{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]);
        assert_eq!(
            refused(&old, |spec| spec["containers"][0]["resizePolicy"] = policy, &ANY),
            ["spec: Forbidden: only cpu and memory resources are mutable"]
        );
        let other = |spec: &mut Value| spec["containers"][0]["image"] = "other".into();
        assert_eq!(refused(&old, other, &ANY), [""; 0], "it is left out");
    }

    #[test]
    fn the_class_stays_and_is_the_one_that_is_told() {
        let old = pod(json!({"containers": [{"name": "a", "image": "b"}]}));
        let more = json!({"requests": {"cpu": "1"}});
        assert_eq!(
            refused(&old, |spec| spec["containers"][0]["resources"] = more, &ANY),
            ["spec: Invalid value: \"BestEffort\": Pod QOS Class may not change as a result of resizing"]
        );
    }

    #[test]
    fn resources_of_the_pod_change_like_those_of_a_container() {
        let mut old = sized(&json!({}));
        old["spec"]["resources"] = json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}});
        old["status"]["qosClass"] = "Burstable".into();
        let more = |spec: &mut Value| spec["resources"]["limits"]["cpu"] = "3".into();
        assert_eq!(refused(&old, more, &ANY), [""; 0]);
        assert_eq!(
            refused(
                &old,
                |spec| drop(spec["resources"].as_object_mut().unwrap().shift_remove("limits")),
                &ANY
            ),
            ["spec.resources.limits: Forbidden: pod-level resource limits cannot be removed"]
        );
        let off = Resizing { of_pods: false, ..ANY };
        assert_eq!(
            refused(&old, more, &off),
            ["[]: Forbidden: pods with pod-level resources cannot be resized"]
        );
    }

    #[test]
    fn some_pods_are_never_resized() {
        let mut mirror = sized(&json!({}));
        mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"] = "x".into();
        assert_eq!(
            refused(&mirror, |_| {}, &ANY),
            ["[]: Forbidden: static pods cannot be resized"]
        );
    }

    #[test]
    fn more_than_the_node_has_is_refused_at_once() {
        let old = sized(&json!({"requests": {"cpu": "1", "memory": "1Gi"}}));
        let node = json!({"status": {"allocatable": {"cpu": "4", "memory": "2Gi"}}});
        let on_node = Resizing {
            node: Some(&node),
            ..ANY
        };
        let more = json!({"requests": {"cpu": "3500m", "memory": "3Gi"}});
        assert_eq!(
            refused(&old, |spec| spec["containers"][0]["resources"] = more, &on_node),
            [
                "Node didn't have enough allocatable resources: cpu, requested: 4500, allocatable: 4000; memory, requested: 4294967296, allocatable: 2147483648"
            ]
        );
        assert_eq!(refused(&old, |_| {}, &on_node), [""; 0]);
    }
}
