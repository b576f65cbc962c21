//! Readiness gates: the containers are ready, and somebody else has not said yes yet.

use super::conditions::quote;
use super::message::say;
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
            let finding = Finding::new(
                Severity::Warning,
                "ReadinessGatesNotReady",
                say("readiness.gate").with("gate", kind),
            )
            .seen("spec.readinessGates", kind);
            let finding = match facts.condition(kind) {
                None => finding.because(say("readiness.gate.unset").with("gate", kind)),
                Some(condition) => finding.seen(format!("condition {kind}"), quote(condition)),
            };
            finding
                .because(say("readiness.gate.cause"))
                .then(say("readiness.gate.next").with("gate", kind))
        })
        .collect()
}
