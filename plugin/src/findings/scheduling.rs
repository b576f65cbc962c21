//! A pod without a node: gated, or too demanding for every node there is.

use super::{Finding, Severity, event};
use crate::pod::Facts;
use crate::pod::event::Event;

/// Finds why there is no node.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Vec<Finding> {
    let Some(condition) = facts
        .condition("PodScheduled")
        .filter(|condition| condition.status == "False")
    else {
        return Vec::new();
    };
    let message = condition.message.clone().unwrap_or_default();
    if condition.reason.as_deref() == Some("SchedulingGated") {
        let gates: Vec<String> = facts
            .spec()
            .iter()
            .flat_map(|spec| spec.scheduling_gates.iter().flatten())
            .map(|gate| gate.name.clone())
            .collect();
        return vec![
            Finding::new(
                Severity::Warning,
                "SchedulingGated",
                format!(
                    "the scheduler does not look at the pod: it is gated by {}",
                    gates.join(", ")
                ),
            )
            .seen("spec.schedulingGates", gates.join(", "))
            .seen("condition PodScheduled", message)
            .because("whoever set a gate removes it when the pod may be scheduled; nothing else does")
            .then("find out which controller owns the gate, and what it waits for"),
        ];
    }
    let finding = Finding::new(Severity::Error, "Unschedulable", "no node can take the pod")
        .seen("condition PodScheduled", message.clone())
        .told_by(event(events, "FailedScheduling", None).filter(|event| event.message != message));
    let reasons = reasons(&message);
    let finding = finding.because(if reasons.is_empty() {
        "the scheduler found no node that meets all of the pod's demands".to_owned()
    } else {
        reasons
            .iter()
            .map(|(reason, count)| format!("{count}: {}", meaning(reason)))
            .collect::<Vec<_>>()
            .join("; ")
    });
    let advice = reasons.iter().filter_map(|(reason, _)| advice(reason));
    vec![advice.fold(finding, Finding::then).then("kubectl describe nodes")]
}

/// Takes `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. preemption: …` apart.
fn reasons(message: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = message.split_once("nodes are available:") else {
        return Vec::new();
    };
    let rest = rest.split(" preemption:").next().unwrap_or(rest);
    let rest = rest.trim().trim_end_matches('.');
    // A taint's braces may hold commas.
    let mut depth = 0_i32;
    rest.split(|character: char| {
        depth += match character {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        character == ',' && depth == 0
    })
    .filter_map(|part| {
        let part = part.trim();
        let (count, reason) = part.split_once(' ')?;
        count.parse::<u32>().ok()?;
        let plural = if count == "1" {
            "1 node".to_owned()
        } else {
            format!("{count} nodes")
        };
        Some((reason.to_owned(), plural))
    })
    .collect()
}

fn meaning(reason: &str) -> String {
    let words = match reason {
        reason if reason.starts_with("Insufficient ") => {
            let resource = reason.trim_start_matches("Insufficient ");
            return format!("not enough {resource} is left for the pod's requests");
        }
        "Too many pods" => "the node runs as many pods as it may",
        reason if reason.contains("untolerated taint") => return format!("{reason}, which the pod does not tolerate"),
        reason if reason.contains("node affinity/selector") => {
            "the labels are not those of the pod's nodeSelector or affinity"
        }
        reason if reason.contains("were unschedulable") => "cordoned: closed to new pods",
        reason if reason.contains("anti-affinity") => {
            "pods are there that this one must be apart from, or that want to be apart from it"
        }
        reason if reason.contains("pod affinity") => "the pods are missing that this one must be near",
        reason if reason.contains("topology spread") => "one more pod there would break the topology spread",
        reason if reason.contains("free ports") => "a host port of the pod is taken",
        reason if reason.contains("volume node affinity") => "the pod's volume cannot be reached from there",
        reason if reason.contains("persistent volumes to bind") => "no persistent volume fits the pod's claim",
        reason if reason.contains("volume count") => "no more volumes can be attached",
        other => other,
    };
    words.to_owned()
}

fn advice(reason: &str) -> Option<String> {
    Some(match reason {
        reason if reason.starts_with("Insufficient ") => {
            "lower the pod's requests, end other pods, or add a node".to_owned()
        }
        reason if reason.contains("untolerated taint") => "add a toleration, or remove the taint".to_owned(),
        reason if reason.contains("node affinity/selector") => "kubectl get nodes --show-labels".to_owned(),
        reason if reason.contains("were unschedulable") => "kubectl uncordon NODE".to_owned(),
        reason if reason.contains("PersistentVolume") || reason.contains("persistent volume") => {
            "kubectl get pvc,pv".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedulers_message_is_taken_apart() {
        let message = "0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had untolerated taint {a: b, c}. preemption: 0/4 nodes \
                       are available: 4 Preemption is not helpful for scheduling.";
        assert_eq!(
            reasons(message),
            [
                ("Insufficient cpu".to_owned(), "1 node".to_owned()),
                (
                    "node(s) had untolerated taint {a: b, c}".to_owned(),
                    "3 nodes".to_owned()
                )
            ]
        );
    }
}
