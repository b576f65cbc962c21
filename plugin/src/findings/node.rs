//! The pod's node: gone, silent, or short of something.

use super::command::describe_node;
use super::conditions::quote;
use super::message::say;
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::condition::Condition;
use crate::pod::surroundings::Surroundings;

/// Finds what is wrong with the node, where it was fetched.
pub(super) fn rule(facts: &Facts, around: &Surroundings) -> Vec<Finding> {
    let Some(node) = &around.node else {
        return Vec::new();
    };
    let severity = if facts.is_over() {
        Severity::Note
    } else {
        Severity::Error
    };
    if !node.exists {
        return vec![
            Finding::new(severity, "NodeLost", say("node.gone").with("node", node.name.as_str()))
                .seen("spec.nodeName", node.name.as_str())
                .because(say("node.gone.cause"))
                .run("kubectl get nodes"),
        ];
    }
    let condition = |kind: &str| node.conditions.iter().find(|condition| condition.kind == kind);
    let mut found = Vec::new();
    if let Some(ready) = condition("Ready").filter(|ready| !ready.is_true()) {
        found.push(
            Finding::new(
                severity,
                "NodeLost",
                say("node.not-ready").with("node", node.name.as_str()),
            )
            .seen(format!("node {} condition Ready", node.name), quote(ready))
            .because(say("failure.node-lost"))
            .maybe_run(describe_node(facts)),
        );
    }
    let short = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"]
        .into_iter()
        .filter_map(condition)
        .filter(|condition| condition.is_true());
    found.extend(short.map(|condition: &Condition| {
        Finding::new(
            severity.min(Severity::Warning),
            "eviction",
            say("node.pressure")
                .with("node", node.name.as_str())
                .with("condition", condition.kind.as_str()),
        )
        .seen(
            format!("node {} condition {}", node.name, condition.kind),
            quote(condition),
        )
        .because(say("node.pressure.cause"))
        .maybe_run(describe_node(facts))
    }));
    found
}
