//! The node of a simulated life: configurations from the scenario's objects, probes and hooks as it assumes.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{LifecycleHandler, Probe, Volume};

use super::scenario::{Behaviour, Scenario};
use crate::{
    clock::Clock,
    container_config::{Node, Subject, env, resources, sandbox},
    host_ports::HostPorts,
    kubelet::{
        edges::{Aim, Edges, Outcome, Start, VolumeFailure, VolumePaths},
        eviction::StorageUsed,
        pod::{Declared, Pod},
        pressure::Observations,
        start_failure::StartFailure,
    },
    runtime::{
        ContainerConfig, ContainerStatus, PodRef, PodStatus, Resources, Runtime, SandboxConfig,
        scripted::{ScriptedRuntime, played},
    },
    store::{Key, Resource},
};

/// Answers as the scenario assumes.
pub(super) struct SimulatedEdges {
    pub(super) scenario: Arc<Scenario>,
    pub(super) node: Node,
    pub(super) clock: Clock,
    pub(super) runtime: ScriptedRuntime,
}

impl SimulatedEdges {
    fn behaviour(&self, container: &str) -> Behaviour {
        self.scenario.containers.get(container).cloned().unwrap_or_default()
    }

    /// Which run it is, and for how long it has been running.
    async fn progress(&self, aim: &Aim<'_>) -> Option<(u32, Duration)> {
        let status = self.runtime.pod_status(&aim.pod.reference()).await.ok()?;
        let running = status.containers.iter().find(|container| container.id == *aim.id)?;
        let passed = self.clock.now().duration_since(running.started_at?);
        Some((
            running.attempt,
            Duration::try_from(passed.max(SignedDuration::ZERO)).ok()?,
        ))
    }

    /// What a volume refers to that is not there (`pkg/volume/configmap`, `pkg/volume/secret`).
    fn missing(&self, pod: &Pod, volume: &Volume) -> Option<String> {
        let is_there = |resource, name: &str| self.node.store.get(&Key::new(resource, &pod.namespace, name)).is_some();
        if let Some(map) = volume.config_map.as_ref().filter(|map| map.optional != Some(true))
            && !is_there(Resource::ConfigMaps, &map.name)
        {
            return Some(format!("configmap {:?} not found", map.name));
        }
        let secret = volume.secret.as_ref().filter(|secret| secret.optional != Some(true));
        let name = secret.and_then(|secret| secret.secret_name.as_deref())?;
        (!is_there(Resource::Secrets, name)).then(|| format!("secret {name:?} not found"))
    }
}

#[async_trait]
impl Edges for SimulatedEdges {
    fn sandbox_config(&self, pod: &Pod, attempt: u32) -> SandboxConfig {
        sandbox::sandbox_config(pod, &self.node, attempt)
    }

    async fn bind_ports(&self, _: &Pod) -> Result<HostPorts, String> {
        Ok(HostPorts::none())
    }

    fn pod_resources(&self, pod: &Pod) -> Resources {
        resources::of_pod(pod)
    }

    fn resources(&self, pod: &Pod, declared: &Declared) -> Resources {
        resources::of(&self.node, pod, &declared.container)
    }

    async fn container_config(&self, start: Start<'_>) -> Result<ContainerConfig, StartFailure> {
        let environment = env::environment(&Subject {
            node: &self.node,
            pod: start.pod,
            declared: start.declared,
            image: start.image,
            attempt: start.attempt,
            volumes: start.volumes,
            image_volumes: start.image_volumes,
            ips: start.ips,
            target: start.target.clone(),
        })?;
        Ok(ContainerConfig {
            env: environment.own,
            ..played(start)
        })
    }

    async fn set_up_volumes(&self, pod: &Pod) -> Result<VolumePaths, Vec<VolumeFailure>> {
        VolumeFailure::all_or_paths(pod.spec.volumes.iter().flatten().map(|volume| {
            let path = Path::new("/").join(&volume.name);
            (volume, self.missing(pod, volume).map_or(Ok(path), Err))
        }))
    }

    async fn tear_down(&self, _: &PodRef) {}

    async fn forget(&self, _: &PodRef) {}

    async fn storage(&self, _: &Pod, _: &PodStatus) -> StorageUsed {
        StorageUsed::default()
    }

    async fn observe_node(&self) -> Observations {
        Observations::default()
    }

    async fn memory(&self, _: &PodStatus) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }

    async fn probe(&self, aim: Aim<'_>, probe: &Probe) -> Outcome {
        let Some((attempt, passed)) = self.progress(&aim).await else {
            return Outcome::Failure("the container has ended".to_owned());
        };
        let run = self.behaviour(aim.declared.name()).run(attempt);
        if passed < run.starts_after {
            return Outcome::Failure("assumed: it is still starting".to_owned());
        }
        if run.hangs_after.is_some_and(|hangs| passed >= hangs) {
            return Outcome::Failure("assumed: it hangs".to_owned());
        }
        // The same check under two names has one answer.
        let readiness = aim.declared.container.readiness_probe.as_ref();
        if passed < run.ready_after && readiness.is_some_and(|readiness| is_same_check(readiness, probe)) {
            return Outcome::Failure("assumed: it is not ready yet".to_owned());
        }
        Outcome::Success
    }

    async fn hook(
        &self,
        aim: Aim<'_>,
        handler: &LifecycleHandler,
        timeout: Option<Duration>,
    ) -> Result<Option<String>, String> {
        let behaviour = self.behaviour(aim.declared.name());
        let lifecycle = aim.declared.container.lifecycle.as_ref();
        let is_post_start = lifecycle.and_then(|all| all.post_start.as_ref()) == Some(handler);
        let takes = match (&handler.sleep, is_post_start) {
            (Some(sleep), _) => Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0)),
            (None, true) => behaviour.post_start,
            (None, false) => behaviour.pre_stop,
        };
        tokio::time::sleep(timeout.map_or(takes, |timeout| takes.min(timeout))).await;
        if is_post_start && behaviour.post_start_fails {
            return Err("assumed: it fails".to_owned());
        }
        Ok(None)
    }

    async fn termination_message(&self, _: &Pod, _: &Declared, _: &ContainerStatus) -> String {
        String::new()
    }
}

/// Whether two probes ask the same of the container.
fn is_same_check(one: &Probe, other: &Probe) -> bool {
    (&one.exec, &one.http_get, &one.tcp_socket, &one.grpc)
        == (&other.exec, &other.http_get, &other.tcp_socket, &other.grpc)
}
