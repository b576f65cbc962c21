//! Probes that cannot work, or that work against their container.

use k8s_openapi::api::core::v1::{Container, PodSpec, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::jiff::SignedDuration;

use super::{Lints, Place, places};
use crate::findings::message::say;
use crate::pod::age;
use crate::pod::probe::{self, Timing};

/// A program that needs longer to start than this is no rarity.
const SHORT: SignedDuration = SignedDuration::from_secs(10);

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    for place in places(spec) {
        let container = place.container;
        let probes = [
            ("startupProbe", &container.startup_probe),
            ("livenessProbe", &container.liveness_probe),
            ("readinessProbe", &container.readiness_probe),
        ];
        for (name, probe) in probes {
            if let Some(probe) = probe {
                if place.is_init && !place.is_sidecar() {
                    lints.refused(
                        place.at(name),
                        say("lint.init-probe").with("probe", name),
                        say("lint.init-probe.help"),
                    );
                    continue;
                }
                one(&place, name, probe, lints);
            }
        }
        together(&place, lints);
    }
}

fn one(place: &Place<'_>, name: &str, probe: &Probe, lints: &mut Lints) {
    let path = place.at(name);
    let timing = Timing::of(probe);
    let has_handler =
        probe.exec.is_some() || probe.http_get.is_some() || probe.tcp_socket.is_some() || probe.grpc.is_some();
    if !has_handler {
        lints.refused(
            path,
            say("lint.no-handler").with("probe", name),
            say("lint.no-handler.help"),
        );
        return;
    }
    if name != "readinessProbe" && timing.successes != 1 {
        lints.refused(
            format!("{path}.successThreshold"),
            say("lint.success-threshold").with("probe", name),
            say("lint.success-threshold.help"),
        );
    }
    if name == "readinessProbe" && probe.termination_grace_period_seconds.is_some() {
        lints.refused(
            format!("{path}.terminationGracePeriodSeconds"),
            say("lint.readiness-grace"),
            say("lint.readiness-grace.help"),
        );
    }
    if timing.timeout > timing.period {
        lints.warn(
            format!("{path}.timeoutSeconds"),
            say("lint.timeout")
                .with("timeout", timing.timeout.to_string())
                .with("period", timing.period.to_string()),
            say("lint.timeout.help"),
        );
    }
    port(place.container, &path, probe, lints);
    if let Some(host) = probe.http_get.as_ref().and_then(|http| http.host.as_deref())
        && matches!(host, "localhost" | "127.0.0.1" | "::1")
    {
        lints.warn(
            format!("{path}.httpGet.host"),
            say("lint.probe-host").with("host", host),
            say("lint.probe-host.help"),
        );
    }
}

/// A port by name has to be declared; one by number works all the same where something listens.
fn port(container: &Container, path: &str, probe: &Probe, lints: &mut Lints) {
    let (field, port) = match (&probe.http_get, &probe.tcp_socket, &probe.grpc) {
        (Some(http), _, _) => ("httpGet.port", http.port.clone()),
        (_, Some(tcp), _) => ("tcpSocket.port", tcp.port.clone()),
        (_, _, Some(grpc)) => ("grpc.port", IntOrString::Int(grpc.port)),
        _ => return,
    };
    let ports = container.ports.as_deref().unwrap_or_default();
    let path = format!("{path}.{field}");
    match port {
        IntOrString::String(name) if name.parse::<u16>().is_err() => {
            if !ports.iter().any(|port| port.name.as_deref() == Some(&name)) {
                lints.error(
                    path,
                    say("lint.port-name")
                        .with("name", name)
                        .with("container", container.name.as_str()),
                    say("lint.port-name.help"),
                );
            }
        }
        IntOrString::String(_) => {}
        IntOrString::Int(number) => {
            if !ports.is_empty() && !ports.iter().any(|port| port.container_port == number) {
                lints.note(
                    path,
                    say("lint.port-number").with("port", number.to_string()),
                    say("lint.port-number.help"),
                );
            }
        }
    }
}

/// What the probes of one container do to each other.
fn together(place: &Place<'_>, lints: &mut Lints) {
    let container = place.container;
    let Some(liveness) = &container.liveness_probe else {
        return;
    };
    let kills_after = Timing::of(liveness).from_start();
    if container.startup_probe.is_none() {
        let delay = container
            .readiness_probe
            .as_ref()
            .map_or(0, |readiness| Timing::of(readiness).delay);
        let ready_from = SignedDuration::from_secs(i64::from(delay));
        if delay > 0 && kills_after <= ready_from {
            lints.warn(
                place.at("livenessProbe"),
                say("lint.liveness-before-ready")
                    .with("after", age::human(kills_after))
                    .with("delay", age::human(ready_from)),
                say("lint.liveness-startup.help"),
            );
        } else if kills_after < SHORT {
            lints.note(
                place.at("livenessProbe"),
                say("lint.liveness-short").with("after", age::human(kills_after)),
                say("lint.liveness-startup.help"),
            );
        }
    }
    if let Some(readiness) = &container.readiness_probe {
        let is_same = probe::handler(liveness) == probe::handler(readiness);
        if is_same && Timing::of(liveness).patience() <= Timing::of(readiness).patience() {
            lints.note(
                place.at("livenessProbe"),
                say("lint.liveness-as-readiness"),
                say("lint.liveness-as-readiness.help"),
            );
        }
    }
}
