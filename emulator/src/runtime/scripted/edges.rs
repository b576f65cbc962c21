//! The node of a scripted life: volumes are always there, probes and hooks answer as the script says.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{LifecycleHandler, Probe};
use tokio::time::Instant;

use super::played::played;
use crate::{
    host_ports::HostPorts,
    kubelet::{
        edges::{Aim, Edges, Outcome, Start, VolumeFailure, VolumePaths},
        eviction::StorageUsed,
        pod::{Declared, Pod},
        pressure::Observations,
        start_failure::StartFailure,
    },
    runtime::{ContainerConfig, ContainerStatus, PodRef, PodStatus, Resources, SandboxConfig},
};

/// When a probe's answer changes: from `Duration` after the start of the run on, it is this.
type Answers = Vec<(Duration, Outcome)>;

/// When volumes were refreshed, since the start of the run.
pub type Refreshes = Arc<Mutex<Vec<Duration>>>;

/// Answers as it was told to.
pub struct ScriptedEdges {
    began: Instant,
    probes: HashMap<String, Answers>,
    hooks: HashMap<String, (Duration, Result<(), String>)>,
    volume_failures: Mutex<VecDeque<VolumeFailure>>,
    refresh_failures: Mutex<VecDeque<VolumeFailure>>,
    refreshes: Refreshes,
    renewals: Mutex<VecDeque<Timestamp>>,
    bad_configs: HashMap<String, StartFailure>,
    storage: Vec<(Duration, StorageUsed)>,
    memory: HashMap<String, u64>,
    observations: Vec<(Duration, Observations)>,
}

impl Default for ScriptedEdges {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            probes: HashMap::new(),
            hooks: HashMap::new(),
            volume_failures: Mutex::default(),
            refresh_failures: Mutex::default(),
            refreshes: Refreshes::default(),
            renewals: Mutex::default(),
            bad_configs: HashMap::new(),
            storage: Vec::new(),
            memory: HashMap::new(),
            observations: Vec::new(),
        }
    }
}

impl ScriptedEdges {
    /// The probe whose exec command (its first word) is `name` answers like this, from these moments on.
    #[must_use]
    pub fn probe(mut self, name: &str, answers: impl IntoIterator<Item = (u64, Outcome)>) -> Self {
        let answers = answers
            .into_iter()
            .map(|(second, outcome)| (Duration::from_secs(second), outcome));
        self.probes.insert(name.to_owned(), answers.collect());
        self
    }

    /// The hook whose exec command (its first word) is `name` takes so many seconds and ends like this.
    #[must_use]
    pub fn hook(mut self, name: &str, seconds: u64, outcome: Result<(), String>) -> Self {
        self.hooks
            .insert(name.to_owned(), (Duration::from_secs(seconds), outcome));
        self
    }

    /// The next attempts to set up volumes fail like this.
    #[must_use]
    pub fn volume_failures(self, failures: impl IntoIterator<Item = VolumeFailure>) -> Self {
        Self {
            volume_failures: Mutex::new(failures.into_iter().collect()),
            ..self
        }
    }

    /// The next attempts to refresh volumes fail like this.
    #[must_use]
    pub fn refresh_failures(self, failures: impl IntoIterator<Item = VolumeFailure>) -> Self {
        Self {
            refresh_failures: Mutex::new(failures.into_iter().collect()),
            ..self
        }
    }

    /// A token is to be renewed at each of these moments, each by one refresh.
    #[must_use]
    pub fn renewals(self, moments: impl IntoIterator<Item = Timestamp>) -> Self {
        Self {
            renewals: Mutex::new(moments.into_iter().collect()),
            ..self
        }
    }

    /// Returns where the refreshes are recorded.
    pub fn refreshes(&self) -> Refreshes {
        self.refreshes.clone()
    }

    /// From that second on the pod has this on the disk.
    #[must_use]
    pub fn storage(mut self, second: u64, used: StorageUsed) -> Self {
        self.storage.push((Duration::from_secs(second), used));
        self
    }

    /// A container of that name uses so many bytes of memory.
    #[must_use]
    pub fn memory(mut self, container: &str, bytes: u64) -> Self {
        self.memory.insert(container.to_owned(), bytes);
        self
    }

    /// From that second on this is left of the node.
    #[must_use]
    pub fn observed(mut self, second: u64, left: Observations) -> Self {
        self.observations.push((Duration::from_secs(second), left));
        self
    }

    /// No configuration can be made for that container.
    #[must_use]
    pub fn bad_config(mut self, container: &str, failure: StartFailure) -> Self {
        self.bad_configs.insert(container.to_owned(), failure);
        self
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Edges for ScriptedEdges {
    fn sandbox_config(&self, pod: &Pod, attempt: u32) -> SandboxConfig {
        SandboxConfig {
            pod: pod.reference(),
            attempt,
            hostname: pod.name.clone(),
            host_network: pod.host_network(),
            host_pid: false,
            host_ipc: false,
            share_process_namespace: false,
            user_namespace: false,
            sysctls: BTreeMap::new(),
            resources: Resources::default(),
        }
    }

    async fn bind_ports(&self, _: &Pod) -> Result<HostPorts, String> {
        Ok(HostPorts::none())
    }

    fn pod_resources(&self, _: &Pod) -> Resources {
        Resources::default()
    }

    fn resources(&self, _: &Pod, _: &Declared) -> Resources {
        Resources::default()
    }

    async fn container_config(&self, start: Start<'_>) -> Result<ContainerConfig, StartFailure> {
        if let Some(failure) = self.bad_configs.get(start.declared.name()) {
            return Err(failure.clone());
        }
        Ok(played(start))
    }

    async fn set_up_volumes(&self, _: &Pod) -> Result<VolumePaths, Vec<VolumeFailure>> {
        match locked(&self.volume_failures).pop_front() {
            Some(failure) => Err(vec![failure]),
            None => Ok(VolumePaths::new()),
        }
    }

    async fn refresh_volumes(&self, _: &Pod) -> Vec<VolumeFailure> {
        locked(&self.refreshes).push(self.began.elapsed());
        locked(&self.renewals).pop_front();
        locked(&self.refresh_failures).pop_front().into_iter().collect()
    }

    fn next_renewal(&self, _: &Pod) -> Option<Timestamp> {
        locked(&self.renewals).front().copied()
    }

    async fn tear_down(&self, _: &PodRef) {}

    async fn forget(&self, _: &PodRef) {}

    async fn storage(&self, _: &Pod, _: &PodStatus) -> StorageUsed {
        let passed = self.began.elapsed();
        let current = self.storage.iter().rev().find(|(from, _)| *from <= passed);
        current.map(|(_, used)| used.clone()).unwrap_or_default()
    }

    async fn observe_node(&self) -> Observations {
        let passed = self.began.elapsed();
        let current = self.observations.iter().rev().find(|(from, _)| *from <= passed);
        current.map(|(_, observed)| *observed).unwrap_or_default()
    }

    async fn memory(&self, status: &PodStatus) -> BTreeMap<String, u64> {
        let names = status.containers.iter().map(|container| container.name.clone());
        names
            .filter_map(|name| Some((name.clone(), *self.memory.get(&name)?)))
            .collect()
    }

    async fn probe(&self, _: Aim<'_>, probe: &Probe) -> Outcome {
        let command = probe
            .exec
            .as_ref()
            .and_then(|exec| exec.command.as_ref())
            .and_then(|command| command.first());
        let answers = command.and_then(|command| self.probes.get(command));
        let passed = self.began.elapsed();
        let current = answers.and_then(|answers| answers.iter().rev().find(|(from, _)| *from <= passed));
        current.map_or(Outcome::Success, |(_, outcome)| outcome.clone())
    }

    async fn hook(
        &self,
        _: Aim<'_>,
        handler: &LifecycleHandler,
        _: Option<Duration>,
    ) -> Result<Option<String>, String> {
        let command = handler
            .exec
            .as_ref()
            .and_then(|exec| exec.command.as_ref())
            .and_then(|command| command.first());
        let Some((takes, outcome)) = command.and_then(|command| self.hooks.get(command)) else {
            return Ok(None);
        };
        tokio::time::sleep(*takes).await;
        outcome.clone().map(|()| None)
    }

    async fn termination_message(&self, _: &Pod, _: &Declared, _: &ContainerStatus) -> String {
        String::new()
    }
}
