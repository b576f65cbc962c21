//! What a pod asks of a node in all: the sum that the scheduler counts with.

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::quantity;

/// The request of a resource by the whole pod, in a form for people; nothing where it asks for none.
///
/// Containers and sidecars add up; an init container asks for what it needs beside the sidecars before it, and the larger
/// of both counts (`pkg/api/v1/resource/helpers.go`).
pub fn of(spec: &PodSpec, resource: &str) -> Option<String> {
    let whole = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref())
        .and_then(|requests| requests.get(resource));
    if let Some(whole) = whole {
        return Some(whole.0.clone());
    }
    let running: f64 = spec.containers.iter().map(|container| asked(container, resource)).sum();
    let mut sidecars = 0.0;
    let mut largest: f64 = 0.0;
    for container in spec.init_containers.iter().flatten() {
        let own = asked(container, resource);
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars += own;
            largest = largest.max(sidecars);
        } else {
            largest = largest.max(sidecars + own);
        }
    }
    let overhead = spec
        .overhead
        .as_ref()
        .and_then(|overhead| overhead.get(resource))
        .and_then(|amount| quantity::value(&amount.0))
        .unwrap_or(0.0);
    let total = (running + sidecars).max(largest) + overhead;
    (total > 0.0).then(|| written(total, resource))
}

/// A container's request: its limit where it names no request.
fn asked(container: &Container, resource: &str) -> f64 {
    let resources = container.resources.as_ref();
    let amount = resources
        .and_then(|resources| resources.requests.as_ref())
        .and_then(|requests| requests.get(resource))
        .or_else(|| {
            resources
                .and_then(|resources| resources.limits.as_ref())
                .and_then(|limits| limits.get(resource))
        });
    amount.and_then(|amount| quantity::value(&amount.0)).unwrap_or(0.0)
}

/// `250m` of CPU, `96Mi` of memory, `2` of everything else.
fn written(amount: f64, resource: &str) -> String {
    let is_bytes = matches!(resource, "memory" | "ephemeral-storage") || resource.starts_with("hugepages-");
    if is_bytes {
        let units = [("Gi", 1024f64.powi(3)), ("Mi", 1024f64.powi(2)), ("Ki", 1024.0)];
        return units
            .iter()
            .find(|(_, size)| amount >= *size && (amount / size).fract() == 0.0)
            .map_or_else(|| amount.to_string(), |(unit, size)| format!("{}{unit}", amount / size));
    }
    if amount.fract() == 0.0 {
        amount.to_string()
    } else {
        format!("{}m", (amount * 1000.0).round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_containers_count_where_they_ask_for_more() {
        let spec: PodSpec = serde_json::from_value(serde_json::json!({
            "initContainers": [
                {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}}},
                {"name": "setup", "resources": {"requests": {"cpu": "2"}}},
            ],
            "containers": [
                {"name": "a", "resources": {"requests": {"cpu": "500m", "memory": "64Mi"}}},
                {"name": "b", "resources": {"limits": {"cpu": "250m"}}},
            ],
        }))
        .unwrap();
        assert_eq!(of(&spec, "cpu").as_deref(), Some("2100m"));
        assert_eq!(of(&spec, "memory").as_deref(), Some("96Mi"));
        assert_eq!(of(&spec, "example.com/gpu"), None);
    }
}
