//! What is in the files of configMap, secret, downwardAPI and projected volumes.

use base64::{Engine, prelude::BASE64_STANDARD};
use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use serde_json::Value;

use super::{
    atomic_writer::{File, Payload},
    pod_tokens::{PodTokens, Wanted},
};
use crate::{
    clock::Clock,
    container_config::{Node, field_ref, resource_field},
    kubelet::pod::Pod,
    store::{Key, Resource},
    tokens::Signer,
};

/// The mode of files whose volume says none.
const DEFAULT_MODE: i32 = 0o644;

/// What a volume's content is made from.
pub(super) struct Context<'a> {
    pub(super) pod: &'a Pod,
    pub(super) node: &'a Node,
    pub(super) clock: &'a Clock,
    pub(super) signer: &'a Signer,
    /// The tokens that pods have.
    pub(super) tokens: &'a PodTokens,
}

/// Returns whether a volume's content comes from elsewhere and can change.
pub(super) fn is_source(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.projected.is_some()
}

/// The files of a volume; `None` where its kind has no such content.
///
/// # Errors
/// What is missing, in the kubelet's words.
pub(super) fn of(context: &Context<'_>, volume: &Volume) -> Result<Option<Payload>, String> {
    let mut payload = Payload::new();
    if let Some(source) = &volume.config_map {
        let keys = Keys {
            items: source.items.as_deref(),
            mode: source.default_mode,
            optional: source.optional,
        };
        keys.add(context, Resource::ConfigMaps, &source.name, &mut payload)?;
    } else if let Some(source) = &volume.secret {
        let keys = Keys {
            items: source.items.as_deref(),
            mode: source.default_mode,
            optional: source.optional,
        };
        let name = source.secret_name.as_deref().unwrap_or_default();
        keys.add(context, Resource::Secrets, name, &mut payload)?;
    } else if let Some(source) = &volume.downward_api {
        for item in source.items.iter().flatten() {
            downward(context, item, source.default_mode, &mut payload)?;
        }
    } else if let Some(source) = &volume.projected {
        let sources = source.sources.iter().flatten();
        let failures: Vec<String> = sources
            .filter_map(|projection| project(context, projection, source.default_mode, &mut payload).err())
            .collect();
        match failures.as_slice() {
            [] => {}
            [one] => return Err(one.clone()),
            all => return Err(format!("[{}]", all.join(", "))),
        }
    } else {
        return Ok(None);
    }
    Ok(Some(payload))
}

fn project(
    context: &Context<'_>,
    projection: &VolumeProjection,
    mode: Option<i32>,
    payload: &mut Payload,
) -> Result<(), String> {
    if let Some(source) = &projection.config_map {
        let keys = Keys {
            items: source.items.as_deref(),
            mode,
            optional: source.optional,
        };
        keys.add(context, Resource::ConfigMaps, &source.name, payload)?;
    }
    if let Some(source) = &projection.secret {
        let keys = Keys {
            items: source.items.as_deref(),
            mode,
            optional: source.optional,
        };
        keys.add(context, Resource::Secrets, &source.name, payload)?;
    }
    for item in projection
        .downward_api
        .iter()
        .flat_map(|source| source.items.iter().flatten())
    {
        downward(context, item, mode, payload)?;
    }
    if let Some(source) = &projection.service_account_token {
        token(context, source, mode, payload)?;
    }
    for (field, present) in [
        ("clusterTrustBundle", projection.cluster_trust_bundle.is_some()),
        ("podCertificate", projection.pod_certificate.is_some()),
    ] {
        if present {
            return Err(format!(
                "projected sources of type {field} are not supported by the emulator"
            ));
        }
    }
    Ok(())
}

/// Keys of a ConfigMap or Secret that become files.
struct Keys<'a> {
    items: Option<&'a [KeyToPath]>,
    mode: Option<i32>,
    optional: Option<bool>,
}

impl Keys<'_> {
    fn add(&self, context: &Context<'_>, resource: Resource, name: &str, payload: &mut Payload) -> Result<(), String> {
        let optional = self.optional == Some(true);
        let Some(object) = context.node.object(context.pod, resource, name) else {
            return if optional {
                Ok(())
            } else {
                Err(format!("{} {name:?} not found", resource.kind().to_lowercase()))
            };
        };
        let content = |key: &str| content(resource, &object, key);
        match self.items {
            Some(items) if !items.is_empty() => {
                for item in items {
                    match content(&item.key) {
                        Some(data) => add(payload, &item.path, data, item.mode.or(self.mode)),
                        None if optional => {}
                        None => {
                            return Err(format!("{} key: {}", no_such(resource), item.key));
                        }
                    }
                }
            }
            _ => {
                for field in ["data", "binaryData"] {
                    for key in object[field].as_object().into_iter().flatten().map(|(key, _)| key) {
                        if let Some(data) = content(key) {
                            add(payload, key, data, self.mode);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn no_such(resource: Resource) -> &'static str {
    if resource == Resource::Secrets {
        "references non-existent secret"
    } else {
        "configmap references non-existent config"
    }
}

fn content(resource: Resource, object: &Value, key: &str) -> Option<Vec<u8>> {
    let decode = |value: &Value| BASE64_STANDARD.decode(value.as_str()?).ok();
    match resource {
        Resource::Secrets => decode(&object["data"][key]),
        _ => match object["data"][key].as_str() {
            Some(text) => Some(text.as_bytes().to_vec()),
            None => decode(&object["binaryData"][key]),
        },
    }
}

fn downward(
    context: &Context<'_>,
    item: &DownwardAPIVolumeFile,
    mode: Option<i32>,
    payload: &mut Payload,
) -> Result<(), String> {
    let text = if let Some(field) = &item.field_ref {
        // The addresses of a pod are not fields of volumes.
        field_ref::value(context.pod, context.node, &[], &field.field_path)
            .ok_or_else(|| format!("unsupported fieldPath: {}", field.field_path))?
    } else if let Some(field) = &item.resource_field_ref {
        let name = field.container_name.as_deref().unwrap_or_default();
        let declared = context
            .pod
            .container(name)
            .ok_or_else(|| format!("container {name} not found"))?;
        let node = context
            .node
            .store
            .get(&Key::new(Resource::Nodes, "", &context.node.name));
        resource_field::value(
            &declared.container,
            field,
            &node.as_deref().cloned().unwrap_or(Value::Null),
        )?
    } else {
        return Ok(());
    };
    add(payload, &item.path, text.into_bytes(), item.mode.or(mode));
    Ok(())
}

fn token(
    context: &Context<'_>,
    source: &ServiceAccountTokenProjection,
    mode: Option<i32>,
    payload: &mut Payload,
) -> Result<(), String> {
    let pod = context.pod;
    let wanted = Wanted {
        audience: source.audience.clone().filter(|audience| !audience.is_empty()),
        seconds: source.expiration_seconds.unwrap_or(3600),
    };
    let (store, now) = (&context.node.store, context.clock.now());
    let token = context.tokens.get(store, context.signer, pod, &wanted, now)?;
    let owner = user_of_all(pod);
    let group = pod.spec.security_context.as_ref().and_then(|context| context.fs_group);
    // Whoever it belongs to may read it, nobody else.
    let mode = if owner.is_some() || group.is_some() {
        0o600
    } else {
        mode.unwrap_or(DEFAULT_MODE)
    };
    payload.insert(
        source.path.clone(),
        File {
            data: token.into_bytes(),
            mode: mode as u32,
            owner,
        },
    );
    Ok(())
}

/// The user that every container runs as, where all say the same one (`pkg/volume/util`, `FsUserFrom`).
fn user_of_all(pod: &Pod) -> Option<u32> {
    let of_pod = pod
        .spec
        .security_context
        .as_ref()
        .and_then(|context| context.run_as_user);
    let containers = pod.spec.init_containers.iter().flatten().chain(&pod.spec.containers);
    let mut users = containers.map(|container| {
        let own = container
            .security_context
            .as_ref()
            .and_then(|context| context.run_as_user);
        own.or(of_pod)
    });
    let first = users.next()??;
    users
        .all(|user| user == Some(first))
        .then(|| u32::try_from(first).ok())?
}

fn add(payload: &mut Payload, path: &str, data: Vec<u8>, mode: Option<i32>) {
    let mode = u32::try_from(mode.unwrap_or(DEFAULT_MODE)).unwrap_or(0o644);
    payload.insert(
        path.to_owned(),
        File {
            data,
            mode,
            owner: None,
        },
    );
}
