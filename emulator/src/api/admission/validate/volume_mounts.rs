//! Where a container sees the pod's volumes.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::core::v1::{Container, Volume, VolumeMount};

use super::path::{descending, no_backsteps};
use crate::api::admission::field_error::{Errors, Path};

/// Checks `volumeMounts`.
pub(super) fn check(container: &Container, volumes: &HashMap<&str, &Volume>, path: &Path, errors: &mut Errors) {
    let devices = container.volume_devices.as_deref().unwrap_or_default();
    let device_names: HashSet<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    let device_paths: HashSet<&str> = devices.iter().map(|device| device.device_path.as_str()).collect();
    let mut seen = HashSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let item = path.index(index);
        if mount.name.is_empty() {
            errors.required(&item.child("name"), "");
        }
        if mount.name.is_empty() || !volumes.contains_key(mount.name.as_str()) {
            errors.not_found(&item.child("name"), &mount.name);
        }
        if mount.mount_path.is_empty() {
            errors.required(&item.child("mountPath"), "");
        }
        if !seen.insert(&mount.mount_path) {
            errors.invalid(&item.child("mountPath"), mount.mount_path.as_str(), "must be unique");
        }
        if device_names.contains(mount.name.as_str()) {
            errors.invalid(
                &item.child("name"),
                mount.name.as_str(),
                "must not already exist in volumeDevices",
            );
        }
        if device_paths.contains(mount.mount_path.as_str()) {
            errors.invalid(
                &item.child("mountPath"),
                mount.mount_path.as_str(),
                "must not already exist as a path in volumeDevices",
            );
        }
        sub_paths(mount, path, &item, errors);
        propagation(mount, container, path, errors);
        recursive_read_only(mount, path, errors);
    }
}

fn sub_paths(mount: &VolumeMount, list: &Path, item: &Path, errors: &mut Errors) {
    let (plain, expanded) = (
        mount.sub_path.as_deref().unwrap_or_default(),
        mount.sub_path_expr.as_deref().unwrap_or_default(),
    );
    // The server leaves out the index from here on.
    if !plain.is_empty() {
        descending(plain, &list.child("subPath"), errors);
    }
    if !expanded.is_empty() {
        if !plain.is_empty() {
            errors.invalid(
                &item.child("subPathExpr"),
                expanded,
                "subPathExpr and subPath are mutually exclusive",
            );
        }
        descending(expanded, &list.child("subPathExpr"), errors);
    }
}

fn propagation(mount: &VolumeMount, container: &Container, list: &Path, errors: &mut Errors) {
    let path = list.child("mountPropagation");
    let privileged = container
        .security_context
        .as_ref()
        .is_some_and(|context| context.privileged == Some(true));
    match mount.mount_propagation.as_deref() {
        None | Some("None" | "HostToContainer") => {}
        Some("Bidirectional") if privileged => {}
        Some("Bidirectional") => errors.forbidden(
            &path,
            "Bidirectional mount propagation is available only to privileged containers",
        ),
        Some(other) => errors.not_supported(&path, other, &["Bidirectional", "HostToContainer", "None"]),
    }
}

fn recursive_read_only(mount: &VolumeMount, list: &Path, errors: &mut Errors) {
    let path = list.child("recursiveReadOnly");
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.read_only != Some(true) {
                errors.forbidden(&path, "may only be specified when readOnly is true");
            }
            if !matches!(mount.mount_propagation.as_deref(), None | Some("None")) {
                errors.forbidden(
                    &path,
                    "may only be specified when mountPropagation is None or not specified",
                );
            }
        }
        Some(other) => errors.not_supported(&path, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// Checks `volumeDevices`.
pub(super) fn devices(container: &Container, volumes: &HashMap<&str, &Volume>, path: &Path, errors: &mut Errors) {
    for (index, device) in container.volume_devices.iter().flatten().enumerate() {
        let path = path.index(index);
        match volumes.get(device.name.as_str()) {
            None => errors.not_found(&path.child("name"), &device.name),
            Some(volume) if volume.persistent_volume_claim.is_none() && volume.ephemeral.is_none() => errors.invalid(
                &path.child("name"),
                device.name.as_str(),
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
            ),
            Some(_) => {}
        }
        if device.device_path.is_empty() {
            errors.required(&path.child("devicePath"), "");
        }
        no_backsteps(&device.device_path, &path.child("devicePath"), errors);
    }
}
