//! Claims of the pod that have no volume: what their own events say, and where to look.

use super::Finding;
use super::command::here;
use super::message::{Message, say};
use crate::pod::Facts;
use crate::pod::event::Event;
use crate::pod::reference::{self, Kind};
use crate::pod::surroundings::Surroundings;

/// The names of the pod's claims, those of its ephemeral volumes among them.
fn names(facts: &Facts) -> Vec<String> {
    let Some(spec) = facts.spec() else {
        return Vec::new();
    };
    let named = reference::of(spec).into_iter().filter(|one| one.kind == Kind::Claim);
    let ephemeral = spec
        .volumes
        .iter()
        .flatten()
        .filter(|volume| volume.ephemeral.is_some())
        .map(|volume| format!("{}-{}", facts.name, volume.name));
    named.map(|one| one.name).chain(ephemeral).collect()
}

/// The newest event of a claim, warnings before others.
pub(super) fn newest<'a>(around: &'a Surroundings, claim: &'a str) -> Option<&'a Event> {
    let own = || around.events_of("PersistentVolumeClaim", claim);
    own().rfind(|event| event.is_warning()).or_else(|| own().next_back())
}

/// Adds what the claims' own events say, and commands that show the claims and their classes.
pub(super) fn told(facts: &Facts, around: &Surroundings, finding: Finding) -> Finding {
    let names = names(facts);
    let finding = names.iter().fold(finding, |finding, name| match newest(around, name) {
        Some(event) => told_by_claim(finding, name, event),
        None => finding,
    });
    let finding = match names.as_slice() {
        [] => finding.run(here(facts, &["get", "pvc"])),
        names => names.iter().fold(finding, |finding, name| {
            finding.run(here(facts, &["describe", "pvc", name]))
        }),
    };
    finding.run("kubectl get storageclass")
}

/// Quotes an event of a claim, and says what it means.
pub(super) fn told_by_claim(finding: Finding, claim: &str, event: &Event) -> Finding {
    finding
        .seen(
            format!("event {} of PersistentVolumeClaim {claim}", event.reason),
            event.message.as_str(),
        )
        .because(cause(claim, event))
}

/// What an event of a claim means (the PersistentVolume controller, and external provisioners).
fn cause(claim: &str, event: &Event) -> Message {
    let lower = event.message.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|words| lower.contains(words));
    let quoted = |number: usize| event.message.split('"').nth(number).unwrap_or_default();
    match () {
        () if says(&["storageclass.storage.k8s.io"]) && says(&["not found"]) => {
            say("claims.no-class").with("class", quoted(1)).with("claim", claim)
        }
        () if says(&["no persistent volumes available for this claim and no storage class is set"]) => {
            say("claims.no-volume").with("claim", claim)
        }
        () if says(&["waiting for first consumer"]) || event.reason == "WaitForFirstConsumer" => {
            say("claims.first-consumer").with("claim", claim)
        }
        () if says(&["waiting for a volume to be created", "waiting for pod"])
            || event.reason == "ExternalProvisioning" =>
        {
            say("claims.provisioner-silent").with("claim", claim)
        }
        () if says(&[
            "quota",
            "limitexceeded",
            "resourceexhausted",
            "limit exceeded",
            "insufficient",
        ]) =>
        {
            say("claims.exhausted").with("claim", claim)
        }
        () if says(&[
            "unauthorized",
            "not authorized",
            "accessdenied",
            "permissiondenied",
            "forbidden",
        ]) =>
        {
            say("claims.denied").with("claim", claim)
        }
        () if says(&["topology", "zone"]) => say("claims.topology").with("claim", claim),
        () if says(&["deadline exceeded", "timed out"]) => say("claims.slow").with("claim", claim),
        () if says(&["invalidargument", "invalid", "not supported", "unsupported"]) => {
            say("claims.invalid").with("claim", claim)
        }
        () => say("claims.other").with("claim", claim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claims_events_are_told_apart() {
        for (reason, message, key) in [
            (
                "ProvisioningFailed",
                "storageclass.storage.k8s.io \"fast\" not found",
                "claims.no-class",
            ),
            (
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set",
                "claims.no-volume",
            ),
            (
                "ProvisioningFailed",
                "failed to provision volume with StorageClass \"gp3\": rpc error: code = ResourceExhausted desc = quota exceeded",
                "claims.exhausted",
            ),
            (
                "ProvisioningFailed",
                "failed to provision volume with StorageClass \"gp3\": UnauthorizedOperation: You are not authorized",
                "claims.denied",
            ),
            (
                "ExternalProvisioning",
                "Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' or manually by the system \
                 administrator",
                "claims.provisioner-silent",
            ),
            (
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding",
                "claims.first-consumer",
            ),
            ("ProvisioningFailed", "something new", "claims.other"),
        ] {
            let event: k8s_openapi::api::core::v1::Event = serde_json::from_value(serde_json::json!({
                "metadata": {}, "involvedObject": {}, "reason": reason, "message": message,
            }))
            .unwrap();
            let Message::Sentence { key: found, .. } = cause("data", &Event::of(&event)) else {
                panic!("{message}");
            };
            assert_eq!(found, key, "{message}");
        }
    }
}
