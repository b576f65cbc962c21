//! The environment of a container (`kubelet_pods.go`, `makeEnvironmentVariables`).

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource};
use serde_json::Value;

use super::{Subject, config_error, env_file, expansion, field_ref, resource_field};
use crate::{
    kubelet::start_failure::StartFailure,
    store::{Key, Resource},
};

/// Where a program is looked for when neither image nor manifest says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variables that the manifest gives, each name once, in the order of their first mention.
pub struct Environment {
    /// Name and value.
    pub own: Vec<(String, String)>,
}

/// Works out `envFrom` and then `env`, which wins.
///
/// # Errors
/// A ConfigMap, Secret, key or field that is missing and not optional.
pub fn environment(subject: &Subject<'_>) -> Result<Environment, StartFailure> {
    let mut own: Vec<(String, String)> = Vec::new();
    let container = &subject.declared.container;
    for source in container.env_from.iter().flatten() {
        let (resource, name, optional) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(map), _) => (Resource::ConfigMaps, &map.name, map.optional),
            (None, Some(secret)) => (Resource::Secrets, &secret.name, secret.optional),
            (None, None) => continue,
        };
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let Some(object) = lookup(subject, resource, name, optional == Some(true))? else {
            continue;
        };
        let mut entries: Vec<(String, String)> = Vec::new();
        for (key, value) in object["data"].as_object().into_iter().flatten() {
            entries.push((format!("{prefix}{key}"), text(resource, value)?));
        }
        entries.sort();
        for (name, value) in entries {
            set(&mut own, name, value);
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value_from, &variable.value) {
            (None, value) => {
                let known = |name: &str| own.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
                Some(expansion::expand(value.as_deref().unwrap_or_default(), known))
            }
            (Some(source), _) => from_source(subject, variable, source)?,
        };
        if let Some(value) = value {
            set(&mut own, variable.name.clone(), value);
        }
    }
    Ok(Environment { own })
}

/// What the runtime sets, the image's variables over that, and the manifest's own over both (containerd's `buildLinuxSpec`).
pub fn merged(own: &[(String, String)], subject: &Subject<'_>) -> Vec<(String, String)> {
    let mut all = vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())];
    if subject.declared.container.tty == Some(true) {
        all.push(("TERM".to_owned(), "xterm".to_owned()));
    }
    let hostname = super::sandbox::hostname(subject.pod, &subject.node.name);
    all.push(("HOSTNAME".to_owned(), hostname));
    for (name, value) in subject.image.config.env.iter().chain(own) {
        set(&mut all, name.clone(), value.clone());
    }
    all
}

fn from_source(
    subject: &Subject<'_>,
    variable: &EnvVar,
    source: &EnvVarSource,
) -> Result<Option<String>, StartFailure> {
    if let Some(field) = &source.field_ref {
        let value = field_ref::value(subject.pod, subject.node, subject.ips, &field.field_path);
        let unsupported = || config_error(format!("unsupported fieldPath: {}", field.field_path));
        return value.map(Some).ok_or_else(unsupported);
    }
    if let Some(key) = &source.file_key_ref {
        return env_file::value(subject, key);
    }
    if let Some(field) = &source.resource_field_ref {
        let node = subject
            .node
            .store
            .get(&Key::new(Resource::Nodes, "", &subject.node.name));
        let node = node.as_deref().cloned().unwrap_or(Value::Null);
        let named = field
            .container_name
            .as_deref()
            .and_then(|name| subject.pod.container(name));
        let container = &named.unwrap_or(subject.declared).container;
        return resource_field::value(container, field, &node)
            .map(Some)
            .map_err(config_error);
    }
    let (resource, name, key, optional) = match (&source.config_map_key_ref, &source.secret_key_ref) {
        (Some(map), _) => (Resource::ConfigMaps, &map.name, &map.key, map.optional),
        (None, Some(secret)) => (Resource::Secrets, &secret.name, &secret.key, secret.optional),
        (None, None) => {
            return Err(config_error(format!(
                "env {}: this kind of valueFrom is not supported by the emulator",
                variable.name
            )));
        }
    };
    let optional = optional == Some(true);
    let Some(object) = lookup(subject, resource, name, optional)? else {
        return Ok(None);
    };
    match &object["data"][key] {
        Value::Null if optional => Ok(None),
        Value::Null => {
            let place = format!("{}/{name}", subject.pod.namespace);
            Err(config_error(format!(
                "couldn't find key {key} in {} {place}",
                resource.kind()
            )))
        }
        value => text(resource, value).map(Some),
    }
}

/// The object, `None` where it is missing and optional.
fn lookup(
    subject: &Subject<'_>,
    resource: Resource,
    name: &str,
    optional: bool,
) -> Result<Option<std::sync::Arc<Value>>, StartFailure> {
    let found = subject.node.object(subject.pod, resource, name);
    if found.is_none() && !optional {
        let kind = resource.kind().to_lowercase();
        return Err(config_error(format!("{kind} {name:?} not found")));
    }
    Ok(found)
}

/// The value as text; a Secret's is base64.
fn text(resource: Resource, value: &Value) -> Result<String, StartFailure> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let value = value.as_str().unwrap_or_default();
    if resource != Resource::Secrets {
        return Ok(value.to_owned());
    }
    let bytes = BASE64_STANDARD
        .decode(value)
        .map_err(|_| config_error("a value of the Secret is not base64"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn set(variables: &mut Vec<(String, String)>, name: String, value: String) {
    match variables.iter_mut().find(|(known, _)| *known == name) {
        Some((_, old)) => *old = value,
        None => variables.push((name, value)),
    }
}
