//! The pod's volumes, each with what kind it is and what it refers to.

use k8s_openapi::api::core::v1::{KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection};
use serde_json::Value;

use crate::pod::Facts;
use crate::view::describe::container::title;
use crate::view::sheet::Sheet;
use crate::view::text::Line;

/// The section about volumes.
pub fn lines(facts: &Facts) -> Vec<Line> {
    let volumes: Vec<&Volume> = facts
        .spec()
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
        .collect();
    if volumes.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![title("Volumes:")];
    for volume in volumes {
        let mut sheet = Sheet::new();
        sheet.heading(2, &volume.name);
        rows(volume, &mut sheet);
        lines.extend(sheet.lines(0));
    }
    lines
}

fn rows(volume: &Volume, sheet: &mut Sheet) {
    let mut row = |name: &str, value: String| sheet.pair(4, name, value);
    let optional = |optional: Option<bool>| optional.unwrap_or(false).to_string();
    if let Some(source) = &volume.host_path {
        row("Type", "HostPath (bare host directory volume)".into());
        row("Path", source.path.clone());
        row("HostPathType", source.type_.clone().unwrap_or_default());
    } else if let Some(source) = &volume.empty_dir {
        row(
            "Type",
            "EmptyDir (a temporary directory that shares a pod's lifetime)".into(),
        );
        row("Medium", source.medium.clone().unwrap_or_default());
        let limit = source.size_limit.as_ref().map_or("<unset>", |limit| limit.0.as_str());
        row("SizeLimit", limit.to_owned());
    } else if let Some(source) = &volume.secret {
        row("Type", "Secret (a volume populated by a Secret)".into());
        row("SecretName", source.secret_name.clone().unwrap_or_default());
        row("Optional", optional(source.optional));
        items(source.items.as_ref(), sheet);
    } else if let Some(source) = &volume.config_map {
        row("Type", "ConfigMap (a volume populated by a ConfigMap)".into());
        row("Name", source.name.clone());
        row("Optional", optional(source.optional));
        items(source.items.as_ref(), sheet);
    } else if let Some(source) = &volume.downward_api {
        row(
            "Type",
            "DownwardAPI (a volume populated by information about the pod)".into(),
        );
        sheet.heading(4, "Items");
        for file in source.items.iter().flatten() {
            let field = file.field_ref.as_ref().map(|field| field.field_path.clone());
            let resource = file.resource_field_ref.as_ref().map(|field| field.resource.clone());
            let from = field.or(resource).unwrap_or_default();
            sheet.free(Line::from(format!("{from} -> {}", file.path)).indent(6));
        }
    } else if let Some(source) = &volume.persistent_volume_claim {
        row(
            "Type",
            "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)".into(),
        );
        row("ClaimName", source.claim_name.clone());
        row("ReadOnly", optional(source.read_only));
    } else if let Some(source) = &volume.projected {
        row(
            "Type",
            "Projected (a volume that contains injected data from multiple sources)".into(),
        );
        projected(source, sheet);
    } else if let Some(source) = &volume.csi {
        row("Type", "CSI (a Container Storage Interface (CSI) volume source)".into());
        row("Driver", source.driver.clone());
        row("FSType", source.fs_type.clone().unwrap_or_default());
        row("ReadOnly", optional(source.read_only));
        for (key, value) in source.volume_attributes.iter().flatten() {
            row("VolumeAttribute", format!("{key}={value}"));
        }
    } else if let Some(source) = &volume.image {
        row("Type", "Image (a container image or OCI artifact)".into());
        row("Reference", source.reference.clone().unwrap_or_default());
        row("PullPolicy", source.pull_policy.clone().unwrap_or_default());
    } else if let Some(source) = &volume.nfs {
        row("Type", "NFS (an NFS mount that lasts the lifetime of a pod)".into());
        row("Server", source.server.clone());
        row("Path", source.path.clone());
        row("ReadOnly", optional(source.read_only));
    } else if volume.ephemeral.is_some() {
        let what = "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)";
        row("Type", what.into());
        other(volume, sheet);
    } else {
        other(volume, sheet);
    }
}

/// Kinds without words of their own: the fields as they are.
fn other(volume: &Volume, sheet: &mut Sheet) {
    let value = serde_json::to_value(volume).unwrap_or_default();
    let members = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "name");
    for (kind, source) in members {
        if kind != "ephemeral" {
            sheet.pair(4, "Type", kind.as_str());
        }
        fields(4, source, sheet);
    }
}

fn fields(indent: usize, value: &Value, sheet: &mut Sheet) {
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => {
                sheet.heading(indent, key);
                fields(indent + 2, value, sheet);
            }
            Value::String(text) => sheet.pair(indent, key.as_str(), text.as_str()),
            other => sheet.pair(indent, key.as_str(), other.to_string()),
        }
    }
}

fn projected(volume: &ProjectedVolumeSource, sheet: &mut Sheet) {
    for source in volume.sources.iter().flatten() {
        projection(source, sheet);
    }
}

fn projection(source: &VolumeProjection, sheet: &mut Sheet) {
    if let Some(secret) = &source.secret {
        sheet.pair(4, "SecretName", secret.name.as_str());
        sheet.pair(4, "Optional", secret.optional.unwrap_or(false).to_string());
        items(secret.items.as_ref(), sheet);
    }
    if let Some(map) = &source.config_map {
        sheet.pair(4, "ConfigMapName", map.name.as_str());
        sheet.pair(4, "Optional", map.optional.unwrap_or(false).to_string());
        items(map.items.as_ref(), sheet);
    }
    if source.downward_api.is_some() {
        sheet.pair(4, "DownwardAPI", "true");
    }
    if let Some(token) = &source.service_account_token {
        let seconds = token.expiration_seconds.unwrap_or(3600);
        sheet.pair(4, "TokenExpirationSeconds", seconds.to_string());
        sheet.maybe(4, "TokenAudience", token.audience.clone());
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        let name = bundle.name.clone().or_else(|| bundle.signer_name.clone());
        sheet.pair(4, "ClusterTrustBundle", name.unwrap_or_default());
    }
    if let Some(certificate) = &source.pod_certificate {
        sheet.pair(4, "PodCertificate", certificate.signer_name.as_str());
    }
}

fn items(items: Option<&Vec<KeyToPath>>, sheet: &mut Sheet) {
    for item in items.into_iter().flatten() {
        sheet.pair(4, "Item", format!("{} -> {}", item.key, item.path));
    }
}
