//! The quality-of-service class of a pod.

use super::pod::{Kind, Pod};
use crate::quantity;

/// `Guaranteed`, `Burstable` or `BestEffort`, from the requests and limits of all containers.
pub fn qos_class(pod: &Pod) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    for declared in pod.of(&[Kind::Init, Kind::Sidecar, Kind::Regular]) {
        let resources = declared.container.resources.clone().unwrap_or_default();
        let (requests, limits) = (
            resources.requests.unwrap_or_default(),
            resources.limits.unwrap_or_default(),
        );
        for name in ["cpu", "memory"] {
            let value =
                |map: &std::collections::BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>| {
                    map.get(name)
                        .and_then(|quantity| quantity::milli(&quantity.0))
                        .filter(|value| *value != 0)
                };
            let (request, limit) = (value(&requests), value(&limits));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request.unwrap_or_default() == limit.unwrap_or_default();
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn class(resources: Value) -> &'static str {
        let spec = json!({"containers": [{"name": "a", "resources": resources}]});
        qos_class(&Pod::read(&json!({"metadata": {}, "spec": spec})).unwrap())
    }

    #[test]
    fn limits_equal_to_requests_for_cpu_and_memory_are_guaranteed() {
        assert_eq!(class(json!({})), "BestEffort");
        let both = json!({"cpu": "500m", "memory": "64Mi"});
        assert_eq!(
            class(json!({"limits": both, "requests": {"cpu": "0.5", "memory": "65536Ki"}})),
            "Guaranteed"
        );
        assert_eq!(
            class(json!({"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}})),
            "Burstable"
        );
    }
}
