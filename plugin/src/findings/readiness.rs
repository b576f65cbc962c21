//! Readiness gates: the containers are ready, and somebody else has not said yes yet.

use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::condition::Condition;

/// Finds the gates that keep the pod from being Ready.
pub(super) fn rule(facts: &Facts) -> Vec<Finding> {
    let gates = facts
        .spec()
        .into_iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten());
    gates
        .filter(|gate| !facts.condition(&gate.condition_type).is_some_and(Condition::is_true))
        .filter(|_| !facts.is_over() && facts.condition("ContainersReady").is_some_and(Condition::is_true))
        .map(|gate| {
            let kind = gate.condition_type.as_str();
            let quote = match facts.condition(kind) {
                None => "the condition has never been set".to_owned(),
                Some(condition) => format!(
                    "{}: {}",
                    condition.status,
                    condition.message.clone().unwrap_or_default()
                ),
            };
            Finding::new(
                Severity::Warning,
                "ReadinessGatesNotReady",
                format!("the containers are ready, and the pod is not: its readiness gate {kind} is not True"),
            )
            .seen(format!("condition {kind}"), quote)
            .because("a controller outside of Kubernetes sets this condition, and has not done so")
            .then(format!("find out which controller owns {kind}, and what it waits for"))
        })
        .collect()
}
