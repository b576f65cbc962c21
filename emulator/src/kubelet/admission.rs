//! Whether the node takes a pod that is bound to it.

use std::sync::Arc;

use serde_json::Value;

use super::{node::Node, pod::Pod, pod_status::Verdict};
use crate::{
    scheduler::fit::{self, Unfit},
    store::{Key, Resource},
};

/// Takes the pod, or says why not, in the kubelet's words.
pub(super) fn admit(node: &Node, pod: &Pod) -> Result<(), Verdict> {
    let scheduled = pod.status.conditions.iter().flatten();
    let mut scheduled = scheduled.filter(|condition| condition.type_ == "PodScheduled" && condition.status == "True");
    if pod.is_static || scheduled.next().is_some() {
        // A static pod goes before all others; of the others the scheduler has just asked the same.
        return Ok(());
    }
    let Some(object) = node.store.get(&Key::new(Resource::Nodes, "", &node.name)) else {
        return Ok(());
    };
    let others: Vec<Arc<Value>> = node
        .store
        .list(Resource::Pods, None)
        .0
        .into_iter()
        .filter(|other| other["metadata"]["uid"] != pod.uid && other["spec"]["nodeName"] == node.name.as_str())
        .collect();
    let others: Vec<&Value> = others.iter().map(AsRef::as_ref).collect();
    match fit::unfit(&pod.object, &object, &others) {
        None => Ok(()),
        Some(unfit) => verdict(&unfit).map_or(Ok(()), Err),
    }
}

fn verdict(unfit: &Unfit) -> Option<Verdict> {
    Some(match unfit {
        Unfit::Resources(short) => {
            let first = short.first()?;
            let shown = |amount: i128| {
                // CPU is counted in thousandths, everything else whole.
                if first.name == "cpu" { amount } else { amount / 1000 }
            };
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
        Unfit::Taint { .. } | Unfit::Unschedulable | Unfit::PodAffinity(_) => return None,
    })
}
