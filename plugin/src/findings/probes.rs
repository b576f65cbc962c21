//! Probes that fail now.

use k8s_openapi::api::core::v1::Probe;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::command::logs;
use super::message::{Message, say};
use super::{Finding, Severity};
use crate::pod::container::{Container, State};
use crate::pod::event::Event;
use crate::pod::probe::{Timing, handler};
use crate::pod::{Facts, age};

/// A failure that is older than this many periods of its probe is over.
const PERIODS: i64 = 3;

/// Finds the probes of a running container that fail.
pub(super) fn rule(facts: &Facts, container: &Container, events: &[Event]) -> Vec<Finding> {
    let State::Running { since } = &container.state else {
        return Vec::new();
    };
    if facts.termination.is_some() {
        return Vec::new();
    }
    container
        .probes()
        .filter_map(|(kind, probe)| {
            // Once started, the startup probe is over; once ready, so is what kept the container from it.
            let is_over = match kind {
                "Startup" => container.is_started(),
                "Readiness" => container.is_ready(),
                _ => false,
            };
            if is_over {
                return None;
            }
            match failure(container, kind, *since, events) {
                Some(event) => failing(facts, container, kind, probe, event),
                None if kind == "Readiness" => silent(facts, container, probe, *since, !events.is_empty()),
                None => None,
            }
        })
        .collect()
}

/// The event that tells of a failure in this very instance.
fn failure<'a>(container: &Container, kind: &str, since: Option<Timestamp>, events: &'a [Event]) -> Option<&'a Event> {
    events.iter().rev().find(|event| {
        // Times are whole seconds: what failed in the second of a restart led to it.
        let is_of_this_instance = match container.restarts() {
            0 => true,
            _ => event.last.map(|last| last.as_second()) > since.map(|since| since.as_second()),
        };
        event.reason == "Unhealthy"
            && event.container() == Some(container.name.as_str())
            && event.message.starts_with(kind)
            && is_of_this_instance
    })
}

fn failing(facts: &Facts, container: &Container, kind: &str, probe: &Probe, event: &Event) -> Option<Finding> {
    let timing = Timing::of(probe);
    let period = i64::from(timing.period) * PERIODS;
    let is_recent = event
        .last
        .is_some_and(|last| facts.now.duration_since(last) <= SignedDuration::from_secs(period.max(5)));
    if kind == "Liveness" && !is_recent {
        return None;
    }
    let name = container.name.as_str();
    // Up to its threshold a probe may fail, above all while the program starts. Counts lag behind: a kubelet writes few
    // events a second (`eventRecordQPS`). Whoever is not ready when all tries must be over has used them up.
    // A try that errs is thrown away: it is no failure, and nothing is restarted for it (`prober/worker.go`, `doProbe`).
    let errs = event.message.contains(" probe errored and resulted in ");
    let is_given_up =
        !errs && event.count >= timing.failures || kind == "Readiness" && has_had_all_tries(facts, container, &timing);
    let severity = match kind {
        "Startup" => Severity::Warning,
        _ if is_given_up => Severity::Error,
        _ => Severity::Warning,
    };
    let what = match kind {
        "Readiness" => say("probes.readiness"),
        "Startup" => say("probes.startup"),
        _ if errs => say("probes.liveness.errs"),
        _ => say("probes.liveness"),
    };
    let topic = format!("{}Probe", kind.to_lowercase());
    let path = format!("{}.{topic}", container.spec_path());
    let mut finding = Finding::new(severity, topic, what.with("container", name))
        .about(name)
        .told_by(Some(event))
        .seen(path, crate::pod::probe::line(probe))
        .because(cause(&event.message, probe).with("handler", handler(probe)));
    if event.message.contains("invalid syntax") {
        finding = finding.then(say("probes.port-name.next").with("container", name));
    }
    if errs {
        finding = finding.because(say("probes.errs"));
    } else if kind == "Startup"
        && let State::Running { since: Some(since) } = &container.state
        && let Ok(deadline) = since.checked_add(timing.from_start())
        && deadline > facts.now
    {
        finding = finding.because(say("probes.startup.left").with("left", age::between(facts.now, deadline)));
    }
    if kind == "Liveness" && !errs {
        finding = finding.because(say("probes.liveness.threshold").with("failures", timing.failures.to_string()));
    }
    Some(finding.run(logs(facts, name, false)))
}

/// Whether the readiness probe must have failed as often as it may; with a startup probe nobody knows when it began.
fn has_had_all_tries(facts: &Facts, container: &Container, timing: &Timing) -> bool {
    match &container.state {
        State::Running { since: Some(since) } if container.spec.startup_probe.is_none() => {
            facts.now.duration_since(*since) > timing.from_start()
        }
        _ => false,
    }
}

/// Not ready, and no event tells why: it is either too early to tell, or events have expired.
fn silent(
    facts: &Facts,
    container: &Container,
    probe: &Probe,
    since: Option<Timestamp>,
    has_events: bool,
) -> Option<Finding> {
    let name = container.name.as_str();
    let waits_for_startup = container.spec.startup_probe.is_some() && !container.is_started();
    if waits_for_startup {
        return None;
    }
    let timing = Timing::of(probe);
    let lasted = since.map_or(SignedDuration::ZERO, |since| facts.now.duration_since(since));
    let first_chance = i64::from(timing.delay) + i64::from(timing.period) * i64::from(timing.successes.max(1));
    let is_early = lasted <= SignedDuration::from_secs(first_chance + i64::from(timing.timeout));
    // A file without any event may have been saved long after the newest time in it.
    let is_undated = facts.is_saved && !has_events;
    let is_early = is_early && !is_undated;
    let (severity, what) = if is_undated {
        (Severity::Warning, say("probes.readiness"))
    } else if is_early {
        (Severity::Note, say("probes.early"))
    } else {
        (Severity::Error, say("probes.readiness"))
    };
    Some(
        Finding::new(severity, "readinessProbe", what.with("container", name))
            .about(name)
            .seen(format!("{}.ready", container.status_path()), "false")
            .seen(
                format!("{}.readinessProbe", container.spec_path()),
                crate::pod::probe::line(probe),
            )
            .because(match () {
                () if is_early => say("probes.early.cause"),
                () if is_undated => say("probes.no-events"),
                () => say("probes.expired"),
            })
            .run(logs(facts, name, false)),
    )
}

/// What the kubelet's prober reports (`pkg/kubelet/prober`, `pkg/probe`).
fn cause(message: &str, probe: &Probe) -> Message {
    let lower = message.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| lower.contains(word));
    if probe.exec.is_some() {
        return cause_of_command(&lower);
    }
    match () {
        () if says(&["connection refused"]) => say("probes.refused"),
        () if says(&["statuscode: 404", "statuscode: 405"]) => say("probes.wrong-path"),
        () if says(&["statuscode: 401", "statuscode: 403"]) => say("probes.unauthorized"),
        () if says(&["http request to an https server"]) => say("probes.scheme-https"),
        () if says(&["statuscode: 400"]) && is_plain_http(probe) => say("probes.bad-request"),
        () if says(&["statuscode: 429"]) => say("probes.throttled"),
        () if says(&["statuscode: 4"]) => say("probes.client-error"),
        () if says(&["statuscode: 5"]) => say("probes.server-error"),
        () if says(&[
            "server gave http response to https client",
            "first record does not look like a tls handshake",
        ]) =>
        {
            say("probes.scheme-http")
        }
        // What an HTTPS server answers to HTTP is an alert of TLS.
        () if says(&["malformed http response \"\\x15\\x03"]) => say("probes.scheme-https"),
        () if says(&["malformed http response", "malformed http status code"]) => say("probes.no-http"),
        () if says(&["tls: ", "x509: "]) => say("probes.tls"),
        () if says(&["while reading body", "unexpected eof"]) => say("probes.body"),
        () if says(&[
            "no route to host",
            "network is unreachable",
            "host is unreachable",
            "host is down",
        ]) =>
        {
            say("probes.no-route")
        }
        () if says(&["no such host", "lookup "]) => say("probes.dns"),
        () if says(&["invalid syntax", "couldn't find port"]) || says(&["port "]) && says(&["not found"]) => {
            say("probes.port-name").with("port", port_name(probe))
        }
        () if says(&["timeout", "deadline exceeded", "timed out"]) => say("probes.timeout"),
        () if says(&[
            "connection reset",
            "broken pipe",
            ": eof",
            "server closed",
            "use of closed",
        ]) =>
        {
            say("probes.closed")
        }
        () if says(&["not_serving", "unimplemented", "unknown service", "service_unknown"]) => say("probes.grpc"),
        () if says(&["too many redirects", "stopped after 10 redirects"]) => say("probes.redirects"),
        () => say("probes.fails"),
    }
}

/// A check inside the container: the runtime cannot run it, or its command fails.
fn cause_of_command(lower: &str) -> Message {
    let says = |any: &[&str]| any.iter().any(|word| lower.contains(word));
    let is_of_runtime = says(&[
        "exec failed",
        "oci runtime",
        "failed to exec",
        "cannot exec",
        "container not running",
    ]);
    match () {
        () if is_of_runtime && says(&["executable file not found", "no such file or directory"]) => {
            say("probes.no-command")
        }
        () if says(&[": not found", "command not found"]) => say("probes.no-command"),
        () if is_of_runtime && says(&["permission denied"]) => say("probes.command-denied"),
        () if says(&["timed out", "deadline exceeded", "deadlineexceeded"]) => say("probes.timeout"),
        () if is_of_runtime => say("probes.exec-runtime"),
        () if says(&["connection refused", "could not connect"]) => say("probes.exec-refused"),
        () => say("probes.exec"),
    }
}

fn is_plain_http(probe: &Probe) -> bool {
    let http = probe.http_get.as_ref();
    http.is_some_and(|http| {
        !http
            .scheme
            .as_deref()
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("HTTPS"))
    })
}

/// The port that the probe names.
fn port_name(probe: &Probe) -> String {
    let of_http = probe.http_get.as_ref().map(|http| &http.port);
    let named = of_http.or_else(|| probe.tcp_socket.as_ref().map(|tcp| &tcp.port));
    named.map(crate::pod::probe::port).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A probe of the kind that such a message comes from.
    fn probe(message: &str) -> Probe {
        let is_network = ["http", "HTTP", "Client.Timeout"]
            .iter()
            .any(|word| message.contains(word));
        let action = match is_network {
            true => serde_json::json!({"httpGet": {"port": 80}}),
            false => serde_json::json!({"exec": {}}),
        };
        serde_json::from_value(action).unwrap()
    }

    #[test]
    fn what_a_probe_said_is_understood() {
        for (message, key) in [
            (
                "Readiness probe failed: Get \"http://10.0.0.1:80/\": dial tcp 10.0.0.1:80: connect: connection refused",
                "probes.refused",
            ),
            (
                "Liveness probe failed: HTTP probe failed with statuscode: 404",
                "probes.wrong-path",
            ),
            (
                "Liveness probe failed: HTTP probe failed with statuscode: 503",
                "probes.server-error",
            ),
            (
                "Liveness probe failed: Get \"http://10.0.0.1/\": context deadline exceeded (Client.Timeout exceeded)",
                "probes.timeout",
            ),
            (
                "Readiness probe errored and resulted in failure state: context deadline exceeded (Client.Timeout or context \
                cancellation while reading body)",
                "probes.body",
            ),
            (
                "Readiness probe failed: cat: can't open '/tmp/ready': No such file or directory",
                "probes.exec",
            ),
            (
                "Readiness probe failed: Could not connect to Redis at 127.0.0.1:6379: Connection refused",
                "probes.exec-refused",
            ),
            (
                "Liveness probe errored: rpc error: code = Unknown desc = failed to exec in container: error executing setns process",
                "probes.exec-runtime",
            ),
            (
                "Readiness probe failed: Get \"http://10.0.0.1:80/\": read tcp 10.0.0.2:1->10.0.0.1:80: read: connection reset by peer",
                "probes.closed",
            ),
            (
                "Readiness probe failed: Get \"http://10.0.0.1:80/\": dial tcp 10.0.0.1:80: connect: no route to host",
                "probes.no-route",
            ),
            (
                "Readiness probe failed: HTTP probe failed with statuscode: 400",
                "probes.bad-request",
            ),
        ] {
            assert_eq!(cause(message, &probe(message)), say(key), "{message}");
        }
    }
}
