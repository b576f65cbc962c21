//! A pod's volumes.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume};
use serde_json::Value;

use super::{
    env::{FILE_FIELDS, field_selector, resource_selector},
    path::{no_backsteps, non_reserved},
};
use crate::api::admission::{
    field_error::{Errors, Path},
    names,
    quantity::Quantity,
};

const MODE_RULE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const HOST_PATH_TYPES: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// Checks `spec.volumes`.
pub(super) fn check(volumes: &[Volume], path: &Path, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let before = errors.len();
        check_source(volume, &path, errors);
        let name = volume.name.as_str();
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            errors.invalid_each(&path.child("name"), name, names::dns_label(name));
        }
        if seen.contains(&name) {
            errors.duplicate(&path.child("name"), name);
        }
        if errors.len() == before {
            seen.insert(name);
        }
    }
}

fn check_source(volume: &Volume, path: &Path, errors: &mut Errors) {
    // As a tree the sources are what is there besides the name.
    let tree = serde_json::to_value(volume).unwrap_or_default();
    let mut given: Vec<&str> = tree
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .map(String::as_str)
        .filter(|field| *field != "name")
        .collect();
    // The server looks at them in this order, and calls the later ones too many.
    const FIRST: [&str; 10] = [
        "emptyDir",
        "hostPath",
        "gitRepo",
        "secret",
        "nfs",
        "persistentVolumeClaim",
        "downwardAPI",
        "configMap",
        "projected",
        "image",
    ];
    given.sort_by_key(|field| FIRST.iter().position(|first| first == field).unwrap_or(FIRST.len()));
    match given.as_slice() {
        [] => errors.required(path, "must specify a volume type"),
        [first, further @ ..] => {
            one_source(volume, first, &tree[*first], &path.child(first), errors);
            for field in further {
                errors.forbidden(&path.child(field), "may not specify more than 1 volume type");
            }
        }
    }
}

fn one_source(volume: &Volume, field: &str, tree: &Value, path: &Path, errors: &mut Errors) {
    let text = |field: &str| tree[field].as_str().unwrap_or_default();
    let mut need = |field: &str| {
        if text(field).is_empty() {
            errors.required(&path.child(field), "");
        }
    };
    match field {
        "emptyDir" => {
            let limit = tree["sizeLimit"]
                .as_str()
                .and_then(|text| text.parse::<Quantity>().ok());
            if limit.is_some_and(|limit| limit < Quantity::ZERO) {
                errors.forbidden(
                    &path.child("sizeLimit"),
                    "SizeLimit field must be a valid resource quantity",
                );
            }
        }
        "hostPath" => {
            if text("path").is_empty() {
                return errors.required(&path.child("path"), "");
            }
            no_backsteps(text("path"), &path.child("path"), errors);
            if !HOST_PATH_TYPES.contains(&text("type")) {
                errors.not_supported(&path.child("type"), text("type"), &HOST_PATH_TYPES);
            }
        }
        "secret" => {
            need("secretName");
            let source = volume.secret.as_ref();
            mode(
                source.and_then(|source| source.default_mode),
                &path.child("defaultMode"),
                errors,
            );
            let items = source.and_then(|source| source.items.as_deref()).unwrap_or_default();
            keys_to_paths(items, &path.child("items"), errors);
        }
        "configMap" => {
            need("name");
            let source = volume.config_map.as_ref();
            mode(
                source.and_then(|source| source.default_mode),
                &path.child("defaultMode"),
                errors,
            );
            let items = source.and_then(|source| source.items.as_deref()).unwrap_or_default();
            keys_to_paths(items, &path.child("items"), errors);
        }
        "downwardAPI" => {
            let source = volume.downward_api.as_ref();
            mode(
                source.and_then(|source| source.default_mode),
                &path.child("defaultMode"),
                errors,
            );
            let items = source.and_then(|source| source.items.as_deref()).unwrap_or_default();
            downward_files(items, path, errors);
        }
        "projected" => {
            if let Some(source) = &volume.projected {
                projected(source, path, errors);
            }
        }
        "persistentVolumeClaim" => need("claimName"),
        "nfs" => {
            need("server");
            need("path");
            if !text("path").is_empty() && !text("path").starts_with('/') {
                errors.invalid(&path.child("path"), text("path"), "must be an absolute path");
            }
        }
        "image" => {
            need("reference");
            match text("pullPolicy") {
                "Always" | "IfNotPresent" | "Never" | "" => {}
                other => {
                    errors.not_supported(&path.child("pullPolicy"), other, &["Always", "IfNotPresent", "Never"]);
                }
            }
        }
        "csi" => need("driver"),
        _ => {}
    }
}

fn mode(mode: Option<i32>, path: &Path, errors: &mut Errors) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        errors.invalid(path, mode, MODE_RULE);
    }
}

fn keys_to_paths(items: &[KeyToPath], path: &Path, errors: &mut Errors) {
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        if item.key.is_empty() {
            errors.required(&path.child("key"), "");
        }
        if item.path.is_empty() {
            errors.required(&path.child("path"), "");
        }
        non_reserved(&item.path, &path.child("path"), errors);
        mode(item.mode, &path.child("mode"), errors);
    }
}

/// The server leaves out "items" and the index.
fn downward_files(items: &[DownwardAPIVolumeFile], path: &Path, errors: &mut Errors) {
    for item in items {
        if item.path.is_empty() {
            errors.required(&path.child("path"), "");
        }
        non_reserved(&item.path, &path.child("path"), errors);
        match (&item.field_ref, &item.resource_field_ref) {
            (Some(field), other) => {
                field_selector(field, &FILE_FIELDS, &path.child("fieldRef"), errors);
                if other.is_some() {
                    errors.invalid(
                        path,
                        "resource",
                        "fieldRef and resourceFieldRef can not be specified simultaneously",
                    );
                }
            }
            (None, Some(resource)) => resource_selector(resource, true, &path.child("resourceFieldRef"), errors),
            (None, None) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
        }
        mode(item.mode, &path.child("mode"), errors);
    }
}

fn projected(projected: &ProjectedVolumeSource, path: &Path, errors: &mut Errors) {
    mode(projected.default_mode, &path.child("defaultMode"), errors);
    for (index, source) in projected.sources.iter().flatten().enumerate() {
        let path = path.child("sources").index(index);
        let mut count = 0;
        let mut further = |field: &str, errors: &mut Errors| {
            count += 1;
            if count > 1 {
                errors.forbidden(&path.child(field), "may not specify more than 1 volume type");
            }
            count == 1
        };
        if let Some(secret) = &source.secret
            && further("secret", errors)
        {
            let path = path.child("secret");
            if secret.name.is_empty() {
                errors.required(&path.child("name"), "");
            }
            keys_to_paths(
                secret.items.as_deref().unwrap_or_default(),
                &path.child("items"),
                errors,
            );
        }
        if let Some(config_map) = &source.config_map
            && further("configMap", errors)
        {
            let path = path.child("configMap");
            if config_map.name.is_empty() {
                errors.required(&path.child("name"), "");
            }
            keys_to_paths(
                config_map.items.as_deref().unwrap_or_default(),
                &path.child("items"),
                errors,
            );
        }
        if let Some(downward) = &source.downward_api
            && further("downwardAPI", errors)
        {
            let items = downward.items.as_deref().unwrap_or_default();
            downward_files(items, &path.child("downwardAPI"), errors);
        }
        if let Some(token) = &source.service_account_token
            && further("serviceAccountToken", errors)
        {
            let path = path.child("serviceAccountToken");
            let seconds = token.expiration_seconds.unwrap_or(3600);
            if seconds < 600 {
                errors.invalid(
                    &path.child("expirationSeconds"),
                    seconds,
                    "may not specify a duration less than 10 minutes",
                );
            }
            if seconds > 1 << 32 {
                errors.invalid(
                    &path.child("expirationSeconds"),
                    seconds,
                    "may not specify a duration larger than 2^32 seconds",
                );
            }
            if token.path.is_empty() {
                errors.required(&path.child("path"), "");
            } else {
                non_reserved(&token.path, &path.child("path"), errors);
            }
        }
        let other = source.cluster_trust_bundle.is_some() || source.pod_certificate.is_some();
        if count == 0 && !other {
            errors.required(&path, "must specify at least one type of projection source");
        }
    }
}
