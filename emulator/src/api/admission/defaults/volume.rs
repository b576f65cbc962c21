//! A volume's defaults.

use serde_json::{Value, json};

use super::container::pull_policy;
use crate::api::admission::tree;

/// `0644`.
const MODE: i64 = 0o644;

/// Fills in the defaults of a volume; one without a source is an empty directory.
pub(super) fn apply(volume: &mut Value) {
    let has_source = volume
        .as_object()
        .is_some_and(|map| map.iter().any(|(field, value)| field != "name" && !value.is_null()));
    if !has_source {
        volume["emptyDir"] = json!({});
    }
    for field in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = tree::object(volume, field) {
            tree::default(source, "defaultMode", MODE);
        }
    }
    if let Some(source) = tree::object(volume, "downwardAPI") {
        apply_downward(source);
    }
    if let Some(projected) = tree::object(volume, "projected") {
        for source in tree::items(projected, "sources") {
            if let Some(token) = tree::object(source, "serviceAccountToken") {
                tree::default(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = tree::object(source, "downwardAPI") {
                apply_downward(downward);
            }
        }
    }
    if let Some(path) = tree::object(volume, "hostPath") {
        tree::default(path, "type", "");
    }
    if let Some(image) = tree::object(volume, "image") {
        let reference = image["reference"].as_str().unwrap_or_default().to_owned();
        tree::default(image, "pullPolicy", pull_policy(&reference));
    }
    if let Some(spec) = tree::object(volume, "ephemeral")
        .and_then(|ephemeral| tree::object(ephemeral, "volumeClaimTemplate"))
        .and_then(|template| tree::object(template, "spec"))
    {
        tree::default(spec, "volumeMode", "Filesystem");
    }
}

fn apply_downward(source: &mut Value) {
    for item in tree::items(source, "items") {
        if let Some(field) = tree::object(item, "fieldRef") {
            tree::default(field, "apiVersion", "v1");
        }
        if let Some(field) = tree::object(item, "resourceFieldRef") {
            tree::default(field, "divisor", "0");
        }
    }
}
