//! Probes: what they do, in kubectl's line and in words, and how long they leave a container.

use k8s_openapi::api::core::v1::{HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::jiff::SignedDuration;

/// A probe's timing with the API's defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// `initialDelaySeconds`, 0 by default.
    pub delay: i32,
    /// `timeoutSeconds`, 1 by default.
    pub timeout: i32,
    /// `periodSeconds`, 10 by default.
    pub period: i32,
    /// `successThreshold`, 1 by default.
    pub successes: i32,
    /// `failureThreshold`, 3 by default.
    pub failures: i32,
}

impl Timing {
    /// Reads it from a probe.
    pub fn of(probe: &Probe) -> Self {
        let or = |value: Option<i32>, default| value.filter(|value| *value != 0).unwrap_or(default);
        Self {
            delay: probe.initial_delay_seconds.unwrap_or(0),
            timeout: or(probe.timeout_seconds, 1),
            period: or(probe.period_seconds, 10),
            successes: or(probe.success_threshold, 1),
            failures: or(probe.failure_threshold, 3),
        }
    }

    /// How long a container that fails from some moment on is left alone before the probe acts, at most:
    /// one period until the next try, then every further try.
    pub fn patience(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.period) * i64::from(self.failures) + i64::from(self.timeout))
    }

    /// How long a container that never succeeds lives before the probe acts: the delay, then every try.
    pub fn from_start(&self) -> SignedDuration {
        let tries = i64::from(self.failures.max(1)) - 1;
        SignedDuration::from_secs(i64::from(self.delay) + i64::from(self.period) * tries + i64::from(self.timeout))
    }
}

/// The probe in one line, as `kubectl describe` writes it.
pub fn line(probe: &Probe) -> String {
    let timing = Timing::of(probe);
    format!(
        "{} delay={}s timeout={}s period={}s successThreshold={} failureThreshold={}",
        handler(probe),
        timing.delay,
        timing.timeout,
        timing.period,
        timing.successes,
        timing.failures
    )
}

/// What the probe does, as `kubectl describe` writes it.
pub fn handler(probe: &Probe) -> String {
    if let Some(exec) = &probe.exec {
        return format!(
            "exec [{}]",
            exec.command.iter().flatten().cloned().collect::<Vec<_>>().join(" ")
        );
    }
    if let Some(http) = &probe.http_get {
        return format!("http-get {}", url(http));
    }
    if let Some(tcp) = &probe.tcp_socket {
        return format!(
            "tcp-socket {}:{}",
            tcp.host.as_deref().unwrap_or_default(),
            port(&tcp.port)
        );
    }
    if let Some(grpc) = &probe.grpc {
        return format!(
            "grpc <pod>:{} {}",
            grpc.port,
            grpc.service.as_deref().unwrap_or_default()
        );
    }
    "unknown".to_owned()
}

/// An HTTP action's URL; the host is empty where it is the pod itself.
pub fn url(http: &HTTPGetAction) -> String {
    format!(
        "{}://{}:{}{}{}",
        http.scheme.as_deref().unwrap_or("HTTP").to_lowercase(),
        http.host.as_deref().unwrap_or_default(),
        port(&http.port),
        if http.path.as_deref().is_some_and(|path| path.starts_with('/')) {
            ""
        } else {
            "/"
        },
        http.path.as_deref().unwrap_or_default()
    )
}

/// A port by number or name.
pub fn port(port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    }
}

/// What follows from the probe's timing: when it acts, and how.
pub fn consequence(kind: &str, probe: &Probe) -> String {
    let timing = Timing::of(probe);
    let age = super::age::human;
    let tries = |one: &str, many: &str| match timing.failures {
        1 => format!("1 failure {one}"),
        several => format!("{several} failures in a row {many}"),
    };
    match kind {
        "Startup" => format!(
            "the container has {} to start: {} it; the other probes wait until then",
            age(timing.from_start()),
            tries("kills", "kill")
        ),
        "Liveness" => format!(
            "{} the container, within {} of its going bad",
            tries("restarts", "restart"),
            age(timing.patience())
        ),
        _ => format!(
            "{} the pod out of its Services, within {}; {} back in",
            tries("takes", "take"),
            age(timing.patience()),
            match timing.successes {
                1 => "1 success puts it".to_owned(),
                several => format!("{several} successes in a row put it"),
            }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(json: serde_json::Value) -> Probe {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_probe_reads_as_in_kubectl() {
        let http = probe(serde_json::json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 2}));
        assert_eq!(
            line(&http),
            "http-get http://:8080/healthz delay=0s timeout=1s period=2s successThreshold=1 failureThreshold=3"
        );
        let exec = probe(serde_json::json!({"exec": {"command": ["cat", "/tmp/up"]}}));
        assert!(line(&exec).starts_with("exec [cat /tmp/up] delay=0s timeout=1s period=10s"));
    }

    #[test]
    fn a_startup_probe_gives_the_sum_of_its_tries() {
        let startup = probe(serde_json::json!({
            "exec": {"command": ["true"]}, "initialDelaySeconds": 5, "periodSeconds": 1, "failureThreshold": 20
        }));
        assert_eq!(Timing::of(&startup).from_start(), SignedDuration::from_secs(25));
    }
}
