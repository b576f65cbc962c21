//! The containers of a pod: regular, init and ephemeral ones.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, PodSpec};
use serde_json::Value;

use super::{container, handler, ports};
use crate::api::admission::field_error::{Errors, Path};

const NO_HOOKS: &str = "may not be set for init containers without restartPolicy=Always";
const NOT_EPHEMERAL: &str = "cannot be set for an Ephemeral Container";

/// Checks `spec.containers`.
pub(super) fn regular(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if spec.containers.is_empty() {
        return errors.required(path, "");
    }
    let pod = container::Pod::new(spec);
    let mut seen = HashSet::new();
    for (index, one) in spec.containers.iter().enumerate() {
        let path = path.index(index);
        container::check(one, &pod, &path, errors);
        if !seen.insert(&one.name) {
            errors.duplicate(&path.child("name"), one.name.as_str());
        }
        handlers(one, spec, &path, errors);
        container::restart_policy(one, &path, errors);
    }
    ports::host_port_conflicts(&spec.containers, path, errors);
}

fn handlers(one: &Container, spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if let Some(lifecycle) = &one.lifecycle {
        let grace = spec.termination_grace_period_seconds;
        handler::lifecycle(lifecycle, grace, &path.child("lifecycle"), errors);
    }
    for (field, probe) in [
        ("livenessProbe", &one.liveness_probe),
        ("readinessProbe", &one.readiness_probe),
        ("startupProbe", &one.startup_probe),
    ] {
        if let Some(probe) = probe {
            handler::probe(probe, field, &path.child(field), errors);
        }
    }
}

/// Checks `spec.initContainers`.
pub(super) fn init(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let pod = container::Pod::new(spec);
    let mut seen: HashSet<&str> = spec.containers.iter().map(|one| one.name.as_str()).collect();
    for (index, one) in spec.init_containers.iter().flatten().enumerate() {
        let item = path.index(index);
        container::check(one, &pod, &item, errors);
        container::restart_policy(one, &item, errors);
        if seen.contains(one.name.as_str()) {
            errors.duplicate(&item.child("name"), one.name.as_str());
        } else if !one.name.is_empty() {
            seen.insert(&one.name);
        }
        ports::host_port_conflicts(std::slice::from_ref(one), path, errors);
        if one.restart_policy.as_deref() == Some("Always") {
            handlers(one, spec, &item, errors);
            continue;
        }
        for (field, given) in [
            ("lifecycle", one.lifecycle.is_some()),
            ("livenessProbe", one.liveness_probe.is_some()),
            ("readinessProbe", one.readiness_probe.is_some()),
            ("startupProbe", one.startup_probe.is_some()),
        ] {
            if given {
                errors.forbidden(&item.child(field), NO_HOOKS);
            }
        }
    }
}

/// Checks `spec.ephemeralContainers`.
pub(super) fn ephemeral(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let pod = container::Pod::new(spec);
    let others: HashSet<&str> = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
        .map(|one| one.name.as_str())
        .collect();
    let mut seen = others.clone();
    for (index, one) in spec.ephemeral_containers.iter().flatten().enumerate() {
        let path = path.index(index);
        let common = as_container(one);
        container::check(&common, &pod, &path, errors);
        container::image_blanks(&common, &path, errors);
        if !seen.insert(one.name.as_str()) {
            errors.duplicate(&path.child("name"), one.name.as_str());
        }
        if let Some(target) = one.target_container_name.as_deref().filter(|target| !target.is_empty())
            && !others.contains(target)
        {
            errors.not_found(&path.child("targetContainerName"), target);
        }
        let has_resources = one
            .resources
            .as_ref()
            .is_some_and(|resources| resources.limits.is_some() || resources.requests.is_some());
        for (field, given) in [
            ("ports", one.ports.is_some()),
            ("resources", has_resources),
            ("resizePolicy", one.resize_policy.is_some()),
            ("restartPolicy", one.restart_policy.is_some()),
            ("restartPolicyRules", one.restart_policy_rules.is_some()),
            ("livenessProbe", one.liveness_probe.is_some()),
            ("readinessProbe", one.readiness_probe.is_some()),
            ("startupProbe", one.startup_probe.is_some()),
            ("lifecycle", one.lifecycle.is_some()),
        ] {
            if given {
                errors.forbidden(&path.child(field), NOT_EPHEMERAL);
            }
        }
        for (index, mount) in one.volume_mounts.iter().flatten().enumerate() {
            let path = path.child("volumeMounts").index(index);
            for (field, value) in [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)] {
                if value.as_deref().is_some_and(|value| !value.is_empty()) {
                    errors.forbidden(&path.child(field), NOT_EPHEMERAL);
                }
            }
        }
    }
}

/// An ephemeral container has all fields of a container and one more.
fn as_container(one: &EphemeralContainer) -> Container {
    let tree: Value = serde_json::to_value(one).unwrap_or_default();
    serde_json::from_value(tree).unwrap_or_default()
}
