//! A pod that should be gone.

use super::{Finding, Severity};
use crate::pod::{Facts, age};

/// Finds what holds a pod whose grace ran out.
pub(super) fn rule(facts: &Facts) -> Option<Finding> {
    let termination = facts.termination.as_ref()?;
    if !termination.is_overdue(facts.now) {
        return None;
    }
    let late = age::human(-termination.remaining(facts.now));
    let finding = Finding::new(
        Severity::Warning,
        "Terminating",
        format!("the pod should have been gone {late} ago"),
    )
    .seen("metadata.deletionTimestamp", termination.deadline.to_string());
    Some(if termination.finalizers.is_empty() {
        let node = facts.spec().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
        finding
            .because("the node has not reported its end: it may be unreachable, or a process or mount of the pod cannot be removed")
            .then(format!("kubectl describe node {node}"))
            .then(format!(
                "kubectl delete pod {} -n {} --grace-period=0 --force   # only if the node is known to be gone",
                facts.name, facts.namespace
            ))
    } else {
        finding
            .seen("metadata.finalizers", termination.finalizers.join(", "))
            .because("its finalizers hold the object: whoever set them has work left, or is gone")
            .then("find out which controller owns the finalizers, and why it has not removed them")
    })
}
