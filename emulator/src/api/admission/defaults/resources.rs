//! Requests from limits, of containers and of the pod as a whole.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    api::admission::{quantity::Quantity, tree},
    quantity::is_pod_level,
};

/// Amounts by the name of the resource.
pub(in crate::api::admission) type Amounts = BTreeMap<String, Quantity>;

/// What a container may use at most it also asks for, where it does not say.
pub(super) fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container["resources"]["limits"].as_object().cloned() else {
        return;
    };
    let requests = tree::object_or_new(&mut container["resources"], "requests");
    for (name, amount) in limits {
        tree::default(requests, &name, amount);
    }
}

/// The pod's own requests, where it has limits of its own.
pub(super) fn pod_level(spec: &mut Value) {
    let Some(limits) = spec
        .get("resources")
        .and_then(|resources| resources.get("limits"))
        .and_then(Value::as_object)
        .cloned()
    else {
        return;
    };
    let needed = aggregate_requests(spec);
    let requests = tree::object_or_new(&mut spec["resources"], "requests");
    for (name, amount) in needed {
        // Huge pages can't be promised more than once, so their requests come from the limits alone.
        if is_pod_level(&name) && !name.starts_with("hugepages-") {
            tree::default(requests, &name, amount.to_string());
        }
    }
    for (name, amount) in limits {
        if is_pod_level(&name) {
            tree::default(requests, &name, amount);
        }
    }
}

/// What the containers of a pod need at once: all regular ones and sidecars together, or an init container with
/// the sidecars before it, where that is more.
pub(in crate::api::admission) fn aggregate_requests(spec: &Value) -> Amounts {
    aggregate(spec, "requests")
}

/// The same of `requests` or of `limits`.
pub(in crate::api::admission) fn aggregate(spec: &Value, field: &str) -> Amounts {
    aggregate_by(spec, |container| amounts(&container["resources"][field]))
}

/// The same of the amounts that each container has by a rule.
pub(in crate::api::admission) fn aggregate_by(spec: &Value, amounts: impl Fn(&Value) -> Amounts) -> Amounts {
    let list = |field: &str| spec[field].as_array().into_iter().flatten();
    let mut running = Amounts::new();
    for container in list("containers") {
        add(&mut running, &amounts(container));
    }
    let mut sidecars = Amounts::new();
    let mut most_at_start = Amounts::new();
    for container in list("initContainers") {
        let own = amounts(container);
        let at_once = if container["restartPolicy"] == "Always" {
            add(&mut running, &own);
            add(&mut sidecars, &own);
            sidecars.clone()
        } else {
            let mut at_once = sidecars.clone();
            add(&mut at_once, &own);
            at_once
        };
        raise(&mut most_at_start, &at_once);
    }
    raise(&mut running, &most_at_start);
    running
}

/// Reads a list of amounts.
pub(in crate::api::admission) fn amounts(list: &Value) -> Amounts {
    let list = list.as_object().into_iter().flatten();
    list.filter_map(|(name, amount)| Some((name.clone(), amount.as_str()?.parse().ok()?)))
        .collect()
}

fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let sum = to.entry(name.clone()).or_insert(Quantity::ZERO);
        *sum = sum.plus(*amount);
    }
}

/// Raises amounts to at least others.
pub(in crate::api::admission) fn raise(to: &mut Amounts, at_least: &Amounts) {
    for (name, amount) in at_least {
        let most = to.entry(name.clone()).or_insert(*amount);
        *most = (*most).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_asked_for_too() {
        let mut container =
            json!({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}});
        requests_from_limits(&mut container);
        assert_eq!(
            container["resources"]["requests"],
            json!({"cpu": "500m", "memory": "1Gi"})
        );
    }

    #[test]
    fn an_init_container_may_need_more_than_the_rest() {
        let with = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let spec = json!({"containers": [with("1"), with("500m")], "initContainers": [with("3")]});
        assert_eq!(aggregate_requests(&spec)["cpu"].to_string(), "3");
    }
}
