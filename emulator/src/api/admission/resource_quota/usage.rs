//! What one object uses of the resources that quotas limit (`pkg/quota/v1/evaluator/core`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    api::admission::{
        defaults::{Amounts, aggregate_by, amounts, raise},
        quantity::Quantity,
        validate::resource_names::{is_extended, is_native},
    },
    store::Resource,
};

/// The names under which objects of a kind are counted; none where they never are.
fn counted_as(resource: Resource) -> Vec<String> {
    let old_name = match resource {
        Resource::ConfigMaps | Resource::ResourceQuotas | Resource::Secrets => Some(resource.plural().to_owned()),
        // The quota plugin leaves events alone.
        Resource::Events => return Vec::new(),
        _ => None,
    };
    let mut names = vec![format!("count/{}", resource.qualified())];
    names.extend(old_name);
    names
}

/// Whether objects of a kind use a resource.
pub(super) fn concerns(resource: Resource, name: &str) -> bool {
    if counted_as(resource).iter().any(|counted| counted == name) {
        return true;
    }
    let computes = matches!(
        name,
        "cpu"
            | "memory"
            | "ephemeral-storage"
            | "requests.cpu"
            | "requests.memory"
            | "requests.ephemeral-storage"
            | "limits.cpu"
            | "limits.memory"
            | "limits.ephemeral-storage"
            | "pods"
    );
    let is_huge = name.starts_with("hugepages-") || name.starts_with("requests.hugepages-");
    // The name of an extended resource has to be prefixed: its requests are its limits.
    let is_prefixed = name.strip_prefix("requests.").is_some_and(|name| !is_native(name));
    resource == Resource::Pods && (computes || is_huge || is_prefixed)
}

/// Whether any kind that is served here, or that no cluster is without, uses a resource.
pub(super) fn is_tracked(name: &str) -> bool {
    let elsewhere = matches!(
        name,
        "services"
            | "services.nodeports"
            | "services.loadbalancers"
            | "replicationcontrollers"
            | "persistentvolumeclaims"
            | "requests.storage"
            | "count/services"
            | "count/replicationcontrollers"
            | "count/persistentvolumeclaims"
    );
    let of_class = name.contains(".storageclass.storage.k8s.io/");
    elsewhere || of_class || Resource::ALL.into_iter().any(|resource| concerns(resource, name))
}

/// What an object uses.
pub(super) fn usage(resource: Resource, object: &Value, now: Timestamp) -> Amounts {
    let one = Quantity::from_units(1);
    let mut used: Amounts = counted_as(resource).into_iter().map(|name| (name, one)).collect();
    if resource == Resource::Pods && is_charged(object, now) {
        used.extend(compute(&of_pod(object, "requests"), &of_pod(object, "limits")));
    }
    used
}

/// Whether a pod is charged for more than its being stored: it has not ended, and is not long past its deletion.
fn is_charged(pod: &Value, now: Timestamp) -> bool {
    if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return false;
    }
    let metadata = &pod["metadata"];
    let deletion = metadata["deletionTimestamp"]
        .as_str()
        .and_then(|time| time.parse::<Timestamp>().ok());
    match (deletion, metadata["deletionGracePeriodSeconds"].as_i64()) {
        (Some(deletion), Some(grace)) => now.duration_since(deletion) <= SignedDuration::from_secs(grace),
        _ => true,
    }
}

/// Requests and limits under the names that quotas have for them.
fn compute(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut used = Amounts::from([("pods".to_owned(), Quantity::from_units(1))]);
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(request) = requests.get(name) {
            used.insert(name.to_owned(), *request);
            used.insert(format!("requests.{name}"), *request);
        }
        if let Some(limit) = limits.get(name) {
            used.insert(format!("limits.{name}"), *limit);
        }
    }
    for (name, request) in requests {
        let is_huge = name.starts_with("hugepages-");
        if is_huge {
            used.insert(name.clone(), *request);
        }
        if is_huge || is_extended(name) {
            used.insert(format!("requests.{name}"), *request);
        }
    }
    used
}

/// What all containers of a pod request at once, or may use; the pod's own amounts count instead, its overhead besides.
fn of_pod(pod: &Value, field: &str) -> Amounts {
    let spec = &pod["spec"];
    let statuses: BTreeMap<&str, &Value> = ["containerStatuses", "initContainerStatuses"]
        .iter()
        .filter_map(|list| pod["status"][*list].as_array())
        .flatten()
        .filter_map(|status| Some((status["name"].as_str()?, status)))
        .collect();
    let is_infeasible = pod["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| {
            condition["type"] == "PodResizePending"
                && condition["reason"] == "Infeasible"
                && condition["status"] == "True"
        });
    let mut all = aggregate_by(spec, |container| {
        let mut own = amounts(&container["resources"][field]);
        let status = container["name"].as_str().and_then(|name| statuses.get(name));
        // Until a resize is carried out, a pod is charged for the larger of what it has and what it asks for.
        if let Some(status) = status.filter(|status| !status["resources"].is_null()) {
            if is_infeasible {
                own.clear();
            }
            raise(&mut own, &amounts(&status["resources"][field]));
            if field == "requests" {
                raise(&mut own, &amounts(&status["allocatedResources"]));
            }
        }
        own
    });
    let own = amounts(&spec["resources"][field]);
    all.extend(own.into_iter().filter(|(name, _)| is_of_pods(name)));
    for (name, overhead) in amounts(&spec["overhead"]) {
        match all.get_mut(&name) {
            Some(amount) if field == "requests" || *amount != Quantity::ZERO => *amount = amount.plus(overhead),
            None if field == "requests" => drop(all.insert(name, overhead)),
            _ => {}
        }
    }
    all
}

/// Whether a pod as a whole can ask for a resource.
fn is_of_pods(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// The resources that containers must name where a quota limits them, each with the containers that do not.
pub(super) fn unspecified(pod: &Value, limited: &BTreeSet<&str>) -> BTreeMap<String, BTreeSet<String>> {
    const MANDATORY: [&str; 6] = [
        "cpu",
        "memory",
        "requests.cpu",
        "requests.memory",
        "limits.cpu",
        "limits.memory",
    ];
    let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let spec = &pod["spec"];
    // What the pod as a whole asks for is enough.
    let of_pod = &spec["resources"];
    if ["requests", "limits"]
        .iter()
        .any(|field| amounts(&of_pod[*field]).keys().any(|name| is_of_pods(name)))
    {
        return missing;
    }
    let containers = ["containers", "initContainers"]
        .iter()
        .filter_map(|list| spec[*list].as_array())
        .flatten();
    for container in containers {
        let resources = &container["resources"];
        let given = compute(&amounts(&resources["requests"]), &amounts(&resources["limits"]));
        for name in MANDATORY {
            if limited.contains(name) && !given.contains_key(name) {
                let name_of = container["name"].as_str().unwrap_or_default();
                missing.entry(name.to_owned()).or_default().insert(name_of.to_owned());
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn used(pod: &Value) -> BTreeMap<String, String> {
        let used = usage(Resource::Pods, pod, now());
        used.into_iter()
            .map(|(name, amount)| (name, amount.to_string()))
            .collect()
    }

    fn expected(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, amount)| ((*name).to_owned(), (*amount).to_owned()))
            .collect()
    }

    #[test]
    fn running_pod_uses_requests_limits_and_overhead() {
        let pod = json!({"spec": {"overhead": {"cpu": "100m", "memory": "10Mi"}, "containers": [{"name": "a", "resources": {
            "requests": {"cpu": "1", "example.com/gpu": "2", "hugepages-2Mi": "4Mi"}, "limits": {"cpu": "2"}}}]}});
        assert_eq!(
            used(&pod),
            expected(&[
                ("count/pods", "1"),
                ("pods", "1"),
                ("cpu", "1100m"),
                ("requests.cpu", "1100m"),
                ("limits.cpu", "2100m"),
                ("memory", "10Mi"),
                ("requests.memory", "10Mi"),
                ("hugepages-2Mi", "4Mi"),
                ("requests.hugepages-2Mi", "4Mi"),
                ("requests.example.com/gpu", "2"),
            ])
        );
    }

    #[test]
    fn ended_and_overdue_pods_are_only_counted() {
        let counted = expected(&[("count/pods", "1")]);
        assert_eq!(used(&json!({"status": {"phase": "Succeeded"}, "spec": {}})), counted);
        let deleted =
            |time: &str| json!({"metadata": {"deletionTimestamp": time, "deletionGracePeriodSeconds": 30}, "spec": {}});
        assert_eq!(used(&deleted("2025-12-31T23:59:00Z")), counted);
        assert_eq!(used(&deleted("2025-12-31T23:59:40Z")).len(), 2);
    }

    #[test]
    fn resized_pod_is_charged_for_the_larger_amount() {
        let mut pod = json!({
            "spec": {"containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}]},
            "status": {"containerStatuses": [{"name": "a", "allocatedResources": {"cpu": "2"},
                "resources": {"requests": {"cpu": "3"}}}]}});
        assert_eq!(used(&pod)["cpu"], "3");
        pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("5");
        assert_eq!(used(&pod)["cpu"], "5");
        pod["status"]["conditions"] = json!([{"type": "PodResizePending", "reason": "Infeasible", "status": "True"}]);
        assert_eq!(used(&pod)["cpu"], "3");
    }

    #[test]
    fn names_of_resources_are_those_of_their_kind() {
        assert!(concerns(Resource::Secrets, "secrets") && concerns(Resource::Secrets, "count/secrets"));
        assert!(concerns(Resource::Leases, "count/leases.coordination.k8s.io"));
        assert!(concerns(Resource::Pods, "requests.example.com/gpu"));
        for (resource, name) in [
            (Resource::Pods, "example.com/gpu"),
            (Resource::Pods, "secrets"),
            (Resource::Events, "count/events"),
            (Resource::ConfigMaps, "pods"),
        ] {
            assert!(!concerns(resource, name), "{name}");
        }
        assert!(is_tracked("services") && !is_tracked("count/deployments.apps"));
    }
}
