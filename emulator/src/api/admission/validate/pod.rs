//! A pod's spec as a whole, in the order in which the server reports its mistakes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, PodSpec};

use super::{affinity, container, containers, dns, metadata, resources, scheduling, security, volume};
use crate::api::admission::{
    defaults::aggregate_requests,
    field_error::{Errors, Path},
    names,
    quantity::Quantity,
};
use crate::quantity;

/// Checks a pod but for its metadata.
pub(super) fn check(pod: &Pod, errors: &mut Errors) {
    template(pod, &Path::new(""), errors);
    let Some(spec) = &pod.spec else { return };
    let path = Path::new("spec");
    for (field, list) in [
        ("containers", Some(&spec.containers)),
        ("initContainers", spec.init_containers.as_ref()),
    ] {
        for (index, one) in list.into_iter().flatten().enumerate() {
            container::image_blanks(one, &path.child(field).index(index), errors);
        }
    }
}

/// Checks what a pod and the template of one have in common; `root` is where it stands in its object.
pub(super) fn template(pod: &Pod, root: &Path, errors: &mut Errors) {
    annotations(pod, errors);
    let path = root.child("spec");
    let Some(spec) = &pod.spec else {
        return errors.required(&path.child("containers"), "");
    };
    volume::check(
        spec.volumes.as_deref().unwrap_or_default(),
        &path.child("volumes"),
        errors,
    );
    containers::regular(spec, &path.child("containers"), errors);
    containers::init(spec, &path.child("initContainers"), errors);
    containers::ephemeral(spec, &path.child("ephemeralContainers"), errors);
    pod_resources(spec, &path.child("resources"), errors);
    host_ports(spec, &path, errors);
    policies(spec, &path, errors);
    placement(spec, &path, errors);
    host_users(spec, &path, errors);
    identity(spec, &path, errors);
}

/// Annotations that mean something for a pod.
fn annotations(pod: &Pod, errors: &mut Errors) {
    let mirror = pod
        .metadata
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get("kubernetes.io/config.mirror"));
    let node = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_name.as_deref())
        .unwrap_or_default();
    if let Some(value) = mirror.filter(|_| node.is_empty()) {
        let path = Path::new("metadata")
            .child("annotations")
            .key("kubernetes.io/config.mirror");
        errors.invalid(
            &path,
            value.as_str(),
            "must set spec.nodeName if mirror pod annotation is set",
        );
    }
}

fn pod_resources(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let Some(own) = &spec.resources else { return };
    if own.claims.is_some() {
        errors.forbidden(&path.child("claims"), "claims cannot be set for Resources at pod-level");
    }
    resources::check(own, true, path, errors);
    let amount = |list: Option<&BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>,
                  name: &str| {
        list.and_then(|list| list.get(name))
            .and_then(|text| text.0.parse::<Quantity>().ok())
    };
    let tree = serde_json::to_value(spec).unwrap_or_default();
    // The pod as a whole can't ask for what is left out here: its containers do.
    let compared = aggregate_requests(&tree)
        .into_iter()
        .filter(|(name, _)| quantity::is_pod_level(name));
    for (name, needed) in compared {
        let given = amount(own.requests.as_ref(), &name).unwrap_or(Quantity::ZERO);
        if needed > given {
            errors.invalid(
                &path.child("requests").key(&name),
                given.to_string(),
                format!("must be greater than or equal to aggregate container requests of {needed}"),
            );
        }
    }
    for (index, one) in spec.containers.iter().enumerate() {
        let limits = one.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        for name in limits.into_iter().flat_map(BTreeMap::keys) {
            let (Some(limit), Some(most)) = (amount(limits, name), amount(own.limits.as_ref(), name)) else {
                continue;
            };
            if limit > most {
                errors.invalid(
                    &path.child("containers").index(index).key(name).child("limits"),
                    limit.to_string(),
                    format!("must be less than or equal to pod limits of {most}"),
                );
            }
        }
    }
}

/// On the node's network a container's port is the node's.
fn host_ports(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if spec.host_network != Some(true) {
        return;
    }
    for (index, one) in spec.containers.iter().enumerate() {
        let path = path.child("containers").index(index).child("ports");
        for (index, port) in one.ports.iter().flatten().enumerate() {
            let host = port.host_port.unwrap_or_default();
            if host != port.container_port {
                errors.invalid(
                    &path.index(index).child("hostPort"),
                    host,
                    "must match `containerPort` when `hostNetwork` is true",
                );
            }
        }
    }
}

fn policies(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let restart = path.child("restartPolicy");
    match spec.restart_policy.as_deref().unwrap_or_default() {
        "Always" | "OnFailure" | "Never" => {}
        "" => errors.required(&restart, ""),
        other => errors.not_supported(&restart, other, &["Always", "OnFailure", "Never"]),
    }
    dns::policy(
        spec.dns_policy.as_deref().unwrap_or_default(),
        &path.child("dnsPolicy"),
        errors,
    );
    let node_selector = serde_json::to_value(&spec.node_selector).unwrap_or_default();
    metadata::labels(&node_selector, &path.child("nodeSelector"), errors);
    if let Some(context) = &spec.security_context {
        security::pod(context, spec, &path.child("securityContext"), errors);
    }
}

fn placement(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if let Some(one) = &spec.affinity {
        affinity::check(one, &path.child("affinity"), errors);
    }
    dns::config(
        spec.dns_config.as_ref(),
        spec.dns_policy.as_deref().unwrap_or_default(),
        &path.child("dnsConfig"),
        errors,
    );
    scheduling::readiness_gates(
        spec.readiness_gates.as_deref().unwrap_or_default(),
        &path.child("readinessGates"),
        errors,
    );
    scheduling::scheduling_gates(
        spec.scheduling_gates.as_deref().unwrap_or_default(),
        &path.child("schedulingGates"),
        errors,
    );
    scheduling::spread(
        spec.topology_spread_constraints.as_deref().unwrap_or_default(),
        &path.child("topologySpreadConstraints"),
        errors,
    );
}

/// A user namespace of its own can't be had together with the node's other namespaces.
fn host_users(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    if spec.host_users != Some(false) {
        return;
    }
    for (field, given) in [
        ("hostNetwork", spec.host_network),
        ("HostPID", spec.host_pid),
        ("HostIPC", spec.host_ipc),
    ] {
        if given == Some(true) {
            errors.forbidden(&path.child(field), "when `pod.Spec.HostUsers` is false");
        }
    }
}

/// A host name that takes the place of the others can't stand beside what makes one.
fn hostname_override(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let path = path.child("hostnameOverride");
    let Some(name) = spec.hostname_override.as_deref().filter(|name| !name.is_empty()) else {
        return;
    };
    errors.invalid_each(&path, name, names::dns_subdomain(name));
    if name.len() > 64 {
        errors.too_long(&path, 64);
    }
    for (field, given) in [
        ("hostNetwork", spec.host_network),
        ("setHostnameAsFQDN", spec.set_hostname_as_fqdn),
    ] {
        if given == Some(true) {
            errors.forbidden(&path, format!("may not be set when `{field}` is true"));
        }
    }
}

/// Names, numbers and the rest.
fn identity(spec: &PodSpec, path: &Path, errors: &mut Errors) {
    let name = |field: &str, value: &Option<String>, rule: fn(&str) -> Vec<String>, errors: &mut Errors| {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            errors.invalid_each(&path.child(field), value, rule(value));
        }
    };
    name(
        "serviceAccountName",
        &spec.service_account_name,
        names::dns_subdomain,
        errors,
    );
    name("nodeName", &spec.node_name, names::dns_subdomain, errors);
    if let Some(seconds) = spec.active_deadline_seconds
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        errors.invalid(
            &path.child("activeDeadlineSeconds"),
            seconds,
            "must be between 1 and 2147483647, inclusive",
        );
    }
    name("hostname", &spec.hostname, names::dns_label, errors);
    name("subdomain", &spec.subdomain, names::dns_label, errors);
    scheduling::tolerations(
        spec.tolerations.as_deref().unwrap_or_default(),
        &path.child("tolerations"),
        errors,
    );
    dns::host_aliases(
        spec.host_aliases.as_deref().unwrap_or_default(),
        &path.child("hostAliases"),
        errors,
    );
    hostname_override(spec, path, errors);
    name(
        "priorityClassName",
        &spec.priority_class_name,
        names::dns_subdomain,
        errors,
    );
    name(
        "runtimeClassName",
        &spec.runtime_class_name,
        names::dns_subdomain,
        errors,
    );
    let preemption = path.child("preemptionPolicy");
    match spec.preemption_policy.as_deref() {
        None | Some("PreemptLowerPriority" | "Never") => {}
        Some("") => errors.required(&preemption, ""),
        Some(other) => errors.not_supported(&preemption, other, &["Never", "PreemptLowerPriority"]),
    }
    if let Some(os) = &spec.os {
        match os.name.as_str() {
            "linux" => security::of_linux(spec, path, errors),
            "windows" => {}
            "" => errors.required(&path.child("os").child("name"), "cannot be empty"),
            other => errors.not_supported(&path.child("os"), other, &["linux", "windows"]),
        }
    }
}
