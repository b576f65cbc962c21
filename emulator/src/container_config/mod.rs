//! What a container is made from: the pod's spec, its image and what it refers to, worked out to the last detail.
//!
//! Nothing here starts or mounts anything but the files that the kubelet itself writes for a container
//! (`files`, `sub_path`, `image_volume`); the rest is computed.

pub mod env;
mod env_file;
pub mod expansion;
pub mod field_ref;
pub mod files;
mod image_volume;
pub mod immutable_objects;
mod inside;
pub mod mounts;
mod quoted;
pub mod resolv_conf;
pub mod resource_field;
pub mod resources;
pub mod sandbox;
pub mod security;
pub mod sub_path;
pub mod user;

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc};

use serde_json::Value;

use self::immutable_objects::ImmutableObjects;
use crate::{
    image::Image,
    kubelet::{
        edges::VolumePaths,
        pod::{Declared, Pod},
        start_failure::StartFailure,
    },
    pod_ids::PodIds,
    runtime::{ContainerConfig, ContainerId},
    store::{Key, Resource, Store},
};

/// What the node adds to every container.
#[derive(Clone)]
pub struct Node {
    /// `metadata.name` of the node.
    pub name: String,
    /// Its addresses as pods see them.
    pub ips: Vec<IpAddr>,
    /// Where the ConfigMaps and Secrets are, and the node object.
    pub store: Store,
    /// Which of those pods have that can't change.
    pub immutable: ImmutableObjects,
    /// Where pods' logs go: `DATA/pods`.
    pub logs: PathBuf,
    /// Where pods' volumes and files are: `DATA/volumes`.
    pub volumes: PathBuf,
}

impl Node {
    /// Returns a ConfigMap or Secret of the pod's namespace as the pod gets it.
    pub fn object(&self, pod: &Pod, resource: Resource, name: &str) -> Option<Arc<Value>> {
        let key = Key::new(resource, pod.namespace.as_str(), name);
        self.immutable.get(&self.store, &pod.uid, &key)
    }

    /// The folder of one pod's logs, named as on every node: `NAMESPACE_NAME_UID`.
    pub fn pod_logs(&self, pod: &Pod) -> PathBuf {
        self.logs.join(format!("{}_{}_{}", pod.namespace, pod.name, pod.uid))
    }

    /// The folder of one pod's volumes and files.
    pub fn pod_files(&self, uid: &str) -> PathBuf {
        self.volumes.join(uid)
    }
}

/// One container that is about to be made.
pub struct Subject<'a> {
    /// Its node.
    pub node: &'a Node,
    /// Its pod.
    pub pod: &'a Pod,
    /// Its part of the spec.
    pub declared: &'a Declared,
    /// Its image.
    pub image: &'a Image,
    /// Its restart count.
    pub attempt: u32,
    /// Where the pod's volumes are.
    pub volumes: &'a VolumePaths,
    /// Those of its volumes that are images, by the volume's name.
    pub image_volumes: &'a BTreeMap<String, Image>,
    /// The pod's addresses.
    pub ips: &'a [IpAddr],
    /// The container whose process namespace it joins.
    pub target: Option<ContainerId>,
}

impl Subject<'_> {
    /// What the users of a pod with a user namespace of its own are on the machine.
    fn ids(&self) -> Option<PodIds> {
        let own = self.pod.spec.host_users == Some(false);
        self.ips.iter().find_map(|ip| match ip {
            IpAddr::V4(address) if own => Some(PodIds::of(*address)),
            _ => None,
        })
    }
}

/// The Waiting reason of whatever can't be worked out here.
pub const CONFIG_ERROR: &str = "CreateContainerConfigError";

pub(super) fn config_error(message: impl Into<String>) -> StartFailure {
    StartFailure::new(CONFIG_ERROR, message)
}

/// Works out everything that the runtime needs (`kuberuntime_container.go`, `generateContainerConfig`).
///
/// # Errors
/// What is missing or contradicts itself, with the container's Waiting reason.
pub fn container_config(subject: &Subject<'_>) -> Result<ContainerConfig, StartFailure> {
    let container = &subject.declared.container;
    let env = env::environment(subject)?;
    let lookup = |name: &str| {
        env.own
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let expand = |words: Option<&Vec<String>>| -> Vec<String> {
        words
            .into_iter()
            .flatten()
            .map(|word| expansion::expand(word, lookup))
            .collect()
    };
    let command = argv(
        &expand(container.command.as_ref()),
        &expand(container.args.as_ref()),
        subject.image,
    )?;
    let user = user::resolve(subject)?;
    let working_dir = match container.working_dir.as_deref().filter(|dir| !dir.is_empty()) {
        Some(dir) => dir,
        None if subject.image.config.working_dir.is_empty() => "/",
        None => &subject.image.config.working_dir,
    };
    let log_folder = subject.node.pod_logs(subject.pod).join(&container.name);
    Ok(ContainerConfig {
        name: container.name.clone(),
        attempt: subject.attempt,
        image: subject.image.clone(),
        declared_image: subject.declared.image().to_owned(),
        command,
        working_dir: PathBuf::from(working_dir),
        mounts: mounts::mounts(subject, lookup)?,
        env: env::merged(&env.own, subject),
        security: security::security(subject)?,
        resources: resources::of_container(subject),
        user,
        stdin: container.stdin == Some(true),
        stdin_once: container.stdin_once == Some(true),
        tty: container.tty == Some(true),
        stop_signal: stop_signal(subject),
        log_path: log_folder.join(format!("{}.log", subject.attempt)),
        target: subject.target.clone(),
    })
}

/// Image and manifest merged: a command replaces the image's entrypoint and its arguments too.
fn argv(command: &[String], args: &[String], image: &Image) -> Result<Vec<String>, StartFailure> {
    let config = &image.config;
    let (program, arguments) = match (command.is_empty(), args.is_empty()) {
        (true, true) => (&config.entrypoint[..], &config.cmd[..]),
        (true, false) => (&config.entrypoint[..], args),
        (false, _) => (command, args),
    };
    let argv = [program, arguments].concat();
    if argv.is_empty() {
        let message = "failed to generate container spec: failed to generate spec: no command specified";
        return Err(StartFailure::new("CreateContainerError", message));
    }
    Ok(argv)
}

fn stop_signal(subject: &Subject<'_>) -> String {
    let of_lifecycle = subject
        .declared
        .container
        .lifecycle
        .as_ref()
        .and_then(|hooks| hooks.stop_signal.clone());
    of_lifecycle
        .or_else(|| subject.image.config.stop_signal.clone())
        .unwrap_or_else(|| "SIGTERM".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{ImageConfig, Root};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_command_replaces_what_the_image_runs() {
        let image = Image {
            id: String::new(),
            reference: String::new(),
            size: 0,
            config: ImageConfig {
                entrypoint: words("/entry"),
                cmd: words("serve"),
                ..ImageConfig::default()
            },
            root: Root::Host,
        };
        assert_eq!(argv(&[], &[], &image).unwrap(), words("/entry serve"));
        assert_eq!(argv(&[], &words("-v"), &image).unwrap(), words("/entry -v"));
        assert_eq!(argv(&words("sh"), &[], &image).unwrap(), words("sh"));
        assert_eq!(argv(&words("sh"), &words("-c ls"), &image).unwrap(), words("sh -c ls"));
        let empty = Image {
            config: ImageConfig::default(),
            ..image
        };
        assert_eq!(argv(&[], &[], &empty).unwrap_err().reason, "CreateContainerError");
    }
}
