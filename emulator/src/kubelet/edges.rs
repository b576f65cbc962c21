//! What a worker asks of the node besides its runtime and images: configurations, volumes, probes, hooks.
//!
//! Behind a trait, so that whole lives of pods can be played without a machine.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{LifecycleHandler, Probe, Volume};

use super::{
    eviction::StorageUsed,
    pod::{Declared, Pod},
    pressure::Observations,
    start_failure::StartFailure,
};
use crate::{
    host_ports::HostPorts,
    image::Image,
    runtime::{ContainerConfig, ContainerId, ContainerStatus, PodRef, PodStatus, Resources, SandboxConfig},
};

/// Where each volume of a pod is on the node.
pub type VolumePaths = BTreeMap<String, PathBuf>;

/// A volume could not be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MountVolume.SetUp failed for volume {volume:?} : {message}")]
pub struct VolumeFailure {
    /// `spec.volumes[].name`.
    pub volume: String,
    /// Why.
    pub message: String,
}

impl VolumeFailure {
    /// Where each volume came to be, or every failure.
    ///
    /// # Errors
    /// The failures.
    pub fn all_or_paths<'a>(
        made: impl Iterator<Item = (&'a Volume, Result<PathBuf, String>)>,
    ) -> Result<VolumePaths, Vec<Self>> {
        let (mut paths, mut failures) = (VolumePaths::new(), Vec::new());
        for (volume, outcome) in made {
            let volume = volume.name.clone();
            match outcome {
                Ok(path) => drop(paths.insert(volume, path)),
                Err(message) => failures.push(Self { volume, message }),
            }
        }
        if failures.is_empty() { Ok(paths) } else { Err(failures) }
    }
}

/// The outcome of one run of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Success,
    /// It succeeded, with something to say.
    Warning(String),
    /// It failed; its output.
    Failure(String),
    /// It could not be run, or not to its end: what it is taken for all the same (`unknown`, `failure`), and why. It does
    /// not count.
    Errored(&'static str, String),
}

/// What one container is started with.
pub struct Start<'a> {
    /// Its pod.
    pub pod: &'a Pod,
    /// Its part of the spec.
    pub declared: &'a Declared,
    /// Its image.
    pub image: &'a Image,
    /// Its restart count.
    pub attempt: u32,
    /// The pod's volumes.
    pub volumes: &'a VolumePaths,
    /// Those that it mounts and that are images.
    pub image_volumes: &'a BTreeMap<String, Image>,
    /// The pod's addresses.
    pub ips: &'a [IpAddr],
    /// The container whose namespaces an ephemeral container joins.
    pub target: Option<ContainerId>,
}

/// A running container that a probe or a hook goes to.
pub struct Aim<'a> {
    /// Its pod.
    pub pod: &'a Pod,
    /// Its part of the spec.
    pub declared: &'a Declared,
    /// Which instance.
    pub id: &'a ContainerId,
    /// The pod's address.
    pub ip: Option<IpAddr>,
}

/// The node around the runtime.
#[async_trait]
pub trait Edges: Send + Sync + 'static {
    /// What the pod's sandbox is made from.
    fn sandbox_config(&self, pod: &Pod, attempt: u32) -> SandboxConfig;

    /// What there is no room for in the pod's DNS configuration, a sentence each.
    fn omitted_dns(&self, _: &Pod) -> Vec<String> {
        Vec::new()
    }

    /// Takes the ports of the node that lead to a pod.
    async fn bind_ports(&self, pod: &Pod) -> Result<HostPorts, String>;

    /// The limits of a pod as a whole.
    fn pod_resources(&self, pod: &Pod) -> Resources;

    /// The limits of a container.
    fn resources(&self, pod: &Pod, declared: &Declared) -> Resources;

    /// What a container is made from.
    async fn container_config(&self, start: Start<'_>) -> Result<ContainerConfig, StartFailure>;

    /// Makes the pod's volumes; one that fails does not keep the others from being made.
    async fn set_up_volumes(&self, pod: &Pod) -> Result<VolumePaths, Vec<VolumeFailure>>;

    /// Brings the content of the pod's volumes up to date. Returns the volumes that can't be; they keep what they have.
    async fn refresh_volumes(&self, _: &Pod) -> Vec<VolumeFailure> {
        Vec::new()
    }

    /// Returns when something in the pod's volumes expires and is to be renewed, if anything does.
    fn next_renewal(&self, _: &Pod) -> Option<Timestamp> {
        None
    }

    /// Removes the volumes of a pod that is over.
    async fn tear_down(&self, pod: &PodRef);

    /// Removes everything else of a pod whose object is gone: its logs.
    async fn forget(&self, pod: &PodRef);

    /// What a pod has put onto the disk.
    async fn storage(&self, pod: &Pod, status: &PodStatus) -> StorageUsed;

    /// What is left of the node's resources.
    async fn observe_node(&self) -> Observations;

    /// The memory that each container uses, by its name, in bytes.
    async fn memory(&self, status: &PodStatus) -> BTreeMap<String, u64>;

    /// The same with the files that they have read.
    async fn memory_with_files(&self, status: &PodStatus) -> BTreeMap<String, u64> {
        self.memory(status).await
    }

    /// Runs a probe once.
    async fn probe(&self, aim: Aim<'_>, probe: &Probe) -> Outcome;

    /// Runs a lifecycle hook; gives a warning where one is due. The error is what a container's status says.
    async fn hook(
        &self,
        aim: Aim<'_>,
        handler: &LifecycleHandler,
        timeout: Option<Duration>,
    ) -> Result<Option<String>, String>;

    /// What a container that has ended left behind as its message.
    async fn termination_message(&self, pod: &Pod, declared: &Declared, ended: &ContainerStatus) -> String;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_volume_that_fails_is_told() {
        let volumes: Vec<Volume> = ["a", "b", "c"]
            .map(|name| Volume {
                name: name.to_owned(),
                ..Volume::default()
            })
            .into();
        let made = |volume: &Volume| match volume.name.as_str() {
            "b" => Ok(PathBuf::from("/b")),
            name => Err(format!("no {name}")),
        };
        let failures = VolumeFailure::all_or_paths(volumes.iter().map(|volume| (volume, made(volume)))).unwrap_err();
        let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "MountVolume.SetUp failed for volume \"a\" : no a",
                "MountVolume.SetUp failed for volume \"c\" : no c"
            ]
        );
        let paths = VolumeFailure::all_or_paths(volumes[1..2].iter().map(|volume| (volume, made(volume)))).unwrap();
        assert_eq!(paths["b"], PathBuf::from("/b"));
    }
}
