//! The scheduler's decision about one pod, and its words.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    fit::{Unfit, unfit},
    preemption::{Preemption, preemption},
};

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes to the node.
    Bind,
    /// It waits; why.
    Unschedulable(String),
    /// It waits until these have gone for it; why.
    Preempts(Vec<Value>, String),
    /// Nothing changes: others are going for it already.
    Waits,
    /// Its scheduling gates hold it back.
    Gated,
}

/// Decides about a pod that has no node yet. `node` is absent while none has registered.
pub fn schedule(pod: &Value, node: Option<&Value>, pods_on_node: &[&Value]) -> Decision {
    if pod["spec"]["schedulingGates"]
        .as_array()
        .is_some_and(|gates| !gates.is_empty())
    {
        return Decision::Gated;
    }
    let Some(node) = node else {
        return Decision::Unschedulable("no nodes available to schedule pods".into());
    };
    if let Some(message) = missing(pod) {
        let helpless = "0/1 nodes are available: 1 Preemption is not helpful for scheduling";
        return Decision::Unschedulable(sentence(&message, helpless));
    }
    match unfit(pod, node, pods_on_node) {
        None => Decision::Bind,
        Some(unfit) => {
            let reasons = counted(&unfit);
            match preemption(pod, node, pods_on_node, &unfit) {
                Preemption::Victims(victims) => {
                    let victims = victims.into_iter().cloned().collect();
                    Decision::Preempts(victims, format!("0/1 nodes are available: {reasons}."))
                }
                Preemption::Underway => Decision::Waits,
                Preemption::Helpless(why) => Decision::Unschedulable(sentence(&reasons, &why)),
            }
        }
    }
}

/// What the pod claims: the emulator has no volumes and no devices that are claimed
/// (`plugins/volumebinding`, `plugins/dynamicresources`).
fn missing(pod: &Value) -> Option<String> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let claimed = volumes.into_iter().find_map(|volume| {
        if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
            return Some(format!("persistentvolumeclaim {claim:?} not found"));
        }
        let (pod, name) = (pod["metadata"]["name"].as_str()?, volume["name"].as_str()?);
        let waits = "waiting for ephemeral volume controller to create the persistentvolumeclaim";
        volume["ephemeral"]
            .is_object()
            .then(|| format!("{waits} \"{pod}-{name}\""))
    });
    claimed.or_else(|| {
        let mut claims = pod["spec"]["resourceClaims"].as_array()?.iter();
        claims.find_map(|claim| {
            let of = |field: &str, kind: &str| Some(format!("{kind} {:?} not found", claim[field].as_str()?));
            of("resourceClaimName", "resourceclaim")
                .or_else(|| of("resourceClaimTemplateName", "resourceclaimtemplate"))
        })
    })
}

fn counted(unfit: &Unfit) -> String {
    let mut counts = BTreeMap::new();
    for reason in unfit.reasons() {
        *counts.entry(reason).or_insert(0) += 1;
    }
    let mut all: Vec<String> = counts
        .into_iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    all.sort();
    all.join(", ")
}

fn sentence(reasons: &str, preemption: &str) -> String {
    format!("0/1 nodes are available: {reasons}. no new claims to deallocate, preemption: {preemption}.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node() -> Value {
        json!({
            "metadata": {"name": "emulator", "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": "emulator"}},
            "spec": {},
            "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "2"}},
        })
    }

    fn why(spec: &Value, node: &Value, others: &[&Value]) -> String {
        let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": spec});
        match schedule(&pod, Some(node), others) {
            Decision::Unschedulable(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pod_without_wishes_is_bound() {
        let pod = json!({"spec": {"containers": [{"name": "a"}], "nodeSelector": {"kubernetes.io/os": "linux"}}});
        assert_eq!(schedule(&pod, Some(&node()), &[]), Decision::Bind);
    }

    #[test]
    fn gates_hold_a_pod_back() {
        let pod = json!({"spec": {"containers": [], "schedulingGates": [{"name": "x"}]}});
        assert_eq!(schedule(&pod, Some(&node()), &[]), Decision::Gated);
    }

    #[test]
    fn a_node_selector_that_does_not_match_is_told_in_the_schedulers_words() {
        let message = why(
            &json!({"containers": [], "nodeSelector": {"disk": "ssd"}}),
            &node(),
            &[],
        );
        assert_eq!(
            message,
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, \
             preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        );
    }

    #[test]
    fn more_than_the_node_has_is_insufficient() {
        let spec = json!({"containers": [{"name": "a", "resources": {"requests": {"cpu": "3", "memory": "2Gi"}}}]});
        let message = why(&spec, &node(), &[]);
        assert!(
            message.starts_with("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. "),
            "{message}"
        );
        assert!(
            message.ends_with("1 Preemption is not helpful for scheduling."),
            "{message}"
        );
    }

    #[test]
    fn what_others_have_is_taken_and_could_be_preempted() {
        let other = json!({"spec": {"containers": [{"name": "a", "resources": {"requests": {"cpu": "1500m"}}}]}});
        let spec = json!({"containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}]});
        let message = why(&spec, &node(), &[&other]);
        assert!(message.contains("1 Insufficient cpu. "), "{message}");
        assert!(
            message.ends_with("1 No preemption victims found for incoming pod."),
            "{message}"
        );
        let mut over = other;
        over["status"] = json!({"phase": "Succeeded"});
        let pod = json!({"spec": spec});
        assert_eq!(schedule(&pod, Some(&node()), &[&over]), Decision::Bind);
    }

    #[test]
    fn a_taint_can_be_compared_with_a_toleration() {
        let mut tainted = node();
        tainted["spec"]["taints"] = json!([{"key": "sla", "value": "950", "effect": "NoSchedule"}]);
        for (operator, value, tolerated) in [
            ("Gt", "750", true),
            ("Gt", "950", false),
            ("Lt", "1000", true),
            ("Lt", "-5", false),
            ("Lt", "99999999999999999999", false),
        ] {
            let pod = json!({"spec": {"containers": [], "tolerations": [{"key": "sla", "operator": operator, "value": value}]}});
            let bound = schedule(&pod, Some(&tainted), &[]) == Decision::Bind;
            assert_eq!(bound, tolerated, "950 {operator} {value}");
        }
    }

    #[test]
    fn taints_need_tolerations() {
        let mut tainted = node();
        tainted["spec"]["taints"] = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
        let message = why(&json!({"containers": []}), &tainted, &[]);
        assert!(
            message.starts_with("0/1 nodes are available: 1 node(s) had untolerated taint(s). "),
            "{message}"
        );
        let pod = json!({"spec": {"containers": [], "tolerations": [{"key": "k", "operator": "Exists"}]}});
        assert_eq!(schedule(&pod, Some(&tainted), &[]), Decision::Bind);
    }

    #[test]
    fn host_ports_are_taken_once() {
        let spec = json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "hostPort": 80}]}]});
        let other = json!({"spec": spec});
        assert!(
            why(&spec, &node(), &[&other]).contains("1 node(s) didn't have free ports for the requested pod ports")
        );
    }

    #[test]
    fn anti_affinity_keeps_two_of_a_kind_apart() {
        let term = json!({"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "kubernetes.io/hostname"});
        let spec = json!({"containers": [], "affinity": {"podAntiAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
        let other = json!({"metadata": {"namespace": "n", "labels": {"app": "x"}}, "spec": {"containers": []}});
        assert!(why(&spec, &node(), &[&other]).contains("1 node(s) didn't match pod anti-affinity rules"));
    }

    #[test]
    fn claimed_devices_and_volumes_that_are_to_be_made_do_not_exist() {
        let claims = json!({"containers": [], "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}]});
        let starts = |message: &str, with: &str| message.starts_with(&format!("0/1 nodes are available: {with}. "));
        assert!(starts(
            &why(&claims, &node(), &[]),
            "resourceclaimtemplate \"t\" not found"
        ));
        let volume = json!({"containers": [], "volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}]});
        assert!(starts(
            &why(&volume, &node(), &[]),
            "waiting for ephemeral volume controller to create the persistentvolumeclaim \"p-v\""
        ));
    }

    #[test]
    fn a_claimed_volume_does_not_exist() {
        let spec =
            json!({"containers": [], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]});
        assert!(
            why(&spec, &node(), &[]).starts_with("0/1 nodes are available: persistentvolumeclaim \"data\" not found. ")
        );
    }
}
