//! Environment variables and where they come from.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector};

use crate::api::admission::{
    field_error::{Errors, Path},
    names,
    quantity::Quantity,
};

/// Fields of the pod that a variable can take.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields of the pod that a file can take.
pub(super) const FILE_FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// Amounts of a container.
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Checks `env`.
pub(super) fn check(variables: &[EnvVar], path: &Path, errors: &mut Errors) {
    for (index, variable) in variables.iter().enumerate() {
        let path = path.index(index);
        if variable.name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            errors.invalid_each(&path.child("name"), &variable.name, names::env_name(&variable.name));
        }
        if let Some(source) = &variable.value_from {
            let has_value = variable.value.as_deref().is_some_and(|value| !value.is_empty());
            check_source(source, has_value, &path.child("valueFrom"), errors);
        }
    }
}

fn check_source(source: &EnvVarSource, has_value: bool, path: &Path, errors: &mut Errors) {
    let mut sources = 0;
    if let Some(field) = &source.field_ref {
        sources += 1;
        field_selector(field, &FIELDS, &path.child("fieldRef"), errors);
    }
    if let Some(field) = &source.resource_field_ref {
        sources += 1;
        resource_selector(field, false, &path.child("resourceFieldRef"), errors);
    }
    if let Some(key) = &source.config_map_key_ref {
        sources += 1;
        key_selector(&key.name, &key.key, &path.child("configMapKeyRef"), errors);
    }
    if let Some(key) = &source.secret_key_ref {
        sources += 1;
        key_selector(&key.name, &key.key, &path.child("secretKeyRef"), errors);
    }
    if let Some(key) = &source.file_key_ref {
        sources += 1;
        let path = path.child("fileKeyRef");
        for (field, value) in [("key", &key.key), ("volumeName", &key.volume_name), ("path", &key.path)] {
            if value.is_empty() {
                errors.required(&path.child(field), "");
            }
        }
    }
    match sources {
        0 => errors.invalid(
            path,
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
        _ if has_value => errors.invalid(path, "", "may not be specified when `value` is not empty"),
        1 => {}
        _ => errors.invalid(path, "", "may not have more than one field specified at a time"),
    }
}

fn key_selector(name: &str, key: &str, path: &Path, errors: &mut Errors) {
    errors.invalid_each(&path.child("name"), name, names::dns_subdomain(name));
    if key.is_empty() {
        errors.required(&path.child("key"), "");
    } else {
        errors.invalid_each(&path.child("key"), key, names::config_key(key));
    }
}

/// Checks a reference to a field of the pod.
pub(super) fn field_selector(field: &ObjectFieldSelector, known: &[&str], path: &Path, errors: &mut Errors) {
    let wanted = field.field_path.as_str();
    if field.api_version.as_deref().unwrap_or_default().is_empty() {
        return errors.required(&path.child("apiVersion"), "");
    }
    if wanted.is_empty() {
        return errors.required(&path.child("fieldPath"), "");
    }
    // Only v1 has fields of its own; of any other version only these are known.
    let others = ["metadata.name", "metadata.namespace"];
    if field.api_version.as_deref() != Some("v1") && !others.contains(&wanted) {
        let why = format!(
            "error converting fieldPath: {wanted:?} is not a known field selector: only {:?}, {:?}",
            others[0], others[1]
        );
        return errors.invalid(&path.child("fieldPath"), wanted, why);
    }
    let subscript = wanted.strip_suffix("']").and_then(|start| start.split_once("['"));
    match subscript {
        Some(("metadata.annotations", key)) => errors.invalid_each(path, key, names::qualified(&key.to_lowercase())),
        Some(("metadata.labels", key)) => errors.invalid_each(path, key, names::qualified(key)),
        Some((field, _)) => errors.invalid(path, field, "does not support subscript"),
        None if known.contains(&wanted) => {}
        // Known to downward API files only, or to nobody.
        None if FIELDS.contains(&wanted) || FILE_FIELDS.contains(&wanted) => {
            errors.not_supported(&path.child("fieldPath"), wanted, known);
        }
        None => errors.invalid(
            &path.child("fieldPath"),
            wanted,
            format!("error converting fieldPath: field label not supported: {wanted}"),
        ),
    }
}

/// Checks a reference to an amount of a container.
pub(super) fn resource_selector(field: &ResourceFieldSelector, in_volume: bool, path: &Path, errors: &mut Errors) {
    let resource = field.resource.as_str();
    let huge = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if in_volume && field.container_name.as_deref().unwrap_or_default().is_empty() {
        errors.required(&path.child("containerName"), "");
    } else if resource.is_empty() {
        errors.required(&path.child("resource"), "");
    } else if !RESOURCES.contains(&resource) && !huge {
        errors.not_supported(&path.child("resource"), resource, &RESOURCES);
    }
    let Some(divisor) = field.divisor.as_ref().map(|divisor| divisor.0.as_str()) else {
        return;
    };
    let unset = divisor
        .parse::<Quantity>()
        .is_ok_and(|divisor| divisor == Quantity::ZERO);
    let (allowed, what): (&[&str], &str) = match resource.split_once('.') {
        Some((_, "cpu")) => (&["1m", "1"], "cpu"),
        Some((_, "memory")) => (&BYTES, "memory"),
        Some((_, "ephemeral-storage")) => (&BYTES, "local ephemeral storage"),
        _ if huge => (&BYTES, "hugepages"),
        _ => return,
    };
    if !unset && !allowed.contains(&divisor) {
        let list = if what == "cpu" {
            "1m and 1".to_owned()
        } else {
            allowed.join(", ")
        };
        errors.invalid(
            &path.child("divisor"),
            resource,
            format!("only divisor's values {list} are supported with the {what} resource"),
        );
    }
}

const BYTES: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Checks `envFrom`.
pub(super) fn check_from(sources: &[EnvFromSource], path: &Path, errors: &mut Errors) {
    for (index, source) in sources.iter().enumerate() {
        let item = path.index(index);
        if let Some(prefix) = source.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            errors.invalid_each(&item.child("prefix"), prefix, names::env_name(prefix));
        }
        let config_map = source.config_map_ref.as_ref().map(|one| ("configMapRef", &one.name));
        let secret = source.secret_ref.as_ref().map(|one| ("secretRef", &one.name));
        let mut count = 0;
        for (field, name) in [config_map, secret].into_iter().flatten() {
            count += 1;
            let path = item.child(field).child("name");
            if name.is_empty() {
                errors.required(&path, "");
            } else {
                errors.invalid_each(&path, name, names::dns_subdomain(name));
            }
        }
        match count {
            0 => errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errors.invalid(path, "", "may not have more than one field specified at a time"),
        }
    }
}
