//! A pod without a node: gated, or too demanding for every node there is.

use super::command::{here, kubectl};
use super::message::{Message, say};
use super::scheduler_message::{meaning, reasons};
use super::{Finding, Severity, event};
use crate::pod::event::Event;
use crate::pod::{Facts, requests};

/// Finds why there is no node.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Vec<Finding> {
    let condition = facts
        .condition("PodScheduled")
        .filter(|condition| condition.status == "False");
    let told = event(events, "FailedScheduling", None);
    let is_placed = facts
        .spec()
        .and_then(|spec| spec.node_name.as_deref())
        .is_some_and(|name| !name.is_empty());
    if is_placed || facts.is_over() || facts.termination.is_some() {
        return Vec::new();
    }
    let is_called_gated = condition.is_some_and(|condition| condition.reason.as_deref() == Some("SchedulingGated"));
    if is_called_gated || facts.scheduling_gates().next().is_some() {
        return vec![gated(facts)];
    }
    let message = condition
        .and_then(|condition| condition.message.clone())
        .or_else(|| told.map(|event| event.message.clone()));
    if condition.is_none() && told.is_none() {
        return Vec::new();
    }
    let message = message.unwrap_or_default();
    let (topic, what) = match condition.and_then(|condition| condition.reason.as_deref()) {
        Some("SchedulerError") => ("SchedulerError", say("scheduling.error")),
        _ => ("Unschedulable", say("scheduling.none")),
    };
    let mut finding = Finding::new(Severity::Error, topic, what)
        .seen(
            "condition PodScheduled",
            condition.map(|_| message.clone()).unwrap_or_default(),
        )
        .told_by(told.filter(|event| condition.is_none() || event.message != message));
    let reasons = reasons(&message);
    for (count, reason) in &reasons {
        if let Some((resource, amount)) = insufficient(facts, reason) {
            finding = finding.seen(format!("requests.{resource} of the whole pod"), amount);
        }
        finding = finding.because(counted(*count, meaning(reason)));
    }
    if topic == "SchedulerError" {
        finding = finding.because(say("scheduling.error.cause"));
    } else if reasons.is_empty() {
        finding = finding.because(say("scheduling.none.cause"));
    }
    let nominated = facts.status().and_then(|status| status.nominated_node_name.as_deref());
    if let Some(node) = nominated.filter(|name| !name.is_empty()) {
        finding = finding
            .seen("status.nominatedNodeName", node)
            .because(say("scheduling.nominated").with("node", node));
    }
    if message.contains("No preemption victims found") {
        finding = finding.because(say("scheduling.no-victims"));
    }
    for (_, reason) in &reasons {
        finding = advise(facts, finding, reason);
    }
    vec![finding.run(kubectl(&["describe", "nodes"]))]
}

fn gated(facts: &Facts) -> Finding {
    let gates: Vec<&str> = facts.scheduling_gates().collect();
    let message = facts
        .condition("PodScheduled")
        .and_then(|condition| condition.message.clone());
    Finding::new(
        Severity::Warning,
        "SchedulingGated",
        say("scheduling.gated").with("gates", gates.join(", ")),
    )
    .seen("spec.schedulingGates", gates.join(", "))
    .seen("condition PodScheduled", message.unwrap_or_default())
    .because(say("scheduling.gated.cause"))
    .then(say("scheduling.gated.next"))
    .run(here(
        facts,
        &["get", "pod", &facts.name, "-o", "jsonpath={.spec.schedulingGates}"],
    ))
}

fn counted(count: Option<u32>, meaning: Message) -> Message {
    match count {
        Some(1) => say("scheduling.one-node").with("meaning", meaning),
        Some(count) => say("scheduling.nodes")
            .with("count", count.to_string())
            .with("meaning", meaning),
        None => meaning,
    }
}

fn insufficient(facts: &Facts, reason: &str) -> Option<(String, String)> {
    let resource = reason.strip_prefix("Insufficient ")?;
    let amount = requests::of(facts.spec()?, resource)?;
    Some((resource.to_owned(), amount))
}

fn advise(facts: &Facts, finding: Finding, reason: &str) -> Finding {
    let says = |words: &str| reason.contains(words);
    match () {
        () if reason.starts_with("Insufficient ") => finding.then(say("scheduling.insufficient.next")),
        () if says("taint") => finding.then(say("scheduling.taint.next")).run(kubectl(&[
            "get",
            "nodes",
            "-o",
            "custom-columns=NAME:.metadata.name,TAINTS:.spec.taints",
        ])),
        () if says("node affinity/selector") || says("match node selector") => {
            let labels: Vec<String> = facts
                .spec()
                .into_iter()
                .flat_map(|spec| spec.node_selector.iter().flatten())
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            finding
                .seen("spec.nodeSelector", labels.join(", "))
                .run(kubectl(&["get", "nodes", "--show-labels"]))
        }
        () if says("were unschedulable") => finding.run(kubectl(&["uncordon", "NODE"])),
        () if says("olume") => finding.run(here(facts, &["get", "pvc"])),
        () if says("affinity") || says("topology spread") => {
            finding.run(kubectl(&["get", "pods", "-A", "-o", "wide", "--show-labels"]))
        }
        () if says("pv") || says("persistentvolumeclaim") || says("storage") => {
            finding.run(here(facts, &["get", "pvc"]))
        }
        () => finding,
    }
}
