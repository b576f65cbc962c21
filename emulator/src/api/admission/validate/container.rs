//! One container, whatever its part in the pod.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::core::v1::{Container, ContainerResizePolicy, PodSpec, Volume};

use super::{env, ports, resources, security, volume_mounts};
use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// The most rules of one container, and the most exit codes of one rule.
const MOST: (usize, usize) = (20, 255);

/// A pod's spec, and what its containers name of it, indexed once for all of them.
pub(super) struct Pod<'a> {
    spec: &'a PodSpec,
    pub(super) volumes: HashMap<&'a str, &'a Volume>,
    claims: HashSet<&'a str>,
}

impl<'a> Pod<'a> {
    pub(super) fn new(spec: &'a PodSpec) -> Self {
        let mut volumes = HashMap::new();
        for volume in spec.volumes.iter().flatten() {
            volumes.entry(volume.name.as_str()).or_insert(volume);
        }
        let claims = spec.resource_claims.iter().flatten();
        Self {
            spec,
            volumes,
            claims: claims.map(|claim| claim.name.as_str()).collect(),
        }
    }
}

/// Checks what is common to containers of every kind.
pub(super) fn check(container: &Container, pod: &Pod<'_>, path: &Path, errors: &mut Errors) {
    let spec = pod.spec;
    if container.name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        errors.invalid_each(&path.child("name"), &container.name, names::dns_label(&container.name));
    }
    let image = container.image.as_deref().unwrap_or_default();
    if image.is_empty() {
        errors.required(&path.child("image"), "");
    }
    let message_policy = path.child("terminationMessagePolicy");
    match container.termination_message_policy.as_deref().unwrap_or_default() {
        "File" | "FallbackToLogsOnError" => {}
        "" => errors.required(&message_policy, ""),
        other => errors.not_supported(&message_policy, other, &["FallbackToLogsOnError", "File"]),
    }
    ports::check(
        container.ports.as_deref().unwrap_or_default(),
        &path.child("ports"),
        errors,
    );
    env::check(container.env.as_deref().unwrap_or_default(), &path.child("env"), errors);
    env::check_from(
        container.env_from.as_deref().unwrap_or_default(),
        &path.child("envFrom"),
        errors,
    );
    volume_mounts::check(container, &pod.volumes, &path.child("volumeMounts"), errors);
    volume_mounts::devices(container, &pod.volumes, &path.child("volumeDevices"), errors);
    let pull_policy = path.child("imagePullPolicy");
    match container.image_pull_policy.as_deref().unwrap_or_default() {
        "Always" | "IfNotPresent" | "Never" => {}
        "" => errors.required(&pull_policy, ""),
        other => errors.not_supported(&pull_policy, other, &["Always", "IfNotPresent", "Never"]),
    }
    if let Some(one) = &container.resources {
        resources::check(one, false, &path.child("resources"), errors);
        for (index, claim) in one.claims.iter().flatten().enumerate() {
            let path = path.child("resources").child("claims").index(index).child("name");
            if claim.name.is_empty() {
                errors.required(&path, "");
            } else if !pod.claims.contains(claim.name.as_str()) {
                errors.not_found(&path, &claim.name);
            }
        }
    }
    resize_policy(
        container.resize_policy.as_deref().unwrap_or_default(),
        spec.restart_policy.as_deref() == Some("Never"),
        &path.child("resizePolicy"),
        errors,
    );
    if let Some(context) = &container.security_context {
        let host_users = spec.host_users != Some(false);
        security::container(context, host_users, &path.child("securityContext"), errors);
    }
}

/// Checks the image's name once more: only a pod, not a template, must not have blanks around it.
pub(super) fn image_blanks(container: &Container, path: &Path, errors: &mut Errors) {
    let image = container.image.as_deref().unwrap_or_default();
    if image.trim() != image {
        errors.invalid(
            &path.child("image"),
            image,
            "must not have leading or trailing whitespace",
        );
    }
}

fn resize_policy(policies: &[ContainerResizePolicy], never_restarts: bool, path: &Path, errors: &mut Errors) {
    let mut seen = Vec::new();
    for (index, policy) in policies.iter().enumerate() {
        let name = policy.resource_name.as_str();
        if seen.contains(&name) {
            errors.duplicate(&path.index(index), name);
        }
        seen.push(name);
        match name {
            "cpu" | "memory" => {}
            "" => errors.required(path, ""),
            other => errors.not_supported(path, other, &["cpu", "memory"]),
        }
        match policy.restart_policy.as_str() {
            "NotRequired" | "RestartContainer" => {}
            "" => errors.required(path, ""),
            other => errors.not_supported(path, other, &["NotRequired", "RestartContainer"]),
        }
        if never_restarts && policy.restart_policy != "NotRequired" {
            errors.invalid(
                path,
                policy.restart_policy.as_str(),
                "must be 'NotRequired' when `restartPolicy` is 'Never'",
            );
        }
    }
}

/// Checks a container's own `restartPolicy` and `restartPolicyRules`.
pub(super) fn restart_policy(container: &Container, path: &Path, errors: &mut Errors) {
    let rules = container.restart_policy_rules.as_deref().unwrap_or_default();
    match container.restart_policy.as_deref() {
        Some("Always" | "Never" | "OnFailure") => {}
        Some(other) => {
            errors.not_supported(&path.child("restartPolicy"), other, &["Always", "Never", "OnFailure"]);
        }
        None if !rules.is_empty() => errors.required(
            &path.child("restartPolicy"),
            "must specify restartPolicy when restart rules are used",
        ),
        None => {}
    }
    let list = path.child("restartPolicyRules");
    if rules.len() > MOST.0 {
        errors.too_many(&list, rules.len(), MOST.0);
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = list.index(index);
        match rule.action.as_str() {
            "Restart" | "RestartAllContainers" => {}
            "" => errors.required(&path.child("action"), ""),
            other => errors.not_supported(&path.child("action"), other, &["Restart", "RestartAllContainers"]),
        }
        let Some(codes) = &rule.exit_codes else {
            errors.required(&path.child("exitCodes"), "must be specified");
            continue;
        };
        let path = path.child("exitCodes");
        match codes.operator.as_str() {
            "In" | "NotIn" => {}
            "" => errors.required(&path.child("operator"), ""),
            other => errors.not_supported(&path.child("operator"), other, &["In", "NotIn"]),
        }
        let values = codes.values.as_deref().unwrap_or_default();
        if values.len() > MOST.1 {
            errors.too_many(&path.child("values"), values.len(), MOST.1);
        }
    }
}
