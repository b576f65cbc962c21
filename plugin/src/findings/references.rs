//! Objects that the pod refers to and that are not there.

use super::command::here;
use super::message::say;
use super::{Finding, Severity, claims};
use crate::pod::Facts;
use crate::pod::reference::Kind;
use crate::pod::surroundings::Surroundings;

/// Finds them, where they were looked for.
pub(super) fn rule(facts: &Facts, around: &Surroundings, found: &[Finding]) -> Vec<Finding> {
    // What the kubelet has said already is not said twice.
    let is_told = |name: &str| {
        let quoted = format!("{name:?} not found");
        let mut evidence = found.iter().flat_map(|finding| &finding.evidence);
        evidence.any(|evidence| evidence.quote.contains(&quoted))
    };
    let missing = around
        .missing
        .iter()
        .filter(|reference| !is_told(&reference.name))
        .map(|reference| {
            let severity = match (reference.is_optional, reference.kind) {
                (true, _) => Severity::Note,
                (false, _) if reference.path.starts_with("spec.imagePullSecrets") => Severity::Warning,
                (false, _) => Severity::Error,
            };
            let name = reference.name.as_str();
            let cause = match reference.kind {
                _ if reference.is_optional => say("references.optional"),
                Kind::Secret if reference.path.starts_with("spec.imagePullSecrets") => say("references.pull-secret"),
                Kind::ServiceAccount => say("references.account"),
                Kind::Claim => say("references.claim"),
                Kind::ConfigMap | Kind::Secret => say("references.blocks"),
            };
            let topic = match reference.kind {
                Kind::Claim => "FailedMount",
                _ if reference.path.contains(".volumes[") => "FailedMount",
                Kind::ServiceAccount => "serviceAccountName",
                _ if reference.path.starts_with("spec.imagePullSecrets") => "ImagePullBackOff",
                _ => "CreateContainerConfigError",
            };
            Finding::new(
                severity,
                topic,
                say("references.missing")
                    .with("kind", reference.kind.name())
                    .with("name", name)
                    .with("namespace", facts.namespace.as_str()),
            )
            .seen(reference.path.as_str(), name)
            .because(cause)
            .run(here(facts, &["get", reference.kind.argument()]))
        });
    // The scheduler's finding quotes the events of claims that keep the pod from a node.
    let is_scheduled = !found.iter().any(|finding| {
        let mut causes = finding.causes.iter();
        matches!(finding.topic.as_str(), "Unschedulable" | "SchedulerError")
            && causes.any(|cause| {
                cause.is_one_of(&[
                    "scheduling.unbound",
                    "scheduling.binding-slow",
                    "scheduling.binding-failed",
                ])
            })
    });
    let open = around.unbound.iter().filter(move |_| is_scheduled);
    let unbound = open.map(|(reference, phase)| {
        let finding = Finding::new(
            if phase == "Lost" {
                Severity::Error
            } else {
                Severity::Warning
            },
            "unbound PersistentVolumeClaims",
            say("references.unbound")
                .with("name", reference.name.as_str())
                .with("phase", phase.as_str()),
        )
        .seen(reference.path.as_str(), reference.name.as_str());
        match claims::newest(around, &reference.name) {
            Some(event) => claims::told_by_claim(finding, &reference.name, event),
            None => finding.because(say("references.unbound.cause")),
        }
        .run(here(facts, &["describe", "pvc", &reference.name]))
    });
    missing.chain(unbound).collect()
}
