//! Limits of memory that a resize would set below what is in use (`kuberuntime_manager.go`, `validateMemoryResizeAction`): pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};

use super::pod::Pod;
use crate::quantity;

/// Why nothing of a resize is carried out; none where it can be. `had`: what the containers that it is about were made with;
/// `used`: how much memory each container uses, in bytes.
pub(super) fn refusal(
    pod: &Pod,
    had: &BTreeMap<String, ResourceRequirements>,
    used: &BTreeMap<String, u64>,
) -> Option<String> {
    let mut before = pod.spec.clone();
    for container in all(&mut before) {
        if let Some(resources) = had.get(&container.name) {
            container.resources = Some(resources.clone());
        }
    }
    let mut wanted = pod.spec.clone();
    let mut refusals = Vec::new();
    let in_pod = used.values().sum();
    if let Some(limit) = lower(of_pod(&before), of_pod(&wanted)).filter(|limit| *limit < in_pod) {
        refusals.push(format!(
            "attempting to set pod memory limit ({limit}) below current usage ({in_pod})"
        ));
    }
    for (was, wanted) in all(&mut before).zip(all(&mut wanted)) {
        let name = &wanted.name;
        let usage = used.get(name).copied().unwrap_or(0);
        if let Some(limit) = lower(of(was), of(wanted)).filter(|limit| *limit < usage) {
            refusals.push(format!(
                "attempting to set container {name:?} memory limit ({limit}) below current usage ({usage})"
            ));
        }
    }
    match refusals.as_slice() {
        [] => None,
        [one] => Some(format!("cannot decrease memory limits: {one}")),
        all => Some(format!("cannot decrease memory limits: [{}]", all.join(", "))),
    }
}

fn all(spec: &mut PodSpec) -> impl Iterator<Item = &mut Container> {
    spec.init_containers.iter_mut().flatten().chain(&mut spec.containers)
}

/// The limit that is wanted, where it is lower than the one before.
fn lower(was: Option<u64>, wanted: Option<u64>) -> Option<u64> {
    wanted.filter(|wanted| was.is_none_or(|was| *wanted < was))
}

fn of(container: &Container) -> Option<u64> {
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    bytes(&limits.get("memory")?.0)
}

fn of_pod(spec: &PodSpec) -> Option<u64> {
    bytes(quantity::of_pod(spec).1.get("memory")?)
}

fn bytes(text: &str) -> Option<u64> {
    u64::try_from(quantity::milli(text)? / 1000)
        .ok()
        .filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn memory(limit: &str) -> Value {
        json!({"limits": {"memory": limit}})
    }

    #[test]
    fn what_is_in_use_is_not_taken_away() {
        let pod = |spec: Value| Pod::read(&json!({"metadata": {"name": "p"}, "spec": spec})).unwrap();
        let had: BTreeMap<String, ResourceRequirements> =
            BTreeMap::from([("a".to_owned(), serde_json::from_value(memory("1M")).unwrap())]);
        let used = BTreeMap::from([("a".to_owned(), 600_000), ("b".to_owned(), 1_000)]);
        let wants = |limit: &str, other: Value| {
            let containers = [
                json!({"name": "a", "resources": memory(limit)}),
                json!({"name": "b", "resources": other}),
            ];
            refusal(&pod(json!({"containers": containers})), &had, &used)
        };
        let of_container = "attempting to set container \"a\" memory limit (500000) below current usage (600000)";
        for (limit, other, expected) in [
            ("2M", json!({}), None),
            ("700k", memory("1k"), None),
            (
                "500k",
                json!({}),
                Some(format!("cannot decrease memory limits: {of_container}")),
            ),
            (
                "500k",
                memory("1k"),
                Some(format!(
                    "cannot decrease memory limits: [attempting to set pod memory limit (501000) below current usage (601000), {of_container}]"
                )),
            ),
        ] {
            assert_eq!(wants(limit, other), expected, "{limit}");
        }
    }
}
