//! Conditions whose present value is the bad one, and which no container explains.

use super::command::{describe_node, here};
use super::message::{Message, say};
use super::{Finding, Severity, event};
use crate::pod::Facts;
use crate::pod::condition::Condition;
use crate::pod::event::Event;

/// Finds what conditions alone tell.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(disruption(facts));
    found.extend(resize(facts));
    found.extend(node_silent(facts, events));
    if let Some(condition) = facts.true_condition("AllContainersRestarting") {
        found.push(
            seen(
                Severity::Warning,
                "AllContainersRestarting",
                say("conditions.restarting"),
                condition,
            )
            .because(say("conditions.restarting.cause"))
            .run(here(facts, &["get", "pod", &facts.name, "-o", "yaml"])),
        );
    }
    found
}

fn seen(severity: Severity, topic: &str, what: Message, condition: &Condition) -> Finding {
    Finding::new(severity, topic, what).seen(format!("condition {}", condition.kind), quote(condition))
}

/// A condition in one line: `False (ContainersNotReady: containers with unready status: [app])`.
pub(crate) fn quote(condition: &Condition) -> String {
    let why = [condition.reason.as_deref(), condition.message.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(": ");
    if why.is_empty() {
        condition.status.clone()
    } else {
        format!("{} ({why})", condition.status)
    }
}

fn disruption(facts: &Facts) -> Option<Finding> {
    let condition = facts.true_condition("DisruptionTarget")?;
    // Of a pod that has failed, the reason to fail tells it.
    if facts.is_over() {
        return None;
    }
    Some(
        seen(
            Severity::Warning,
            "DisruptionTarget",
            say("conditions.disruption"),
            condition,
        )
        .because(disruption_cause(condition))
        .maybe_run(describe_node(facts)),
    )
}

/// Who ends the pod, and why.
pub(super) fn disruption_cause(condition: &Condition) -> Message {
    match condition.reason.as_deref() {
        Some("PreemptionByScheduler") => say("conditions.preempted"),
        Some("DeletionByTaintManager") => say("conditions.tainted"),
        Some("EvictionByEvictionAPI") => say("conditions.evicted"),
        Some("DeletionByPodGC") => say("conditions.collected"),
        Some("TerminationByKubelet") => say("conditions.kubelet"),
        _ => say("conditions.disruption.cause"),
    }
}

fn resize(facts: &Facts) -> Option<Finding> {
    if let Some(condition) = facts.true_condition("PodResizePending") {
        let what = match condition.reason.as_deref() {
            Some("Infeasible") => say("conditions.resize-infeasible"),
            _ => say("conditions.resize-deferred"),
        };
        return Some(
            seen(Severity::Warning, "PodResizePending", what, condition)
                .because(say("conditions.resize.cause"))
                .maybe_run(describe_node(facts)),
        );
    }
    let condition = facts.true_condition("PodResizeInProgress")?;
    let is_failing = condition.reason.as_deref() == Some("Error");
    let (severity, what) = if is_failing {
        (Severity::Warning, say("conditions.resize-fails"))
    } else {
        (Severity::Note, say("conditions.resize-runs"))
    };
    Some(
        seen(severity, "PodResizeInProgress", what, condition)
            .because(say("conditions.resize.cause"))
            .maybe_run(describe_node(facts)),
    )
}

/// The node has stopped reporting: only the node controller marks a pod as not ready whose containers are.
fn node_silent(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let ready = facts.condition("Ready")?;
    let is_told = facts.status().and_then(|status| status.reason.as_deref()) == Some("NodeLost");
    if facts.is_over() || is_told || !facts.is_node_silent() {
        return None;
    }
    Some(
        seen(Severity::Error, "NodeLost", say("conditions.node-silent"), ready)
            .told_by(event(events, "NodeNotReady", None))
            .because(say("failure.node-lost"))
            .maybe_run(describe_node(facts)),
    )
}
