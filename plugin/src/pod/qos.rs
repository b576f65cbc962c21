//! The QoS class that a pod gets: computed from requests and limits of CPU and memory (`pkg/apis/core/helper/qos`).

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};

use super::quantity;

const COMPUTED_FROM: [&str; 2] = ["cpu", "memory"];

/// The class of a pod with this spec.
pub fn class(spec: &PodSpec) -> &'static str {
    if let Some(whole) = spec.resources.as_ref().filter(|resources| has_any(resources)) {
        return if is_guaranteed(whole) {
            "Guaranteed"
        } else {
            "Burstable"
        };
    }
    let all: Vec<&Container> = spec.init_containers.iter().flatten().chain(&spec.containers).collect();
    let none = ResourceRequirements::default();
    let resources = |container: &&Container| container.resources.clone().unwrap_or_else(|| none.clone());
    if all.iter().all(|container| is_guaranteed(&resources(container))) {
        "Guaranteed"
    } else if all.iter().any(|container| has_any(&resources(container))) {
        "Burstable"
    } else {
        "BestEffort"
    }
}

fn amount(
    list: Option<&std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>,
    name: &str,
) -> f64 {
    list.and_then(|list| list.get(name))
        .and_then(|amount| quantity::value(&amount.0))
        .unwrap_or(0.0)
}

fn has_any(resources: &ResourceRequirements) -> bool {
    COMPUTED_FROM
        .iter()
        .any(|name| amount(resources.requests.as_ref(), name) > 0.0 || amount(resources.limits.as_ref(), name) > 0.0)
}

/// Limits of both, and no request that is lower: a request that is left out is the limit.
fn is_guaranteed(resources: &ResourceRequirements) -> bool {
    COMPUTED_FROM.iter().all(|name| {
        let limit = amount(resources.limits.as_ref(), name);
        let request = match resources.requests.as_ref().and_then(|requests| requests.get(*name)) {
            Some(_) => amount(resources.requests.as_ref(), name),
            None => limit,
        };
        limit > 0.0 && (limit - request).abs() < f64::EPSILON
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(resources: serde_json::Value) -> &'static str {
        let spec = serde_json::json!({"containers": [{"name": "a", "resources": resources}]});
        class(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn limits_of_both_guarantee_and_none_at_all_is_best_effort() {
        assert_eq!(class_of(serde_json::json!({})), "BestEffort");
        assert_eq!(
            class_of(serde_json::json!({"limits": {"cpu": "1", "memory": "1Gi"}})),
            "Guaranteed"
        );
        assert_eq!(
            class_of(serde_json::json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}})),
            "Burstable"
        );
        assert_eq!(
            class_of(serde_json::json!({"requests": {"memory": "1Gi"}})),
            "Burstable"
        );
    }
}
