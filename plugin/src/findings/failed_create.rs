//! A controller that cannot create its pods: the API refuses them, and no pod is there to tell it.

use super::command::kubectl;
use super::message::{Message, say};
use super::{Finding, Severity};
use crate::pod::event::Event;

/// The reasons of events about pods, or a Job, that could not be created.
const REASONS: [&str; 3] = ["FailedCreate", "ReplicaSetCreateError", "ReplicaFailure"];

/// The newest event that tells of a failure, unless a pod was created after it.
pub fn newest(events: &[Event]) -> Option<&Event> {
    let told = events.iter().rfind(|event| REASONS.contains(&event.reason.as_str()))?;
    let is_over = events
        .iter()
        .any(|event| event.reason == "SuccessfulCreate" && event.last > told.last);
    (!is_over).then_some(told)
}

/// The finding about an owner of this kind and name, from the event that tells of the failure.
pub fn finding(namespace: &str, kind: &str, name: &str, told: &Event) -> Finding {
    let here = |words: &[&str]| {
        let mut all = words.to_vec();
        all.extend(["-n", namespace]);
        kubectl(&all)
    };
    let what = say("failed-create").with("kind", kind).with("name", name);
    let found = diagnose(&told.message);
    let finding = Finding::new(Severity::Error, "FailedCreate", what)
        .told_by(Some(told))
        .because(found.cause)
        .advised(found.advice);
    match found.look {
        Look::Here(words) => finding.run(here(&words.iter().map(String::as_str).collect::<Vec<_>>())),
        Look::Cluster(words) => finding.run(kubectl(&words)),
    }
    .run(here(&["describe", &kind.to_lowercase(), name]))
}

/// What shows the object that refuses the pods.
enum Look {
    Here(Vec<String>),
    Cluster(Vec<&'static str>),
}

struct Refusal {
    cause: Message,
    advice: Option<Message>,
    look: Look,
}

/// What the API's words mean: quota, LimitRange, Pod Security, webhooks, policies, the account, the template itself.
fn diagnose(message: &str) -> Refusal {
    let says = |any: &[&str]| any.iter().any(|words| message.contains(words));
    let between = |begin: &str, end: &str| {
        let (_, rest) = message.split_once(begin)?;
        Some(rest.split(end).next().unwrap_or(rest).trim().to_owned())
    };
    let quoted = |words: &str| between(&format!("{words} \""), "\"").unwrap_or_default();
    let here = |words: &[&str]| Look::Here(words.iter().map(|word| (*word).to_owned()).collect());
    let refusal = |cause: Message, look: Look| Refusal {
        cause,
        advice: None,
        look,
    };
    let advised = |cause: Message, advice: Message, look: Look| Refusal {
        advice: Some(advice),
        ..refusal(cause, look)
    };
    match () {
        () if says(&["exceeded quota: "]) => advised(
            say("failed-create.quota")
                .with("quota", between("exceeded quota: ", ",").unwrap_or_default())
                .with("requested", between("requested: ", ", used:").unwrap_or_default())
                .with("used", between("used: ", ", limited:").unwrap_or_default())
                .with("limit", between("limited: ", "\n").unwrap_or_default()),
            say("failed-create.quota.next"),
            here(&[
                "describe",
                "quota",
                &between("exceeded quota: ", ",").unwrap_or_default(),
            ]),
        ),
        () if says(&["failed quota: "]) => advised(
            say("failed-create.quota-fields")
                .with("quota", between("failed quota: ", ":").unwrap_or_default())
                .with("fields", between("must specify ", "\n").unwrap_or_default()),
            say("failed-create.quota-fields.next"),
            here(&["describe", "quota", &between("failed quota: ", ":").unwrap_or_default()]),
        ),
        () if is_limit_range(message) => refusal(
            say("failed-create.limit-range").with("limit", between("is forbidden: ", "\n").unwrap_or_default()),
            here(&["describe", "limitrange"]),
        ),
        () if says(&["violates PodSecurity"]) => advised(
            say("failed-create.pod-security")
                .with("level", quoted("PodSecurity"))
                .with(
                    "violations",
                    between("\": ", "\n").map_or_else(String::new, |rest| violations(message, rest)),
                ),
            say("failed-create.pod-security.next"),
            Look::Cluster(vec!["get", "namespaces", "--show-labels"]),
        ),
        () if says(&[
            "pod security policy",
            "PodSecurityPolicy",
            "security context constraint",
        ]) =>
        {
            refusal(say("failed-create.policy"), Look::Cluster(vec!["get", "clusterroles"]))
        }
        () if says(&["failed calling webhook"]) => advised(
            say("failed-create.webhook-fails")
                .with("webhook", quoted("failed calling webhook"))
                .with("why", webhook_failure(message)),
            say("failed-create.webhook-fails.next"),
            Look::Cluster(vec![
                "get",
                "validatingwebhookconfigurations,mutatingwebhookconfigurations",
            ]),
        ),
        () if says(&["admission webhook"]) && says(&["denied the request"]) => refusal(
            say("failed-create.webhook-denied")
                .with("webhook", quoted("admission webhook"))
                .with("why", between("denied the request: ", "\n").unwrap_or_default()),
            Look::Cluster(vec![
                "get",
                "validatingwebhookconfigurations,mutatingwebhookconfigurations",
            ]),
        ),
        () if says(&["ValidatingAdmissionPolicy"]) => refusal(
            say("failed-create.admission-policy").with(
                "policy",
                between("ValidatingAdmissionPolicy '", "'").unwrap_or_default(),
            ),
            Look::Cluster(vec!["get", "validatingadmissionpolicies"]),
        ),
        () if says(&["error looking up service account"]) || says(&["serviceaccount \""]) && says(&["not found"]) => {
            advised(
                say("failed-create.account").with("account", quoted("serviceaccount")),
                say("failed-create.account.next").with("account", quoted("serviceaccount")),
                here(&["get", "serviceaccounts"]),
            )
        }
        () if says(&["no PriorityClass with name"]) => refusal(
            say("failed-create.priority-class").with(
                "name",
                between("no PriorityClass with name ", " was").unwrap_or_default(),
            ),
            Look::Cluster(vec!["get", "priorityclasses"]),
        ),
        () if says(&["RuntimeClass \""]) && says(&["not found"]) => refusal(
            say("failed-create.runtime-class").with("name", quoted("RuntimeClass")),
            Look::Cluster(vec!["get", "runtimeclasses"]),
        ),
        () if says(&["being terminated"]) => {
            refusal(say("failed-create.namespace"), Look::Cluster(vec!["get", "namespaces"]))
        }
        () if says(&[" is invalid: "]) => refusal(
            say("failed-create.invalid").with("why", between(" is invalid: ", "\n").unwrap_or_default()),
            here(&["get", "events"]),
        ),
        () if says(&["cannot create resource"]) => refusal(
            say("failed-create.rbac"),
            Look::Cluster(vec!["get", "clusterrolebindings"]),
        ),
        () if says(&["etcdserver", "deadline exceeded", "timed out", "connection refused"]) => {
            refusal(say("failed-create.api"), here(&["get", "events"]))
        }
        () => refusal(say("failed-create.other"), here(&["get", "events"])),
    }
}

fn is_limit_range(message: &str) -> bool {
    ["maximum ", "minimum "].iter().any(|word| {
        message.contains(&format!("is forbidden: {word}")) || message.contains(&format!("is forbidden: [{word}"))
    }) || message.contains(" usage per ")
        || message.contains("max limit to request ratio")
}

/// What a pod violates: the part behind the level.
fn violations(message: &str, fallback: String) -> String {
    let behind = message
        .split_once("violates PodSecurity")
        .and_then(|(_, rest)| rest.split_once("\": "));
    behind.map_or(fallback, |(_, rest)| rest.trim().to_owned())
}

/// Why a webhook could not be called (`k8s.io/apiserver/pkg/admission/plugin/webhook`).
fn webhook_failure(message: &str) -> Message {
    let says = |any: &[&str]| any.iter().any(|words| message.contains(words));
    match () {
        () if says(&["no endpoints available for service"]) => say("failed-create.webhook-fails.endpoints").with(
            "service",
            message
                .split_once("for service \"")
                .and_then(|(_, rest)| rest.split('"').next())
                .unwrap_or_default(),
        ),
        () if says(&["x509", "certificate"]) => say("failed-create.webhook-fails.certificate"),
        () if says(&["service \""]) && says(&["not found"]) => say("failed-create.webhook-fails.no-service"),
        () if says(&["connection refused"]) => say("failed-create.webhook-fails.refused"),
        () if says(&["deadline exceeded", "timeout", "timed out", "no route to host"]) => {
            say("failed-create.webhook-fails.silent")
        }
        () => say("failed-create.webhook-fails.other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(message: &str) -> String {
        diagnose(message).cause.to_string()
    }

    #[test]
    fn a_refusal_is_told_with_the_object_that_refuses() {
        for (message, parts) in [
            (
                "Error creating: pods \"web-x\" is forbidden: exceeded quota: compute, requested: cpu=2, used: cpu=4, limited: cpu=4",
                ["quota compute", "cpu=2", "used cpu=4"],
            ),
            (
                "Error creating: pods \"web-x\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != \
                 false (container \"app\" must set securityContext.allowPrivilegeEscalation=false)",
                ["PodSecurity", "restricted:latest", "allowPrivilegeEscalation"],
            ),
            (
                "Error creating: Internal error occurred: failed calling webhook \"validate.example.com\": failed to call webhook: Post \
                 \"https://x.svc:443/validate?timeout=10s\": dial tcp 10.0.0.10:443: connect: connection refused",
                ["validate.example.com", "refuses", "webhook"],
            ),
            (
                "Error creating: Internal error occurred: failed calling webhook \"v.gatekeeper.sh\": Post \"https://x\": no endpoints \
                 available for service \"gatekeeper-webhook-service\"",
                ["v.gatekeeper.sh", "gatekeeper-webhook-service", "endpoint"],
            ),
            (
                "Error creating: pods \"x\" is forbidden: error looking up service account default/web: serviceaccount \"web\" not found",
                ["service account web", "does not exist", "web"],
            ),
            (
                "create Pod db-0 in StatefulSet db failed error: admission webhook \"validation.gatekeeper.sh\" denied the request: \
                 [require-label] you must provide labels",
                ["validation.gatekeeper.sh", "require-label", "denied"],
            ),
            (
                "Error creating: pods \"x\" is forbidden: maximum cpu usage per Container is 500m, but limit is 1",
                ["LimitRange", "maximum cpu usage", "500m"],
            ),
            ("Error creating: something new", ["not recognized", "quoted", "API"]),
        ] {
            let said = cause(message);
            for part in parts {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
    }
}
