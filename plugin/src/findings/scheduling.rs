//! A pod without a node: gated, or too demanding for every node there is.

use super::command::{here, kubectl};
use super::message::{Message, say};
use super::scheduler_message::{Taint, kind_of_taint, meaning, reasons, taint_of};
use super::{Finding, Severity, autoscaler, claims};
use crate::pod::event::Event;
use crate::pod::surroundings::Surroundings;
use crate::pod::{Facts, requests};

/// Finds why there is no node.
pub(super) fn rule(facts: &Facts, events: &[Event], around: &Surroundings) -> Vec<Finding> {
    let condition = facts
        .condition("PodScheduled")
        .filter(|condition| condition.status == "False");
    // Karpenter tells with the same reason why it adds no node.
    let told = events
        .iter()
        .rfind(|event| event.reason == "FailedScheduling" && !autoscaler::is_of_karpenter(event));
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
    let reasons = reasons(&message);
    let is_about_claims = !reasons.is_empty() && reasons.iter().all(|(_, reason)| is_of_claim(reason));
    let is_error = condition.is_some_and(|condition| condition.reason.as_deref() == Some("SchedulerError"));
    let topic = if is_error { "SchedulerError" } else { "Unschedulable" };
    let what = match () {
        () if is_about_claims => say("scheduling.waits-for-claim"),
        () if is_error => say("scheduling.error"),
        () => say("scheduling.none"),
    };
    let coming = autoscaler::node_on_its_way(facts, events);
    let severity = if coming.is_some() {
        Severity::Warning
    } else {
        Severity::Error
    };
    let mut finding = Finding::new(severity, topic, what)
        .seen(
            "condition PodScheduled",
            condition.map(|_| message.clone()).unwrap_or_default(),
        )
        .told_by(told.filter(|event| condition.is_none() || event.message != message));
    for (count, reason) in &reasons {
        if let Some((resource, amount)) = insufficient(facts, reason) {
            finding = finding.seen(format!("requests.{resource} of the whole pod"), amount);
        }
        finding = finding.because(counted(*count, meaning(reason)));
    }
    if reasons.is_empty() && is_error {
        finding = finding.because(say("scheduling.error.cause"));
    } else if reasons.is_empty() {
        finding = finding.because(say("scheduling.none.cause"));
    }
    if reasons.iter().any(|(_, reason)| is_of_claim(reason)) {
        finding = claims::told(facts, around, finding);
    }
    finding = autoscaler::told(facts, events, finding, coming);
    let nominated = facts
        .status()
        .and_then(|status| status.nominated_node_name.as_deref())
        .filter(|name| !name.is_empty());
    if let Some(node) = nominated {
        finding = finding
            .seen("status.nominatedNodeName", node)
            .because(say("scheduling.nominated").with("node", node));
    } else if message.contains("No preemption victims found") {
        finding = finding.because(say("scheduling.no-victims"));
    }
    if message.contains("preemptionPolicy=Never") {
        finding = finding.because(say("scheduling.preemption-never"));
    }
    for (_, reason) in &reasons {
        finding = advise(facts, finding, reason);
    }
    if is_about_claims {
        return vec![finding];
    }
    vec![finding.run(kubectl(&["describe", "nodes"]))]
}

/// Whether a reason is about a claim that has no volume, which no node can change.
fn is_of_claim(reason: &str) -> bool {
    [
        "unbound immediate",
        "binding volumes",
        "provisioning failed",
        "persistentvolumeclaim",
        "PersistentVolumeClaim",
        "v1.PersistentVolume",
        "StorageClass",
        "non-existent p",
    ]
    .into_iter()
    .any(|words| reason.contains(words))
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
        () if says("taint") => {
            let key = taint_of(reason).split(':').next().unwrap_or_default();
            let finding = match kind_of_taint(key) {
                // Without the taint's name nobody knows who set it.
                _ if key.is_empty() => finding,
                Taint::Trouble("scheduling.taint-cloud") => finding.then(say("scheduling.taint-cloud.next")),
                Taint::Trouble(_) => finding.then(say("scheduling.taint-trouble.next")).run("kubectl get nodes"),
                Taint::Cordon => finding.then(say("scheduling.cordoned.next")),
                Taint::Leaving | Taint::ControlPlane => finding,
                Taint::Reserved => finding.then(say("scheduling.taint.next")),
            };
            finding.run(kubectl(&[
                "get",
                "nodes",
                "-o",
                "custom-columns=NAME:.metadata.name,TAINTS:.spec.taints",
            ]))
        }
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
        () if says("were unschedulable") => finding.then(say("scheduling.cordoned.next")).run("kubectl get nodes"),
        () if says("volume node affinity") || says("PersistentVolume's node affinity") || says("available volume zone") => {
            finding
                .then(say("scheduling.volume-zone.next"))
                .run(here(facts, &["get", "pvc"]))
                .run("kubectl get pv -o custom-columns=NAME:.metadata.name,CLAIM:.spec.claimRef.name,AFFINITY:.spec.nodeAffinity")
        }
        () if is_of_claim(reason) => finding,
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
