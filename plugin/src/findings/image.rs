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
    // What the newest try met counts, and nothing that an earlier one did.
    let words = match failed {
        Some(event) if is_bare(message) => event.message.as_str(),
        _ => message,
    };
    let secrets = event(events, "FailedToRetrieveImagePullSecret", None);
    let cause = match cause(words) {
        other if other == say("pull.other") && failed.is_none() && is_bare(message) => untold(facts, events),
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
        .told_by(secrets)
        .because(cause.clone())
        .advised(remedy(&cause).map(|it| it.with("registry", registry(image)).with("image", image)));
    // Without its login, a registry refuses, or denies that there is such an image.
    let is_open = is_refusal || cause.is_one_of(&["pull.not-found", "pull.other", "pull.expired", "pull.no-events"]);
    if let Some(names) = secrets
        .filter(|_| is_open)
        .and_then(|event| named_secrets(&event.message))
    {
        finding = finding.because(say("pull.secret-unread").with("names", names));
    }
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
    } else if cause == say("pull.no-events") {
        finding = finding.run(here(facts, &["get", "pod,events", "-o", "yaml"]));
    } else if cause.is_one_of(&["pull.expired", "pull.other", "pull.slow"]) {
        finding = finding.run(here(facts, &["describe", "pod", &facts.name]));
    } else if cause == say("pull.not-found") && container.spec.image.as_deref() == Some(image)
        // Of what a controller makes, the template has to be mended.
        && facts.controller().is_none()
    {
        finding = finding.then(say("pull.set-image").with("path", format!("{}.image", container.spec_path())));
    }
    finding
}

/// Why nobody can tell what the try met: its event has expired, or the file was saved without any.
fn untold(facts: &Facts, events: &[Event]) -> Message {
    if facts.is_saved && events.is_empty() {
        say("pull.no-events")
    } else {
        say("pull.expired")
    }
}

/// The names between the brackets of `Unable to retrieve some image pull secrets (regcred); …`.
fn named_secrets(message: &str) -> Option<&str> {
    let (names, _) = message.split_once('(')?.1.split_once(')')?;
    Some(names)
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

/// Whether the fault lies on the node, or on its way to the registry.
fn is_of_the_node(cause: &Message) -> bool {
    cause.is_one_of(&[
        "pull.certificate",
        "pull.certificate-dates",
        "pull.dns",
        "pull.no-space",
        "pull.node-store",
        "pull.plain-http",
        "pull.platform",
        "pull.proxy",
        "pull.qps",
        "pull.runtime",
        "pull.unpack",
        "pull.unreachable",
    ])
}

/// What to do about a cause; nothing where nothing follows from it.
fn remedy(cause: &Message) -> Option<Message> {
    let Message::Sentence { key, .. } = cause else {
        return None;
    };
    Some(match *key {
        "pull.canceled" | "pull.qps" => say("pull.wait.next"),
        "pull.certificate" => say("pull.certificate.next"),
        "pull.certificate-dates" => say("pull.certificate-dates.next"),
        "pull.certificate-name" => say("pull.certificate-name.next"),
        "pull.damaged" => say("pull.damaged.next"),
        "pull.dns" => say("pull.dns.next"),
        "pull.no-registry" => say("pull.no-registry.next"),
        "pull.no-space" => say("pull.no-space.next"),
        "pull.not-found" | "pull.refused" => say("pull.next"),
        "pull.plain-http" => say("pull.plain-http.next"),
        "pull.platform" => say("pull.platform.next"),
        "pull.proxy" => say("pull.proxy.next"),
        "pull.rate-limit" => say("pull.rate-limit.next"),
        "pull.runtime" => say("advice.runtime-log"),
        "pull.schema" => say("pull.schema.next"),
        "pull.server-error" => say("pull.server-error.next"),
        "pull.short-name" => say("pull.short-name.next"),
        "pull.signature" => say("pull.signature.next"),
        "pull.unreachable" => say("pull.unreachable.next"),
        _ => return None,
    })
}

/// Where an image comes from: its first part, if that names a host (`distribution/reference`, `splitDockerDomain`).
fn registry(image: &str) -> String {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host.to_owned(),
        _ => "docker.io".to_owned(),
    }
}

/// Why an image cannot be pulled, from the words of the kubelet, containerd, CRI-O, Docker, Go's HTTP client and registries.
pub(super) fn cause(words: &str) -> Message {
    let words = words.to_lowercase();
    by_kubelet_or_image(&words)
        .or_else(|| by_registry(&words))
        .or_else(|| by_node(&words))
        .unwrap_or_else(|| say("pull.other"))
}

/// What the kubelet did, and what is wrong with the image itself.
fn by_kubelet_or_image(words: &str) -> Option<Message> {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    Some(match () {
        () if says(&["pull qps exceeded"]) => say("pull.qps"),
        () if says(&["context canceled", "context cancelled"]) => say("pull.canceled"),
        () if says(&["did not resolve to an alias", "short-name resolution enforced"]) => say("pull.short-name"),
        () if says(&[
            "manifest.v1+",
            "schema 1",
            "schema1",
            "schemaversion",
            "unsupported manifest media type",
            "unsupported image media type",
        ]) =>
        {
            say("pull.schema")
        }
        () if says(&[
            "media type \"text/html",
            "media type text/html",
            "invalid character '<'",
        ]) =>
        {
            say("pull.no-registry")
        }
        () if says(&[
            "failed size validation",
            "unexpected commit digest",
            "filesystem layer verification failed",
            "digest did not match",
            "does not match digest",
            "invalid checksum digest",
            "gzip: invalid",
            "invalid tar header",
            "unexpected eof",
        ]) =>
        {
            say("pull.damaged")
        }
        () if says(&[
            "no match for platform",
            "no matching manifest",
            "no image found in manifest list",
            "no image found in image index",
            "does not match the specified platform",
            "exec format",
        ]) =>
        {
            say("pull.platform")
        }
        () => return None,
    })
}

/// What the registry answered, or the connection to it.
fn by_registry(words: &str) -> Option<Message> {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    // A digest, a port or a size may hold the same digits: a code stands alone.
    let answered = |any: &[&str]| {
        let mut whole = words.split(|character: char| !character.is_ascii_alphanumeric());
        says(&["status", "http", "response"]) && whole.any(|word| any.contains(&word))
    };
    Some(match () {
        () if says(&["toomanyrequests", "too many requests", "rate limit"]) || answered(&["429"]) => {
            say("pull.rate-limit")
        }
        () if says(&[
            "http: server gave http response to https client",
            "first record does not look like a tls handshake",
        ]) =>
        {
            say("pull.plain-http")
        }
        () if says(&["proxyconnect", "proxy authentication required"]) || answered(&["407"]) => say("pull.proxy"),
        () if says(&["certificate has expired", "not yet valid"]) => say("pull.certificate-dates"),
        () if says(&[
            "certificate is valid for",
            "certificate is not valid for",
            "doesn't contain any ip sans",
            "certificate relies on legacy common name",
        ]) =>
        {
            say("pull.certificate-name")
        }
        () if says(&[
            "unknown authority",
            "self-signed",
            "self signed",
            "certificate signed by",
            "x509: ",
        ]) =>
        {
            say("pull.certificate")
        }
        () if says(&["tls: ", "certificate required"]) => say("pull.tls"),
        () if says(&["signature", "policy rejected", "signatures required"]) => say("pull.signature"),
        () if says(&[
            "unauthorized",
            "unauthenticated",
            "authentication required",
            "no basic auth credentials",
            "denied: ",
            "access denied",
            "access to the resource is denied",
            "forbidden",
            "authorization failed",
            "insufficient_scope",
            "authorization token has expired",
        ]) || answered(&["401", "403"]) =>
        {
            say("pull.refused")
        }
        () if is_name_trouble(words) => say("pull.dns"),
        () if says(&[
            "manifest unknown",
            "manifest_unknown",
            "name unknown",
            "name_unknown",
            "no such image",
        ]) || says(&["not found", "does not exist"]) && !is_of_the_runtime(words) =>
        {
            say("pull.not-found")
        }
        () if says(&["internal server error", "bad gateway", "service unavailable"])
            || answered(&["500", "502", "503", "504"]) =>
        {
            say("pull.server-error")
        }
        () => return None,
    })
}

/// Whether the name of the registry is not resolved. A name server that does not answer times out, too.
fn is_name_trouble(words: &str) -> bool {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    says(&[
        "no such host",
        "server misbehaving",
        "temporary failure in name resolution",
    ]) || says(&["lookup "]) && says(&["i/o timeout", "connection refused", "no route to host"])
}

fn is_of_the_runtime(words: &str) -> bool {
    ["snapshot", "containerd.sock", "crio.sock", "docker.sock"]
        .iter()
        .any(|word| words.contains(word))
}

/// What the node lacks, and what keeps it from the registry.
fn by_node(words: &str) -> Option<Message> {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    Some(match () {
        () if says(&["no space left on device", "disk quota exceeded"]) => say("pull.no-space"),
        () if says(&[
            "structure needs cleaning",
            "input/output error",
            "read-only file system",
            "snapshot",
        ]) && !says(&["extract layer"]) =>
        {
            say("pull.node-store")
        }
        () if says(&[
            "extract layer",
            "failed to register layer",
            "applying layer",
            "unpacking",
        ]) =>
        {
            say("pull.unpack")
        }
        () if is_of_the_runtime(words) || says(&["ttrpc: closed", "transport is closing"]) => say("pull.runtime"),
        // The kubelet's own patience with the runtime ran out: nothing is said of the registry.
        () if says(&["deadline exceeded", "deadlineexceeded"])
            && !says(&["http", "dial", "lookup", "awaiting headers", "timeout"]) =>
        {
            say("pull.slow")
        }
        () if says(&[
            "timeout",
            "timed out",
            "deadline exceeded",
            "connection refused",
            "unreachable",
            "no route",
            "reset by peer",
            "broken pipe",
            "eof",
        ]) =>
        {
            say("pull.unreachable")
        }
        () => return None,
    })
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
            ("pull QPS exceeded", "pull.qps"),
            (
                "failed to pull and unpack image \"r.example/app:1\": context canceled",
                "pull.canceled",
            ),
            (
                "short-name \"app:1\" did not resolve to an alias and no unqualified-search registries are defined",
                "pull.short-name",
            ),
            (
                "media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no longer supported",
                "pull.schema",
            ),
            (
                "\"layer-sha256:a6\" failed size validation: 6 != 17: failed precondition",
                "pull.damaged",
            ),
            (
                "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time is after",
                "pull.certificate-dates",
            ),
            (
                "x509: certificate is valid for ingress.local, not registry.example",
                "pull.certificate-name",
            ),
            ("remote error: tls: handshake failure", "pull.tls"),
            ("proxyconnect tcp: dial tcp 10.0.0.1:3128: i/o timeout", "pull.proxy"),
            (
                "Get \"https://r.example/v2/\": no basic auth credentials",
                "pull.refused",
            ),
            (
                "dial tcp: lookup r.example on 10.0.0.2:53: read udp 10.0.0.1:5->10.0.0.2:53: i/o timeout",
                "pull.dns",
            ),
            ("net/http: TLS handshake timeout", "pull.unreachable"),
            (
                "failed to extract layer sha256:1: write /usr/bin/x: no space left on device",
                "pull.no-space",
            ),
            ("parent snapshot sha256:1 does not exist: not found", "pull.node-store"),
            (
                "failed to extract layer sha256:1: lchown /x: operation not permitted",
                "pull.unpack",
            ),
            ("something that nobody has heard of", "pull.other"),
            ("registry.example/app@sha256:4014291e: not found", "pull.not-found"),
        ] {
            assert_eq!(cause(words), Message::Sentence { key, values: vec![] }, "{words}");
        }
    }
}
