//! A pod that has failed as a whole: evicted, refused by its node, past its deadline.

use super::{Finding, Severity};
use crate::pod::Facts;

/// Finds the pod's own reason to fail.
pub(super) fn rule(facts: &Facts) -> Option<Finding> {
    let status = facts.status()?;
    let reason = status.reason.as_deref().filter(|reason| !reason.is_empty())?;
    if facts.phase != "Failed" && reason != "NodeLost" {
        return None;
    }
    let message = status.message.clone().unwrap_or_default();
    let finding = Finding::new(Severity::Error, reason, format!("the pod has failed: {reason}"))
        .seen("status.reason", reason)
        .seen("status.message", message);
    let describe_node = facts.spec().and_then(|spec| spec.node_name.as_deref()).map_or_else(
        || "kubectl get nodes".to_owned(),
        |node| format!("kubectl describe node {node}"),
    );
    Some(match reason {
        "Evicted" => finding
            .because("the node ran short of a resource and chose this pod to end; its own requests and use decide how soon")
            .then(describe_node)
            .then("set requests close to what the pod uses, and a limit for ephemeral-storage"),
        "DeadlineExceeded" => finding
            .because("the pod ran longer than its activeDeadlineSeconds, and was stopped")
            .then("raise spec.activeDeadlineSeconds, or make the work shorter"),
        "Preempting" => finding
            .because("a critical pod needed the room on the node")
            .then("give the pod a priority class, or the cluster more room"),
        "Terminated" | "Shutdown" | "NodeShutdown" => finding
            .because("the node was shut down; pods without a controller are not started elsewhere")
            .then(describe_node),
        "NodeLost" => finding.because("the node does not report any more").then(describe_node),
        reason if reason.starts_with("OutOf") => finding
            .because("the node had no room left when the pod arrived: the scheduler had decided on older numbers, or was bypassed")
            .then("delete the pod, so that its controller makes another")
            .then(describe_node),
        "NodeAffinity" | "NodeName" | "NodePorts" | "TaintToleration" | "TopologyAffinityError" | "UnexpectedAdmissionError" => {
            finding
                .because("the node refused the pod when it arrived: what the scheduler saw was no longer so, or was bypassed")
                .then(describe_node)
        }
        _ => finding.because("the node, or a controller, ended the pod for this reason").then(describe_node),
    })
}
