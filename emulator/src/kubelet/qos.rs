//! The quality-of-service class of a pod.

use super::pod::Pod;
use crate::api::admission;

/// `Guaranteed`, `Burstable` or `BestEffort`, by the same rule as on the API server.
pub fn qos_class(pod: &Pod) -> &'static str {
    admission::qos_class(&pod.object["spec"])
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
    fn pod_level_resources_decide() {
        let both = json!({"cpu": "1", "memory": "1Gi"});
        let spec = json!({"resources": {"requests": both, "limits": both}, "containers": [{"name": "a"}]});
        let pod = Pod::read(&json!({"metadata": {}, "spec": spec})).unwrap();
        assert_eq!(qos_class(&pod), "Guaranteed");
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
