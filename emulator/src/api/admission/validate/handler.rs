//! Probes and lifecycle hooks.

use k8s_openapi::api::core::v1::{
    ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::ports::number_or_name;
use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// What a probe or hook does: one of these.
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

/// Checks the liveness or startup probe of a container: `one_success` is all that they can ask for.
pub(super) fn probe(probe: &Probe, kind: &str, path: &Path, errors: &mut Errors) {
    let handler = Handler {
        exec: probe.exec.as_ref(),
        http_get: probe.http_get.as_ref(),
        tcp_socket: probe.tcp_socket.as_ref(),
        grpc: probe.grpc.as_ref(),
        sleep: None,
    };
    check(&handler, None, path, errors);
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if let Some(value) = value.filter(|value| *value < 0) {
            errors.invalid(&path.child(field), value, "must be greater than or equal to 0");
        }
    }
    let grace = path.child("terminationGracePeriodSeconds");
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
        errors.invalid(&grace, seconds, "must be greater than 0");
    }
    if kind == "readinessProbe" {
        if let Some(seconds) = probe.termination_grace_period_seconds {
            errors.invalid(&grace, seconds, "must not be set for readinessProbes");
        }
    } else if probe.success_threshold != Some(1) {
        let threshold = probe.success_threshold.unwrap_or_default();
        errors.invalid(&path.child("successThreshold"), threshold, "must be 1");
    }
}

/// Checks `lifecycle`.
pub(super) fn lifecycle(lifecycle: &Lifecycle, grace: Option<i64>, path: &Path, errors: &mut Errors) {
    for (field, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(hook) = hook {
            check(&of_hook(hook), grace, &path.child(field), errors);
        }
    }
}

fn of_hook(hook: &LifecycleHandler) -> Handler<'_> {
    Handler {
        exec: hook.exec.as_ref(),
        http_get: hook.http_get.as_ref(),
        tcp_socket: hook.tcp_socket.as_ref(),
        grpc: None,
        sleep: hook.sleep.as_ref(),
    }
}

fn check(handler: &Handler<'_>, grace: Option<i64>, path: &Path, errors: &mut Errors) {
    let given = [
        ("exec", handler.exec.is_some()),
        ("httpGet", handler.http_get.is_some()),
        ("tcpSocket", handler.tcp_socket.is_some()),
        ("grpc", handler.grpc.is_some()),
        ("sleep", handler.sleep.is_some()),
    ];
    let mut given = given.iter().filter(|(_, given)| *given).map(|(field, _)| *field);
    let Some(first) = given.next() else {
        return errors.required(path, "must specify a handler type");
    };
    check_one(handler, first, grace, &path.child(first), errors);
    for further in given {
        errors.forbidden(&path.child(further), "may not specify more than 1 handler type");
    }
}

fn check_one(handler: &Handler<'_>, field: &str, grace: Option<i64>, path: &Path, errors: &mut Errors) {
    match field {
        "exec" => {
            let command = handler
                .exec
                .and_then(|exec| exec.command.as_deref())
                .unwrap_or_default();
            if command.is_empty() {
                errors.required(&path.child("command"), "");
            }
        }
        "httpGet" => {
            if let Some(get) = handler.http_get {
                http_get(get, path, errors);
            }
        }
        "tcpSocket" => {
            if let Some(socket) = handler.tcp_socket {
                number_or_name(&socket.port, &path.child("port"), errors);
            }
        }
        "grpc" => {
            if let Some(grpc) = handler.grpc {
                number_or_name(&IntOrString::Int(grpc.port), &path.child("port"), errors);
            }
        }
        _ => {
            let seconds = handler.sleep.map(|sleep| sleep.seconds).unwrap_or_default();
            if let Some(grace) = grace
                && !(0..=grace).contains(&seconds)
            {
                let why = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
                errors.invalid(path, seconds, why);
            }
        }
    }
}

fn http_get(get: &HTTPGetAction, path: &Path, errors: &mut Errors) {
    if get.path.as_deref().unwrap_or_default().is_empty() {
        errors.required(&path.child("path"), "");
    }
    number_or_name(&get.port, &path.child("port"), errors);
    match get.scheme.as_deref().unwrap_or_default() {
        "HTTP" | "HTTPS" => {}
        other => errors.not_supported(&path.child("scheme"), other, &["HTTP", "HTTPS"]),
    }
    for header in get.http_headers.iter().flatten() {
        if let Some(why) = names::header_name(&header.name) {
            errors.invalid(&path.child("httpHeaders"), header.name.as_str(), why);
        }
    }
}
