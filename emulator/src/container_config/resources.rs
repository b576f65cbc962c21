//! Requests and limits as the kernel takes them (`pkg/kubelet/cm/helpers_linux.go`, `pkg/kubelet/qos/policy.go`).

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};

use super::{Node, Subject};
use crate::{
    kubelet::pod::Pod,
    quantity::{self, milli},
    runtime::Resources,
};

/// The period of CPU quotas, in microseconds.
const PERIOD: u64 = 100_000;

/// The least quota that the kernel takes, in microseconds.
const MIN_QUOTA: i64 = 1000;

/// The least and the most CPU shares.
const SHARES: (i128, i128) = (2, 262_144);

/// The limits of one container that is about to be made.
pub fn of_container(subject: &Subject<'_>) -> Resources {
    of(subject.node, subject.pod, &subject.declared.container)
}

/// The limits of one container.
pub fn of(node: &Node, pod: &Pod, container: &Container) -> Resources {
    let own = container.resources.as_ref();
    let cpu = request(own, "cpu").or_else(|| limit(own, "cpu")).unwrap_or(0);
    // A container without a limit of its own may use what the pod as a whole may (`kuberuntime_container_linux.go`).
    let limit = |name| limit(own, name).or_else(|| limit(pod.spec.resources.as_ref(), name));
    Resources {
        cpu_shares: Some(shares(cpu)),
        cpu_quota: limit("cpu").map(quota),
        cpu_period: limit("cpu").map(|_| PERIOD),
        memory_limit: limit("memory").map(units),
        pids_limit: None,
        oom_score_adj: Some(oom_score_adj(pod, container, memory_capacity(node))),
    }
}

/// The limits of a pod as a whole; a limit holds only where every container has one.
pub fn of_pod(pod: &Pod) -> Resources {
    let cpu = quantity::requests(&pod.spec).get("cpu").copied().unwrap_or(0);
    let (_, limits) = quantity::of_pod(&pod.spec);
    let overhead = |resource: &str| {
        let overhead = pod.spec.overhead.as_ref();
        overhead
            .and_then(|amounts| milli(&amounts.get(resource)?.0))
            .unwrap_or(0)
    };
    let limit = |resource: &str| {
        limits
            .get(resource)
            .and_then(|text| milli(text))
            .filter(|amount| *amount > 0)
            .map(|amount| amount + overhead(resource))
    };
    Resources {
        cpu_shares: Some(shares(cpu)),
        cpu_quota: limit("cpu").map(quota),
        cpu_period: limit("cpu").map(|_| PERIOD),
        memory_limit: limit("memory").map(units),
        pids_limit: None,
        oom_score_adj: None,
    }
}

fn request(resources: Option<&ResourceRequirements>, name: &str) -> Option<i128> {
    milli(&resources?.requests.as_ref()?.get(name)?.0)
}

fn limit(resources: Option<&ResourceRequirements>, name: &str) -> Option<i128> {
    milli(&resources?.limits.as_ref()?.get(name)?.0).filter(|amount| *amount > 0)
}

/// Whole units of thousandths.
fn units(milli: i128) -> i64 {
    i64::try_from(milli / 1000).unwrap_or(i64::MAX)
}

fn shares(cpu: i128) -> u64 {
    u64::try_from((cpu * 1024 / 1000).clamp(SHARES.0, SHARES.1)).unwrap_or(2)
}

fn quota(cpu: i128) -> i64 {
    i64::try_from(cpu * i128::from(PERIOD) / 1000)
        .unwrap_or(i64::MAX)
        .max(MIN_QUOTA)
}

fn memory_capacity(node: &Node) -> i128 {
    use crate::store::{Key, Resource};
    let node = node.store.get(&Key::new(Resource::Nodes, "", &node.name));
    node.and_then(|node| milli(node["status"]["capacity"]["memory"].as_str()?))
        .unwrap_or(0)
}

/// The more memory a container has asked for, the later it is killed when the node runs out.
fn oom_score_adj(pod: &Pod, container: &Container, capacity: i128) -> i32 {
    /// `system-node-critical`.
    const CRITICAL: i32 = 2_000_000_000;
    if pod.spec.priority.is_some_and(|priority| priority >= CRITICAL) {
        return -997;
    }
    match pod.object["status"]["qosClass"].as_str() {
        Some("Guaranteed") => -997,
        Some("Burstable") => {
            let asked = request(container.resources.as_ref(), "memory").unwrap_or(0) + share_of_pod(pod);
            let share = if capacity > 0 {
                1000 - 1000 * asked / capacity
            } else {
                999
            };
            i32::try_from(share.clamp(3, 999)).unwrap_or(999)
        }
        _ => 1000,
    }
}

/// What a pod asks for as a whole and none of its containers does, in equal shares (`pkg/kubelet/qos/policy.go`).
fn share_of_pod(pod: &Pod) -> i128 {
    let Some(whole) = request(pod.spec.resources.as_ref(), "memory") else {
        return 0;
    };
    let containers = PodSpec {
        resources: None,
        overhead: None,
        ..pod.spec.clone()
    };
    let asked = quantity::requests(&containers).get("memory").copied().unwrap_or(0);
    let sidecars = pod.spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let running = pod.spec.containers.len() + sidecars.count();
    (whole - asked).max(0) / i128::try_from(running.max(1)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn memory_of_the_pod_is_shared_by_its_containers() {
        let pod = Pod::read(
            &json!({"metadata": {}, "spec": {"resources": {"requests": {"memory": "100"}}, "containers": [
            {"name": "a", "resources": {"requests": {"memory": "40"}}}, {"name": "b"}]}}),
        );
        assert_eq!(share_of_pod(&pod.unwrap()), 30_000);
    }

    #[test]
    fn cpu_becomes_shares_and_quota() {
        assert_eq!(shares(0), 2);
        assert_eq!(shares(500), 512);
        assert_eq!(quota(500), 50_000);
        assert_eq!(quota(1), MIN_QUOTA);
        assert_eq!(units(64 * 1024 * 1024 * 1000), 64 * 1024 * 1024);
    }

    #[test]
    fn overhead_is_added_to_what_a_pod_may_use() {
        let pod = |overhead: serde_json::Value| {
            let pod = serde_json::json!({"metadata": {"name": "p"}, "spec": {"overhead": overhead, "containers": [
                {"name": "a", "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "10Mi"}}}]}});
            of_pod(&Pod::read(&pod).unwrap())
        };
        let mib = 1024 * 1024;
        assert_eq!(pod(serde_json::Value::Null).memory_limit, Some(10 * mib));
        let with = pod(serde_json::json!({"cpu": "500m", "memory": "2Mi"}));
        assert_eq!((with.memory_limit, with.cpu_quota), (Some(12 * mib), None));
        assert_eq!(with.cpu_shares, Some(1536));
    }
}
