//! A pod's quality of service: who has to go first where memory is short.

use serde_json::Value;

use super::quantity::Quantity;

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub fn qos_class(spec: &Value) -> &'static str {
    let pod_level = &spec["resources"];
    if !pod_level["limits"].is_null() || !pod_level["requests"].is_null() {
        return class(&[pod_level]);
    }
    let containers: Vec<&Value> = ["containers", "initContainers"]
        .iter()
        .flat_map(|field| spec[*field].as_array().into_iter().flatten())
        .map(|container| &container["resources"])
        .collect();
    class(&containers)
}

fn class(all: &[&Value]) -> &'static str {
    let amount = |resources: &Value, list: &str, name: &str| -> Quantity {
        resources[list][name]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(Quantity::ZERO)
    };
    let mut any = false;
    let mut guaranteed = true;
    for resources in all {
        for name in ["cpu", "memory"] {
            let (request, limit) = (amount(resources, "requests", name), amount(resources, "limits", name));
            any |= request > Quantity::ZERO || limit > Quantity::ZERO;
            guaranteed &= limit > Quantity::ZERO && request == limit;
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
    use serde_json::json;

    use super::*;

    #[test]
    fn guaranteed_wants_equal_limits_of_both_in_every_container() {
        let full = json!({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1Gi"}}});
        let some = json!({"resources": {"requests": {"cpu": "1"}}});
        let none = json!({"resources": {}});
        assert_eq!(qos_class(&json!({"containers": [full]})), "Guaranteed");
        assert_eq!(qos_class(&json!({"containers": [full, none]})), "Burstable");
        assert_eq!(
            qos_class(&json!({"containers": [full], "initContainers": [some]})),
            "Burstable"
        );
        assert_eq!(qos_class(&json!({"containers": [none]})), "BestEffort");
    }
}
