//! Images that cannot be pulled: what the registry, the runtime or the network said.

use super::command::{describe_node, here};
use super::message::{Message, say};
use super::waiting::says_more;
use super::{Finding, event};
use crate::pod::Facts;
use crate::pod::container::Container;
use crate::pod::event::Event;

/// Completes the finding about a container whose image cannot be had.
pub(super) fn finding(
    facts: &Facts,
    container: &Container,
    events: &[Event],
    message: &str,
    image: &str,
    finding: Finding,
) -> Finding {
    let name = container.name.as_str();
    // While it backs off, the message repeats the name alone: the event of the try says what went wrong.
    let failed = events
        .iter()
        .rev()
        .find(|event| {
            event.reason == "Failed"
                && event.container() == Some(name)
                && event.message.starts_with("Failed to pull image")
        })
        .filter(|event| says_more(event, message));
    let all = events
        .iter()
        .filter(|event| event.container() == Some(name) && event.is_warning())
        .map(|event| event.message.as_str())
        .chain([message])
        .collect::<Vec<_>>()
        .join("\n");
    let cause = match cause(&all) {
        // Only the event of the try says what went wrong, and an event lives for an hour.
        other if other == say("pull.other") && failed.is_none() && is_bare(message) => say("pull.expired"),
        known => known,
    };
    let is_refusal = cause == say("pull.refused");
    let pull_secrets: Vec<String> = facts
        .spec()
        .into_iter()
        .flat_map(|spec| spec.image_pull_secrets.iter().flatten())
        .map(|secret| secret.name.clone())
        .collect();
    let mut finding = finding
        .told_by(failed)
        .told_by(event(events, "FailedToRetrieveImagePullSecret", None))
        .because(cause.clone())
        .then(remedy(&cause).with("registry", registry(image)).with("image", image));
    if is_refusal {
        finding = match pull_secrets.first() {
            None => finding
                .because(say("pull.no-secret"))
                .then(say("pull.no-secret.next"))
                .run(here(
                    facts,
                    &[
                        "get",
                        "serviceaccount",
                        facts.service_account(),
                        "-o",
                        "jsonpath={.imagePullSecrets}",
                    ],
                )),
            Some(secret) => finding.run(here(facts, &["get", "secret", secret, "-o", "jsonpath={.type}"])),
        };
    } else if is_of_the_node(&cause) {
        finding = finding.maybe_run(describe_node(facts));
    } else if cause == say("pull.expired") {
        finding = finding.run(here(facts, &["describe", "pod", &facts.name]));
    } else if cause == say("pull.not-found") && container.spec.image.as_deref() == Some(image)
        // Of what a controller makes, the template has to be mended.
        && facts.controller().is_none()
    {
        finding = finding.run(here(
            facts,
            &["set", "image", &format!("pod/{}", facts.name), &format!("{name}=IMAGE")],
        ));
    }
    finding
}

/// The volume, and its image, that a message is about, where it is not about the container's own image.
pub(super) fn of_volume<'a>(facts: &'a Facts, container: &Container, message: &str) -> Option<(&'a str, &'a str)> {
    let mut volumes = facts.spec()?.volumes.iter().flatten();
    volumes.find_map(|volume| {
        let image = volume.image.as_ref()?.reference.as_deref()?;
        let is_it = container.spec.image.as_deref() != Some(image) && message.contains(&format!("\"{image}\""));
        is_it.then_some((volume.name.as_str(), image))
    })
}

/// Whether the message names the image and not what went wrong.
fn is_bare(message: &str) -> bool {
    !message.contains(": ")
}

/// Whether the node is where it has to be mended.
fn is_of_the_node(cause: &Message) -> bool {
    [
        "pull.certificate",
        "pull.dns",
        "pull.no-space",
        "pull.plain-http",
        "pull.platform",
        "pull.unreachable",
    ]
    .into_iter()
    .any(|key| *cause == say(key))
}

/// What to do about a cause.
fn remedy(cause: &Message) -> Message {
    let Message::Sentence { key, .. } = cause else {
        return say("pull.next");
    };
    match *key {
        "pull.certificate" => say("pull.certificate.next"),
        "pull.dns" => say("pull.dns.next"),
        "pull.no-space" => say("pull.no-space.next"),
        "pull.plain-http" => say("pull.plain-http.next"),
        "pull.platform" => say("pull.platform.next"),
        "pull.rate-limit" => say("pull.rate-limit.next"),
        "pull.server-error" => say("pull.server-error.next"),
        "pull.signature" => say("pull.signature.next"),
        "pull.unreachable" => say("pull.unreachable.next"),
        _ => say("pull.next"),
    }
}

/// Where an image comes from: its first part, if that names a host (`distribution/reference`, `splitDockerDomain`).
fn registry(image: &str) -> String {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host.to_owned(),
        _ => "docker.io".to_owned(),
    }
}

/// Why an image cannot be pulled, from the words of containerd, CRI-O and registries.
fn cause(words: &str) -> Message {
    let words = words.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    // A digest, a port or a size may hold the same digits: a code stands alone.
    let answered = |any: &[&str]| {
        let mut whole = words.split(|character: char| !character.is_ascii_alphanumeric());
        says(&["status", "http", "response"]) && whole.any(|word| any.contains(&word))
    };
    if says(&["toomanyrequests", "too many requests", "rate limit"]) || answered(&["429"]) {
        say("pull.rate-limit")
    } else if says(&["x509", "certificate", "tls: "]) {
        say("pull.certificate")
    } else if says(&["http: server gave http response to https client"]) {
        say("pull.plain-http")
    } else if says(&[
        "no match for platform",
        "no matching manifest",
        "no image found in manifest list",
        "no image found in image index",
        "exec format",
    ]) {
        say("pull.platform")
    } else if says(&["no space left on device"]) {
        say("pull.no-space")
    } else if says(&["signature", "policy rejected"]) {
        say("pull.signature")
    } else if says(&[
        "unauthorized",
        "authentication required",
        "denied",
        "forbidden",
        "authorization failed",
    ]) || answered(&["401", "403"])
    {
        say("pull.refused")
    } else if says(&["not found", "manifest unknown", "does not exist", "name unknown"]) {
        say("pull.not-found")
    } else if says(&["internal server error", "bad gateway", "service unavailable"])
        || answered(&["500", "502", "503", "504"])
    {
        say("pull.server-error")
    } else if says(&[
        "no such host",
        "server misbehaving",
        "temporary failure in name resolution",
    ]) {
        say("pull.dns")
    } else if says(&[
        "timeout",
        "deadline exceeded",
        "refused",
        "unreachable",
        "no route",
        "reset by peer",
        "eof",
    ]) {
        say("pull.unreachable")
    } else {
        say("pull.other")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_of_an_image_is_its_host() {
        assert_eq!(registry("nginx:1"), "docker.io");
        assert_eq!(registry("team/app"), "docker.io");
        assert_eq!(
            registry("registry.example:5000/team/app@sha256:0"),
            "registry.example:5000"
        );
        assert_eq!(registry("localhost/host"), "localhost");
    }

    #[test]
    fn a_registrys_words_are_understood() {
        for (words, key) in [
            (
                "pull access denied, repository does not exist or may require authorization",
                "pull.refused",
            ),
            (
                "failed to resolve reference \"docker.io/library/nginx:nope\": not found",
                "pull.not-found",
            ),
            ("dial tcp: lookup registry.example: no such host", "pull.dns"),
            ("dial tcp 192.0.2.1:443: i/o timeout", "pull.unreachable"),
            (
                "toomanyrequests: You have reached your pull rate limit",
                "pull.rate-limit",
            ),
            ("x509: certificate signed by unknown authority", "pull.certificate"),
            ("no match for platform in manifest", "pull.platform"),
            (
                "no image found in image index for architecture arm64, variant \"v8\", OS linux",
                "pull.platform",
            ),
            (
                "unexpected status from HEAD request to https://r.example/v2/a/manifests/1: 503 Service Unavailable",
                "pull.server-error",
            ),
            ("unexpected status code 429", "pull.rate-limit"),
            ("registry.example/app@sha256:4014291e: not found", "pull.not-found"),
        ] {
            assert_eq!(cause(words), Message::Sentence { key, values: vec![] }, "{words}");
        }
    }
}
