//! Whether the node takes a pod that is bound to it.

use std::sync::{Arc, atomic::Ordering};

use serde_json::Value;

use super::{
    node::Node, pod::Pod, pod_status::Verdict, preemption::is_critical, pressure::Pressure, qos::qos_class,
    resize::Pending,
};
use crate::{
    controllers::node::is_extended,
    runtime::PodRef,
    scheduler::fit::{self, Short, Unfit},
    store::{Key, Resource},
};

/// The taint that a node has while it lacks memory.
const TAINT_OF_MEMORY: &str = "node.kubernetes.io/memory-pressure";

/// Takes the pod, or says why not, in the kubelet's words.
pub(super) fn admit(node: &Node, pod: &Pod) -> Result<(), Verdict> {
    if node.is_shutting_down.load(Ordering::Relaxed) {
        let message = "Pod was rejected as the node is shutting down.";
        return Err(Verdict::new("NodeShutdown", message));
    }
    under_pressure(node, pod)?;
    super::sysctls::admit(pod)?;
    super::app_armor::admit(pod)?;
    operating_system(pod)?;
    let scheduled = pod.status.conditions.iter().flatten();
    let mut scheduled = scheduled.filter(|condition| condition.type_ == "PodScheduled" && condition.status == "True");
    if scheduled.next().is_some() {
        // The scheduler has just asked the same.
        return Ok(());
    }
    match unfit(node, pod) {
        None => Ok(()),
        Some(unfit) => verdict(&unfit).map_or(Ok(()), Err),
    }
}

/// What a pod lacks, where that is resources and nothing else.
pub(super) fn lacking(node: &Node, pod: &Pod) -> Vec<Short> {
    match unfit(node, pod) {
        Some(Unfit::Resources(short)) => short,
        _ => Vec::new(),
    }
}

/// Why the pod, as its object asks for it, does not fit beside the others.
fn unfit(node: &Node, pod: &Pod) -> Option<Unfit> {
    let object = node.store.get(&Key::new(Resource::Nodes, "", &node.name))?;
    let others: Vec<Arc<Value>> = node
        .store
        .list(Resource::Pods, None)
        .0
        .into_iter()
        .filter(|other| PodRef::of(other).uid != pod.uid && other["spec"]["nodeName"] == node.name.as_str())
        .collect();
    let others: Vec<&Value> = others.iter().map(AsRef::as_ref).collect();
    let unfit = fit::unfit(&pod.object, &object, &others)?;
    let Unfit::Resources(mut short) = unfit else {
        return Some(unfit);
    };
    // Extended resources that the node does not know are the cluster's (`pkg/kubelet/lifecycle/predicate.go`,
    // `removeMissingExtendedResources`).
    short.retain(|short| !is_extended(&short.name) || !object["status"]["allocatable"][&short.name].is_null());
    (!short.is_empty()).then_some(Unfit::Resources(short))
}

/// What is in the way of a resize (`pkg/kubelet/allocation`); none where it can be given.
pub(super) fn resize_pending(node: &Node, pod: &Pod) -> Option<Pending> {
    let Some(Unfit::Resources(short)) = unfit(node, pod) else {
        return None;
    };
    // Memory is looked at first.
    let never = |name: &str| {
        short
            .iter()
            .find(|short| short.name == name && short.requested > short.capacity)
    };
    if let Some(short) = never("memory").or_else(|| never("cpu")) {
        return Some(Pending {
            reason: "Infeasible",
            message: format!(
                "Node didn't have enough capacity: {}, requested: {}, capacity: {}",
                short.name,
                shown(&short.name, short.requested),
                shown(&short.name, short.capacity)
            ),
        });
    }
    let verdict = verdict(&Unfit::Resources(short))?;
    Some(Pending {
        reason: "Deferred",
        message: verdict.message,
    })
}

/// A pod that would make things worse: any without disk, one that has requested nothing without memory
/// (`pkg/kubelet/eviction`, `Admit`).
fn under_pressure(node: &Node, pod: &Pod) -> Result<(), Verdict> {
    let object = node.store.get(&Key::new(Resource::Nodes, "", &node.name));
    let conditions = object.map(|object| object["status"]["conditions"].clone());
    let all = conditions.as_ref().and_then(Value::as_array).into_iter().flatten();
    let holding: Vec<&str> = all
        .filter(|condition| condition["status"] == "True")
        .filter_map(|condition| condition["type"].as_str())
        .filter(|kind| kind.ends_with("Pressure"))
        .collect();
    let memory = Pressure::MemoryPressure.as_str();
    let harmless = holding == [memory]
        && (qos_class(pod) != "BestEffort" || fit::tolerates(&pod.spec, TAINT_OF_MEMORY, "", "NoSchedule"));
    if holding.is_empty() || is_critical(&pod.object) || harmless {
        return Ok(());
    }
    let conditions = holding.join(" ");
    Err(Verdict::new(
        "Evicted",
        format!("The node had condition: [{conditions}]. "),
    ))
}

/// A pod for another system than Linux (`pkg/kubelet/lifecycle/predicate.go`).
fn operating_system(pod: &Pod) -> Result<(), Verdict> {
    let label = pod.object["metadata"]["labels"]["kubernetes.io/os"].as_str();
    if label.is_some_and(|label| label != "linux") {
        return Err(Verdict::new(
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        ));
    }
    if pod.spec.os.as_ref().is_some_and(|os| os.name != "linux") {
        return Err(Verdict::new(
            "PodOSNotSupported",
            "Failed to admit pod as the OS field doesn't match node OS",
        ));
    }
    Ok(())
}

/// CPU is counted in thousandths, everything else whole.
fn shown(resource: &str, amount: i128) -> i128 {
    if resource == "cpu" { amount } else { amount / 1000 }
}

fn verdict(unfit: &Unfit) -> Option<Verdict> {
    Some(match unfit {
        Unfit::Resources(short) => {
            let first = short.first()?;
            let shown = |amount| shown(&first.name, amount);
            let message = format!(
                "Node didn't have enough resource: {}, requested: {}, used: {}, capacity: {}",
                first.name,
                shown(first.requested),
                shown(first.used),
                shown(first.capacity)
            );
            Verdict::new(&format!("OutOf{}", first.name), message)
        }
        Unfit::Affinity => Verdict::new(
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        Unfit::Name => Verdict::new(
            "NodeName",
            "Predicate NodeName failed: node(s) didn't match the requested node name",
        ),
        Unfit::Ports => Verdict::new(
            "NodePorts",
            "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
        ),
        Unfit::Taint { effect } if effect == "NoExecute" => Verdict::new(
            "TaintToleration",
            "Predicate TaintToleration failed: node(s) had untolerated taint(s)",
        ),
        // What only the scheduler minds.
        Unfit::Taint { .. } | Unfit::Unschedulable | Unfit::Spread(_) | Unfit::PodAffinity(_) => return None,
    })
}
