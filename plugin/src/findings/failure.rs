//! A pod that has failed as a whole: evicted, refused by its node, past its deadline.

use super::command::{describe_node, here, kubectl};
use super::conditions::{disruption_cause, quote};
use super::message::{Message, meaning, remedy, say};
use super::{Finding, Severity};
use crate::pod::Facts;

/// Finds the pod's own reason to fail.
pub(super) fn rule(facts: &Facts) -> Option<Finding> {
    let status = facts.status()?;
    let reason = status.reason.as_deref().filter(|reason| !reason.is_empty())?;
    if facts.phase != "Failed" && !matches!(reason, "NodeLost" | "Evicted") {
        return None;
    }
    let message = status.message.clone().unwrap_or_default();
    let disruption = facts.true_condition("DisruptionTarget");
    // Whoever watches over nodes gives a reason to pods that may well run on.
    let what = if facts.phase == "Failed" {
        say("failure.reason").with("reason", reason)
    } else {
        say("conditions.node-silent")
    };
    let finding = Finding::new(Severity::Error, reason, what)
        .seen("status.reason", reason)
        .seen("status.message", message.as_str());
    let finding = match disruption {
        Some(condition) => finding.seen(
            "condition DisruptionTarget",
            [condition.reason.clone(), condition.message.clone()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(": "),
        ),
        None => finding,
    };
    let deadline = facts.spec().and_then(|spec| spec.active_deadline_seconds);
    let nodes = || describe_node(facts).unwrap_or_else(|| kubectl(&["get", "nodes"]));
    Some(match reason {
        "Evicted" => {
            let finding = evicted(&message).into_iter().fold(finding, Finding::because);
            eviction_advice(&message)
                .into_iter()
                .fold(finding, Finding::then)
                .run(nodes())
        }
        "DeadlineExceeded" => finding
            .seen(
                "spec.activeDeadlineSeconds",
                deadline.map(|seconds| seconds.to_string()).unwrap_or_default(),
            )
            .because(say("exit.deadline"))
            .then(say("failure.deadline.next"))
            .run(here(facts, &["describe", "pod", &facts.name])),
        "Preempting" => finding
            .because(say("failure.preempting"))
            .then(say("failure.preempting.next")),
        "Terminated" | "Shutdown" | "NodeShutdown" => {
            finding.because(say("failure.shutdown")).replaced(facts).run(nodes())
        }
        "NodeLost" => finding.because(say("failure.node-lost")).run(nodes()),
        reason if reason.starts_with("OutOf") => {
            let resource = reason.trim_start_matches("OutOf");
            finding.because(out_of(resource, &message)).replaced(facts).run(nodes())
        }
        _ => {
            let finding = finding.because(meaning(reason).unwrap_or_else(|| say("failure.other")));
            finding.advised(remedy(reason)).run(nodes())
        }
    })
}

impl Finding {
    /// Says whether another pod takes the place of one that has failed.
    fn replaced(self, facts: &Facts) -> Self {
        match facts.controller() {
            Some(owner) => self.then(
                say("failure.replaced")
                    .with("kind", owner.kind.as_str())
                    .with("name", owner.name.as_str()),
            ),
            None => self.then(say("failure.not-replaced")),
        }
    }
}

/// What the kubelet lacked when it admitted the pod: `Node didn't have enough resource: cpu, requested: 1000, used: 7500,
/// capacity: 8000` (`pkg/kubelet/lifecycle/predicate.go`).
fn out_of(resource: &str, message: &str) -> Message {
    let number = |words: &str| -> Option<u64> {
        let rest = message.split_once(words)?.1.trim_start();
        rest.split(|character: char| !character.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    match (number("requested:"), number("capacity:")) {
        (Some(requested), Some(capacity)) if requested > capacity => {
            say("failure.over-capacity").with("resource", resource)
        }
        _ if resource == "pods" => say("failure.out-of-pods"),
        _ => say("failure.out-of").with("resource", resource),
    }
}

/// A pod that has failed, while no rule says why.
pub(super) fn unexplained(facts: &Facts, found: &[Finding]) -> Option<Finding> {
    let is_explained = found.iter().any(|finding| finding.severity == Severity::Error);
    // A pod that is deleted fails with the containers that are stopped for it.
    if is_explained || facts.phase == "Failed" && facts.termination.is_some() {
        return None;
    }
    match facts.phase.as_str() {
        "Failed" => {
            let disruption = facts.true_condition("DisruptionTarget");
            let topic = if disruption.is_some() {
                "DisruptionTarget"
            } else {
                "Failed"
            };
            let finding =
                Finding::new(Severity::Error, topic, say("failure.unexplained")).seen("status.phase", "Failed");
            Some(
                match disruption {
                    Some(condition) => finding
                        .seen("condition DisruptionTarget", quote(condition))
                        .because(disruption_cause(condition)),
                    None if facts.is_saved => finding.because(say("failure.unexplained.in-file")),
                    None => finding.because(say("failure.unexplained.cause")),
                }
                .run(here(facts, &["get", "pod", &facts.name, "-o", "yaml"])),
            )
        }
        "Unknown" => Some(
            Finding::new(Severity::Error, "Unknown", say("failure.unknown"))
                .seen("status.phase", "Unknown")
                .because(say("failure.node-lost"))
                .maybe_run(describe_node(facts)),
        ),
        _ => None,
    }
}

/// What the kubelet's message says of an eviction (`pkg/kubelet/eviction/helpers.go`).
fn evicted(message: &str) -> Vec<Message> {
    let between = |begin: &str, end: &str| {
        let rest = message.split_once(begin)?.1;
        Some(rest.split(end).next().unwrap_or(rest).trim().to_owned())
    };
    let mut causes = Vec::new();
    if let Some(resource) = between("The node was low on resource:", ".") {
        causes.push(say("evicted.resource").with("resource", resource));
    }
    if let Some(condition) = between("The node had condition:", ".") {
        causes.push(say("evicted.condition").with("condition", condition.trim_matches(['[', ']']).to_owned()));
    }
    if let Some(rest) = message.split_once("Usage of EmptyDir volume").map(|(_, rest)| rest) {
        let quoted = rest.split('"').nth(1).unwrap_or_default();
        let limit = rest.split('"').nth(3).unwrap_or_default();
        causes.push(say("evicted.empty-dir").with("volume", quoted).with("limit", limit));
    }
    if message.contains("local ephemeral storage usage exceeds") || message.contains("local storage usage exceeds") {
        causes.push(say("evicted.storage"));
    }
    for part in message.split("Container ").skip(1) {
        if let Some((name, rest)) = part.split_once(" was using ") {
            let used = rest.split(',').next().unwrap_or_default();
            let request = rest
                .split_once("request is ")
                .or_else(|| rest.split_once("request of "))
                .and_then(|(_, rest)| rest.split([',', ' ']).next())
                .map_or("0", |request| request.trim_end_matches('.'));
            causes.push(
                say("evicted.container")
                    .with("container", name)
                    .with("used", used)
                    .with("request", request),
            );
        } else if let Some((name, _)) = part.split_once(" exceeded its local ephemeral storage limit") {
            causes.push(say("evicted.container-storage").with("container", name));
        }
    }
    if causes.is_empty() {
        causes.push(say("evicted.other"));
    }
    causes
}

/// What helps against the next eviction. The limits of the pod play no part where the node was short of something.
fn eviction_advice(message: &str) -> Vec<Message> {
    let is_about = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let is_over_own_limit = is_about(&[
        "Usage of EmptyDir volume",
        "storage usage exceeds",
        "exceeded its local ephemeral storage limit",
    ]);
    match () {
        () if is_over_own_limit => vec![say("evicted.storage.next")],
        () if is_about(&["inodes"]) => vec![say("evicted.inodes.next")],
        () if is_about(&["pids", "PIDPressure"]) => vec![say("evicted.pids.next")],
        () if is_about(&["ephemeral-storage", "storage", "nodefs", "imagefs"]) => {
            vec![say("evicted.disk.next"), say("evicted.disk-request.next")]
        }
        () if is_about(&["DiskPressure"]) => vec![say("evicted.disk.next")],
        () if is_about(&["memory", "MemoryPressure"]) => vec![say("evicted.next")],
        () => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str) -> String {
        evicted(message)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn the_limits_of_a_pod_are_no_matter_where_the_node_was_short() {
        let advice = eviction_advice(
            "The node was low on resource: ephemeral-storage. Container app was using 34260Ki, request is 0",
        );
        assert_eq!(advice, [say("evicted.disk.next"), say("evicted.disk-request.next")]);
        assert_eq!(
            eviction_advice("The node was low on resource: inodes. "),
            [say("evicted.inodes.next")]
        );
        assert_eq!(
            eviction_advice("The node was low on resource: pids. "),
            [say("evicted.pids.next")]
        );
        assert_eq!(
            eviction_advice("Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\". "),
            [say("evicted.storage.next")]
        );
    }

    #[test]
    fn a_request_over_the_nodes_capacity_never_fits() {
        let told = |resource: &str, message: &str| match out_of(resource, message) {
            Message::Sentence { key, .. } => key,
            _ => "",
        };
        let rest = "Node didn't have enough resource: memory, ";
        assert_eq!(
            told("memory", &format!("{rest}requested: 9, used: 0, capacity: 8")),
            "failure.over-capacity"
        );
        assert_eq!(
            told("memory", &format!("{rest}requested: 2, used: 7, capacity: 8")),
            "failure.out-of"
        );
        assert_eq!(
            told("pods", "requested: 1, used: 110, capacity: 110"),
            "failure.out-of-pods"
        );
    }

    #[test]
    fn an_evictions_message_is_taken_apart() {
        let said = told(
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. Container app was using \
             900Mi, request is 64Mi, has larger consumption of memory. ",
        );
        for part in ["memory", "app", "900Mi", "64Mi"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let older = told("Container app was using 20Gi, which exceeds its request of 5Gi. ");
        assert!(older.contains("20Gi") && older.contains("5Gi:"), "{older}");
        assert!(told("The node had condition: [DiskPressure]. ").contains("DiskPressure"));
        assert!(told("Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\". ").contains("cache"));
    }
}
