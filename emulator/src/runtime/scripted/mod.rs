//! A runtime that plays a script in virtual time: nothing runs, everything happens when the script says.
//!
//! Hours pass in milliseconds under tokio's paused clock, so that the whole life of a pod can be tried.

mod edges;
mod images;
mod played;
mod script;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::{broadcast, watch};

pub(crate) use self::played::played;
pub use self::{
    edges::{Refreshes, ScriptedEdges},
    images::ScriptedImages,
    script::{Play, Script, Termination},
};
use super::{
    ContainerConfig, ContainerId, ContainerState, ContainerStatus, ExecResult, PodRef, PodStatus, Resources, Runtime,
    RuntimeError, RuntimeEvent, SandboxConfig, SandboxId, SandboxStatus, Session, StreamRequest, Usage,
};
use crate::clock::Clock;

/// Plays a script.
#[derive(Clone)]
pub struct ScriptedRuntime {
    script: Arc<Script>,
    clock: Clock,
    state: Arc<Mutex<State>>,
    events: broadcast::Sender<RuntimeEvent>,
    ids: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    pods: HashMap<PodRef, PodStatus>,
    ended: HashMap<ContainerId, watch::Sender<bool>>,
}

impl ScriptedRuntime {
    /// A runtime in which nothing has happened yet.
    pub fn new(script: Script, clock: Clock) -> Self {
        Self {
            script: Arc::new(script),
            clock,
            state: Arc::default(),
            events: broadcast::Sender::new(256),
            ids: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self) -> String {
        format!("{:064x}", self.ids.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn tell(&self, pod: &PodRef) {
        // Without listeners nobody needs to know.
        drop(self.events.send(RuntimeEvent { pod: pod.clone() }));
    }

    /// The container, to change it; its pod is told.
    fn change<T>(&self, id: &ContainerId, change: impl FnOnce(&mut ContainerStatus) -> T) -> Result<T, RuntimeError> {
        let mut state = self.lock();
        let found = state.pods.iter_mut().find_map(|(pod, status)| {
            let container = status.containers.iter_mut().find(|container| container.id == *id)?;
            Some((pod.clone(), container))
        });
        let Some((pod, container)) = found else {
            return Err(RuntimeError::NotFound(id.0.clone()));
        };
        let result = change(container);
        drop(state);
        self.tell(&pod);
        Ok(result)
    }

    /// Ends a container, once.
    fn end(&self, id: &ContainerId, termination: &Termination) {
        let now = self.clock.now();
        let ended = self.change(id, |container| {
            if container.state != ContainerState::Running {
                return;
            }
            container.state = ContainerState::Exited;
            container.finished_at = Some(now);
            container.exit_code = Some(termination.code);
            container.reason.clone_from(&termination.reason);
        });
        // A container that was removed meanwhile has no end to tell of.
        drop(ended);
        if let Some(ended) = self.lock().ended.get(id) {
            ended.send_replace(true);
        }
    }

    /// Loses a container, as a crash of the runtime would.
    pub fn lose(&self, id: &ContainerId) {
        // One that is gone already can't be lost.
        drop(self.change(id, |container| container.state = ContainerState::Unknown));
    }

    /// Loses every sandbox, as the end of its pause process would; what runs in it goes on.
    pub fn lose_sandboxes(&self) {
        let mut pods = Vec::new();
        for (pod, status) in &mut self.lock().pods {
            for sandbox in &mut status.sandboxes {
                sandbox.ready = false;
            }
            pods.push(pod.clone());
        }
        pods.iter().for_each(|pod| self.tell(pod));
    }

    /// Every instance of a container so far that is still known, newest first.
    pub fn instances(&self, name: &str) -> Vec<ContainerStatus> {
        let state = self.lock();
        let all = state.pods.values().flat_map(|pod| pod.containers.clone());
        all.filter(|container| container.name == name).collect()
    }
}

#[async_trait]
impl Runtime for ScriptedRuntime {
    fn name(&self) -> (&'static str, &'static str) {
        ("scripted", env!("CARGO_PKG_VERSION"))
    }

    fn subscribe(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.events.subscribe()
    }

    async fn pods(&self) -> Result<Vec<(PodRef, PodStatus)>, RuntimeError> {
        let state = self.lock();
        Ok(state
            .pods
            .iter()
            .map(|(pod, status)| (pod.clone(), status.clone()))
            .collect())
    }

    async fn pod_status(&self, pod: &PodRef) -> Result<PodStatus, RuntimeError> {
        Ok(self.lock().pods.get(pod).cloned().unwrap_or_default())
    }

    async fn run_sandbox(&self, config: &SandboxConfig) -> Result<SandboxId, RuntimeError> {
        let id = SandboxId(self.id());
        let sandbox = SandboxStatus {
            id: id.clone(),
            pod: config.pod.clone(),
            attempt: config.attempt,
            ready: true,
            created_at: self.clock.now(),
            ips: vec![IpAddr::V4(Ipv4Addr::new(10, 88, 0, 2))],
        };
        self.lock()
            .pods
            .entry(config.pod.clone())
            .or_default()
            .sandboxes
            .insert(0, sandbox);
        self.tell(&config.pod);
        Ok(id)
    }

    async fn stop_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        let running: Vec<ContainerId> = {
            let mut state = self.lock();
            let found = state
                .pods
                .values_mut()
                .find(|pod| pod.sandboxes.iter().any(|sandbox| sandbox.id == *id));
            let Some(pod) = found else { return Ok(()) };
            for sandbox in pod.sandboxes.iter_mut().filter(|sandbox| sandbox.id == *id) {
                sandbox.ready = false;
            }
            let inside = pod.containers.iter().filter(|container| container.sandbox == *id);
            inside.map(|container| container.id.clone()).collect()
        };
        for container in &running {
            self.end(container, &Termination::signal(9));
        }
        Ok(())
    }

    async fn remove_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        let mut state = self.lock();
        for pod in state.pods.values_mut() {
            pod.sandboxes.retain(|sandbox| sandbox.id != *id);
            pod.containers.retain(|container| container.sandbox != *id);
        }
        state
            .pods
            .retain(|_, pod| !pod.sandboxes.is_empty() || !pod.containers.is_empty());
        Ok(())
    }

    async fn create_container(
        &self,
        sandbox: &SandboxId,
        config: &ContainerConfig,
    ) -> Result<ContainerId, RuntimeError> {
        let id = ContainerId(self.id());
        let status = ContainerStatus {
            id: id.clone(),
            sandbox: sandbox.clone(),
            name: config.name.clone(),
            attempt: config.attempt,
            state: ContainerState::Created,
            created_at: self.clock.now(),
            started_at: None,
            finished_at: None,
            exit_code: None,
            reason: String::new(),
            message: String::new(),
            image: config.image.reference.clone(),
            image_id: config.image.id.clone(),
            declared_image: config.declared_image.clone(),
            user: config.user.clone(),
            log_path: config.log_path.clone(),
        };
        let mut state = self.lock();
        let found = state
            .pods
            .iter_mut()
            .find(|(_, pod)| pod.sandboxes.iter().any(|known| known.id == *sandbox));
        let Some((pod, known)) = found.map(|(pod, known)| (pod.clone(), known)) else {
            return Err(RuntimeError::NotFound(sandbox.0.clone()));
        };
        known.containers.insert(0, status);
        state.ended.insert(id.clone(), watch::Sender::new(false));
        drop(state);
        self.tell(&pod);
        Ok(id)
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let now = self.clock.now();
        let (name, attempt) = self.change(id, |container| (container.name.clone(), container.attempt))?;
        match self.script.play(&name, attempt) {
            Play::FailsToStart(error) => {
                self.change(id, |container| {
                    container.state = ContainerState::Exited;
                    container.finished_at = Some(now);
                    container.exit_code = Some(128);
                    container.reason = "StartError".to_owned();
                    container.message.clone_from(&error);
                })?;
                Err(RuntimeError::Failed(error))
            }
            Play::Runs { lasts, termination, .. } => {
                self.change(id, |container| {
                    container.state = ContainerState::Running;
                    container.started_at = Some(now);
                })?;
                if let Some(lasts) = lasts {
                    let (runtime, id) = (self.clone(), id.clone());
                    tokio::spawn(async move {
                        tokio::time::sleep(lasts).await;
                        runtime.end(&id, &termination);
                    });
                }
                Ok(())
            }
        }
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let (name, attempt, state) = self.change(id, |container| {
            (container.name.clone(), container.attempt, container.state)
        })?;
        if state != ContainerState::Running {
            return Ok(());
        }
        let on_term = match self.script.play(&name, attempt) {
            Play::Runs { on_term, .. } => on_term,
            Play::FailsToStart(_) => None,
        };
        let Some(mut ended) = self.lock().ended.get(id).map(watch::Sender::subscribe) else {
            return Ok(());
        };
        let obeys = on_term.filter(|(after, _)| *after < grace);
        let wait = obeys.as_ref().map_or(grace, |(after, _)| *after);
        tokio::select! {
            () = tokio::time::sleep(wait) => {
                let termination = obeys.map_or_else(|| Termination::signal(9), |(_, termination)| termination);
                self.end(id, &termination);
            }
            _ = ended.wait_for(|ended| *ended) => {}
        }
        Ok(())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let mut state = self.lock();
        for pod in state.pods.values_mut() {
            pod.containers.retain(|container| container.id != *id);
        }
        state.ended.remove(id);
        Ok(())
    }

    async fn update_sandbox_resources(&self, _: &SandboxId, _: &Resources) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn update_resources(&self, _: &ContainerId, _: &Resources) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn exec(&self, _: &ContainerId, _: &[String], _: Option<Duration>) -> Result<ExecResult, RuntimeError> {
        Err(unsupported("exec"))
    }

    async fn stream(&self, _: &ContainerId, _: &StreamRequest) -> Result<Session, RuntimeError> {
        Err(unsupported("exec and attach"))
    }

    async fn connect(&self, _: &SandboxId, _: u16) -> Result<tokio::net::TcpStream, RuntimeError> {
        Err(unsupported("port-forward"))
    }

    async fn dial(&self, _: std::net::SocketAddr) -> std::io::Result<tokio::net::TcpStream> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    async fn usage(&self, _: &ContainerId) -> Result<Usage, RuntimeError> {
        Ok(Usage::default())
    }
}

fn unsupported(what: &str) -> RuntimeError {
    RuntimeError::Unsupported(format!("{what}: nothing runs in a scripted life"))
}
