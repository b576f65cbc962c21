//! A container's environment. Values of Secrets are never fetched, and so never shown.

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ResourceFieldSelector};

use crate::pod::container::Container;
use crate::pod::{Facts, quantity};
use crate::view::describe::header::pairs;
use crate::view::sheet::Sheet;
use crate::view::text::{Line, Tone};

/// The rows about a container's environment.
pub fn rows(facts: &Facts, container: &Container, sheet: &mut Sheet) {
    let sources: Vec<Line> = container.spec.env_from.iter().flatten().filter_map(source).collect();
    if !sources.is_empty() {
        sheet.heading(4, "Environment Variables from");
        for line in sources {
            sheet.free(line.indent(6));
        }
    }
    let variables: Vec<&EnvVar> = container.spec.env.iter().flatten().collect();
    if variables.is_empty() {
        return;
    }
    sheet.heading(4, "Environment");
    for variable in variables {
        let value = match &variable.value_from {
            Some(source) => from(facts, container, source),
            None => Line::from(variable.value.clone().unwrap_or_default()),
        };
        sheet.pair(6, variable.name.as_str(), value);
    }
}

fn source(from: &k8s_openapi::api::core::v1::EnvFromSource) -> Option<Line> {
    let (name, kind, optional) = match (&from.config_map_ref, &from.secret_ref) {
        (Some(map), _) => (&map.name, "ConfigMap", map.optional),
        (None, Some(secret)) => (&secret.name, "Secret", secret.optional),
        (None, None) => return None,
    };
    let prefix = match from.prefix.as_deref() {
        Some(prefix) if !prefix.is_empty() => format!(" with prefix '{prefix}'"),
        _ => String::new(),
    };
    let optional = optional.unwrap_or(false);
    Some(Line::from(format!("{name}  {kind}{prefix}  Optional: {optional}")))
}

fn from(facts: &Facts, container: &Container, source: &EnvVarSource) -> Line {
    if let Some(field) = &source.field_ref {
        let version = field.api_version.as_deref().unwrap_or("v1");
        let value = field_value(facts, &field.field_path).unwrap_or_default();
        return Line::from(value).tone(Tone::Faint, format!(" ({version}:{})", field.field_path));
    }
    if let Some(field) = &source.resource_field_ref {
        let value = resource_value(facts, container, field).unwrap_or_default();
        return Line::from(value).tone(Tone::Faint, format!(" ({})", field.resource));
    }
    if let Some(key) = &source.secret_key_ref {
        let optional = key.optional.unwrap_or(false);
        return Line::from(format!(
            "<set to the key '{}' in secret '{}'>  Optional: {optional}",
            key.key, key.name
        ));
    }
    if let Some(key) = &source.config_map_key_ref {
        let optional = key.optional.unwrap_or(false);
        return Line::from(format!(
            "<set to the key '{}' of config map '{}'>  Optional: {optional}",
            key.key, key.name
        ));
    }
    if let Some(file) = &source.file_key_ref {
        return Line::from(format!(
            "<set to the key '{}' in file '{}' of volume '{}'>",
            file.key, file.path, file.volume_name
        ));
    }
    Line::new()
}

/// What a field of the pod holds, as far as a container may refer to it.
fn field_value(facts: &Facts, path: &str) -> Option<String> {
    let metadata = &facts.pod.metadata;
    let (spec, status) = (facts.spec(), facts.status());
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        let map = match map {
            "metadata.labels" => metadata.labels.as_ref(),
            "metadata.annotations" => metadata.annotations.as_ref(),
            _ => None,
        };
        return map?.get(key).cloned();
    }
    match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "metadata.labels" => Some(pairs(metadata.labels.as_ref(), "=").join(",")),
        "spec.nodeName" => spec?.node_name.clone(),
        "spec.serviceAccountName" => spec?.service_account_name.clone(),
        "status.podIP" => status?.pod_ip.clone(),
        "status.hostIP" => status?.host_ip.clone(),
        _ => None,
    }
}

fn resource_value(facts: &Facts, own: &Container, field: &ResourceFieldSelector) -> Option<String> {
    let container = match field.container_name.as_deref() {
        Some(name) if !name.is_empty() => facts.container(name)?,
        _ => own,
    };
    let resources = container.spec.resources.as_ref()?;
    let (list, resource) = field.resource.split_once('.')?;
    let amount = match list {
        "limits" => resources.limits.as_ref()?.get(resource)?,
        _ => resources.requests.as_ref()?.get(resource)?,
    };
    let divisor = field.divisor.as_ref().map_or("1", |divisor| divisor.0.as_str());
    quantity::divided(&amount.0, if divisor == "0" { "1" } else { divisor }).map(|value| value.to_string())
}
