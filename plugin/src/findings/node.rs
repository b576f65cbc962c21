//! The pod's node: gone, silent, or short of something.

use super::command::describe_node;
use super::conditions::quote;
use super::diagnosis::{Diagnosis, Place};
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
    let place = |condition: &Condition| format!("node {} condition {}", node.name, condition.kind);
    let mut found = Vec::new();
    if let Some(ready) = condition("Ready").filter(|ready| !ready.is_true()) {
        let diagnosis = not_ready(ready);
        found.push(
            Finding::new(
                severity,
                "NodeLost",
                say("node.not-ready").with("node", node.name.as_str()),
            )
            .seen(place(ready), quote(ready))
            .diagnosed(facts, None, diagnosis),
        );
    }
    if let Some(network) = condition("NetworkUnavailable").filter(|network| network.is_true()) {
        found.push(
            Finding::new(
                severity.min(Severity::Warning),
                "NetworkUnavailable",
                say("node.network").with("node", node.name.as_str()),
            )
            .seen(place(network), quote(network))
            .because(say("node.network.cause"))
            .maybe_run(describe_node(facts)),
        );
    }
    let short = ["MemoryPressure", "DiskPressure", "PIDPressure"]
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
        .seen(place(condition), quote(condition))
        .because(say("node.pressure.cause"))
        .maybe_run(describe_node(facts))
    }));
    found
}

/// Why a node is not ready. Only with the status Unknown it has stopped reporting; with False, the kubelet says what it lacks
/// (`pkg/kubelet/nodestatus/setters.go`).
fn not_ready(ready: &Condition) -> Diagnosis {
    if ready.status != "False" {
        return Diagnosis::new(Place::Node, say("failure.node-lost"));
    }
    let lower = ready.message.as_deref().unwrap_or_default().to_lowercase();
    let says = |any: &[&str]| any.iter().any(|words| lower.contains(words));
    match () {
        () if says(&["cni", "network not ready", "networkready=false", "network plugin"]) => {
            Diagnosis::new(Place::Network, say("node.not-ready.network"))
        }
        () if says(&["pleg is not healthy"]) => Diagnosis::new(Place::Node, say("node.not-ready.pleg")),
        () if says(&[
            "container runtime is down",
            "runtime not ready",
            "container runtime status check",
        ]) =>
        {
            Diagnosis::new(Place::Node, say("node.not-ready.runtime"))
        }
        () if says(&["shutting down"]) => Diagnosis::new(Place::Node, say("node.not-ready.shutdown")),
        () if says(&["csinode", "csi"]) => Diagnosis::new(Place::Node, say("node.not-ready.csi")),
        () if says(&["certificate", "x509"]) => Diagnosis::new(Place::Node, say("node.not-ready.certificate")),
        () => Diagnosis::new(Place::Node, say("node.not-ready.other")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_reports_is_not_called_silent() {
        let ready = |status: &str, message: &str| Condition {
            kind: "Ready".into(),
            status: status.into(),
            reason: None,
            message: Some(message.into()),
            since: None,
        };
        let cni = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin \
                   returns error: cni plugin not initialized";
        for (status, message, key) in [
            ("Unknown", "Kubelet stopped posting node status.", "failure.node-lost"),
            ("False", cni, "node.not-ready.network"),
            (
                "False",
                "PLEG is not healthy: pleg was last seen active 3m ago",
                "node.not-ready.pleg",
            ),
            ("False", "container runtime is down", "node.not-ready.runtime"),
            ("False", "something new", "node.not-ready.other"),
        ] {
            assert_eq!(not_ready(&ready(status, message)).cause, say(key), "{message}");
        }
    }
}
