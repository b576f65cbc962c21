//! A container's ports.

use std::collections::HashSet;

use k8s_openapi::{
    api::core::v1::{Container, ContainerPort},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// Checks the ports of one container.
pub(super) fn check(ports: &[ContainerPort], path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            let wrong = names::port_name(name);
            if !wrong.is_empty() {
                errors.invalid_each(&path.child("name"), name, wrong);
            } else if !seen.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
        }
        match port.container_port {
            0 => errors.required(&path.child("containerPort"), ""),
            number => check_number(number, &path.child("containerPort"), errors),
        }
        if let Some(number) = port.host_port.filter(|number| *number != 0) {
            check_number(number, &path.child("hostPort"), errors);
        }
        match port.protocol.as_deref().unwrap_or_default() {
            "TCP" | "UDP" | "SCTP" => {}
            "" => errors.required(&path.child("protocol"), ""),
            other => errors.not_supported(&path.child("protocol"), other, &["SCTP", "TCP", "UDP"]),
        }
    }
}

fn check_number(number: i32, path: &Path, errors: &mut Errors) {
    if let Some(why) = names::port_number(number.into()) {
        errors.invalid(path, number, why);
    }
}

/// Checks a port that may be given by number or by name.
pub(super) fn number_or_name(port: &IntOrString, path: &Path, errors: &mut Errors) {
    match port {
        IntOrString::Int(number) => check_number(*number, path, errors),
        IntOrString::String(name) => errors.invalid_each(path, name, names::port_name(name)),
    }
}

/// Two containers can't have the same port of the node.
pub(super) fn host_port_conflicts(containers: &[Container], path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index).child("ports");
        for (index, port) in container.ports.iter().flatten().enumerate() {
            let Some(number) = port.host_port.filter(|number| *number != 0) else {
                continue;
            };
            let protocol = port.protocol.as_deref().unwrap_or_default();
            let address = port.host_ip.as_deref().unwrap_or_default();
            let taken = format!("{protocol}/{address}/{number}");
            if seen.contains(&taken) {
                errors.duplicate(&path.index(index).child("hostPort"), taken);
            } else {
                seen.insert(taken);
            }
        }
    }
}
