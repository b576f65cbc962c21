//! The runtime with real containers: namespaces, cgroups, overlay filesystems, a shim for each pod.

mod belongings;
mod cgroup;
mod client;
mod image_volumes;
mod launch;
mod making;
mod packets;
mod protocol;
mod record;
mod rights;
mod sandbox;
mod sandboxes;
mod shim;
mod signals;
mod streams;
mod subordinate_ids;
mod sysctls;
mod user_namespace;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{net::TcpStream, sync::broadcast};

pub use shim::shim_main_if_asked;
pub use user_namespace::{UserNamespaceError, enter_user_namespace_if_needed};

use self::{
    protocol::Ask,
    record::ContainerMade,
    sandbox::{Known, Sandbox},
    sandboxes::Sandboxes,
};
use super::{
    ContainerConfig, ContainerId, ContainerState, ExecResult, PodRef, PodStatus, Resources, Runtime, RuntimeError,
    RuntimeEvent, SandboxConfig, SandboxId, Session, StreamRequest, Usage,
};
use crate::{image::Image, network::in_namespace};

/// What the runtime is made with.
#[derive(Clone, Debug)]
pub struct LinuxOptions {
    /// The emulator's data folder.
    pub data: PathBuf,
    /// The image whose entrypoint holds the sandboxes; the built-in pause where absent.
    pub infra: Option<Image>,
    /// Runs as the shim; its `main` calls `shim_main_if_asked` first. This executable where absent.
    pub shim: Option<PathBuf>,
}

impl LinuxOptions {
    /// The plain ones.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            infra: None,
            shim: None,
        }
    }
}

/// Real containers.
pub struct LinuxRuntime {
    sandboxes: Sandboxes,
}

impl LinuxRuntime {
    /// Finds what an earlier runtime over the same data has left running.
    ///
    /// # Errors
    /// When the machine can't run containers, or the data can't be read.
    pub async fn new(options: LinuxOptions) -> Result<Self, RuntimeError> {
        Ok(Self {
            sandboxes: Sandboxes::open(options).await?,
        })
    }

    /// What this machine does not let the emulator do, a sentence each, for whoever asked for it.
    pub fn limitations(&self) -> Vec<String> {
        self.sandboxes.limitations()
    }

    /// Whether the machine's programs reach the pods' addresses.
    pub fn is_linked(&self) -> bool {
        self.sandboxes.network.node().is_linked()
    }

    /// Ends the use of the machine: nothing where pods still run and are to go on, else also what they share.
    ///
    /// # Errors
    /// When something does not go.
    pub async fn shut_down(&self, remove_all: bool) -> Result<(), RuntimeError> {
        self.sandboxes.shut_down(remove_all).await
    }

    fn container(&self, id: &ContainerId) -> Result<(Arc<Sandbox>, Known), RuntimeError> {
        self.sandboxes
            .of_container(&id.0)
            .ok_or_else(|| RuntimeError::NotFound(format!("container {}", id.0)))
    }

    fn running(&self, id: &ContainerId) -> Result<(Arc<Sandbox>, Known), RuntimeError> {
        let (sandbox, known) = self.container(id)?;
        if known.record.state == ContainerState::Running {
            return Ok((sandbox, known));
        }
        Err(RuntimeError::WrongState(format!(
            "container {} is not running",
            known.made.config.name
        )))
    }
}

#[async_trait]
impl Runtime for LinuxRuntime {
    fn name(&self) -> (&'static str, &'static str) {
        ("kubectl-pod", env!("CARGO_PKG_VERSION"))
    }

    fn subscribe(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.sandboxes.events.subscribe()
    }

    async fn pods(&self) -> Result<Vec<(PodRef, PodStatus)>, RuntimeError> {
        Ok(self.sandboxes.pods())
    }

    async fn pod_status(&self, pod: &PodRef) -> Result<PodStatus, RuntimeError> {
        Ok(self.sandboxes.pod_status(pod))
    }

    async fn run_sandbox(&self, config: &SandboxConfig) -> Result<SandboxId, RuntimeError> {
        self.sandboxes.run(config).await
    }

    async fn stop_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        self.sandboxes.stop(&id.0).await
    }

    async fn remove_sandbox(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        self.sandboxes.remove(&id.0).await
    }

    async fn create_container(
        &self,
        sandbox: &SandboxId,
        config: &ContainerConfig,
    ) -> Result<ContainerId, RuntimeError> {
        let sandbox = self.sandboxes.find(&sandbox.0)?;
        if !sandbox.is_ready() {
            return Err(RuntimeError::WrongState(format!(
                "sandbox {} is not running",
                sandbox.id
            )));
        }
        self.sandboxes.check(config)?;
        let id = sandboxes::new_id()?;
        let made = ContainerMade {
            config: config.clone(),
            created_at: Timestamp::now(),
        };
        let made = belongings::make_container(&sandbox, &id, made)
            .await
            .map_err(|error| RuntimeError::Failed(format!("failed to create containerd container: {error}")))?;
        sandbox.add(id.clone(), made);
        Ok(ContainerId(id))
    }

    async fn start_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let (sandbox, known) = self.container(id)?;
        if known.record.state != ContainerState::Created {
            let name = &known.made.config.name;
            return Err(RuntimeError::WrongState(format!("container {name} has been started")));
        }
        sandbox
            .ask(
                Ask::Start {
                    container: id.0.clone(),
                },
                &[],
            )
            .await
            .map(drop)
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<(), RuntimeError> {
        let Ok((sandbox, known)) = self.running(id) else {
            return Ok(());
        };
        let name = &known.made.config.stop_signal;
        let signal = signals::number(name).unwrap_or(libc::SIGTERM);
        if !grace.is_zero() {
            let asked = sandbox
                .ask(
                    Ask::Signal {
                        container: id.0.clone(),
                        signal,
                    },
                    &[],
                )
                .await;
            if asked.is_ok() && sandbox.wait(&id.0, Some(grace)).await {
                return Ok(());
            }
        }
        let killed = sandbox
            .ask(
                Ask::Signal {
                    container: id.0.clone(),
                    signal: libc::SIGKILL,
                },
                &[],
            )
            .await;
        if killed.is_ok() || sandbox.is_ready() {
            sandbox.wait(&id.0, None).await;
        }
        Ok(())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<(), RuntimeError> {
        let Ok((sandbox, known)) = self.container(id) else {
            return Ok(());
        };
        if known.record.state == ContainerState::Running {
            let name = &known.made.config.name;
            return Err(RuntimeError::WrongState(format!("container {name} is running")));
        }
        belongings::remove_container(&sandbox, &id.0).await?;
        sandbox.forget(&id.0);
        Ok(())
    }

    async fn update_sandbox_resources(&self, id: &SandboxId, resources: &Resources) -> Result<(), RuntimeError> {
        let sandbox = self.sandboxes.find(&id.0)?;
        let limited = sandbox.cgroup.limit(resources);
        limited.map_err(|error| RuntimeError::Failed(error.to_string()))
    }

    async fn update_resources(&self, id: &ContainerId, resources: &Resources) -> Result<(), RuntimeError> {
        let (sandbox, known) = self.running(id)?;
        if let Some(controller) = sandbox.cgroup.lacks(&known.made.config.resources, resources) {
            return Err(RuntimeError::Unsupported(sandboxes::not_enforced(controller)));
        }
        sandbox
            .cgroup
            .child(&id.0)
            .limit(resources)
            .map_err(|error| RuntimeError::Failed(error.to_string()))
    }

    async fn exec(
        &self,
        id: &ContainerId,
        command: &[String],
        timeout: Option<Duration>,
    ) -> Result<ExecResult, RuntimeError> {
        let (sandbox, _) = self.running(id)?;
        streams::exec(&sandbox, &id.0, command, timeout).await
    }

    async fn stream(&self, id: &ContainerId, request: &StreamRequest) -> Result<Session, RuntimeError> {
        let (sandbox, known) = self.running(id)?;
        streams::stream(&sandbox, &id.0, request, known.made.config.tty).await
    }

    async fn connect(&self, sandbox: &SandboxId, port: u16) -> Result<TcpStream, RuntimeError> {
        let found = self.sandboxes.find(&sandbox.0)?;
        let pause = found
            .pause()
            .ok_or_else(|| RuntimeError::WrongState("the pod's sandbox is not running".into()))?;
        let failed = |error: io::Error| RuntimeError::Failed(error.to_string());
        let mut last = failed(io::ErrorKind::ConnectionRefused.into());
        for host in [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])] {
            let address = SocketAddr::new(host, port);
            let socket = if found.made.config.host_network {
                socket_for(&address)
            } else {
                let namespace: OwnedFd = crate::network::of_process(pause).map_err(failed)?;
                in_namespace(namespace, move || socket_for(&address)).await
            };
            match socket.map_err(failed)?.connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    last = RuntimeError::Failed(format!(
                        "failed to connect to localhost:{port} inside namespace {:?}: {error}",
                        found.made.config.pod.namespace
                    ))
                }
            }
        }
        Err(last)
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = if self.sandboxes.is_pods(address.ip()) {
            self.sandboxes.network.node().run(move || socket_for(&address)).await?
        } else {
            socket_for(&address)?
        };
        socket.connect(address).await
    }

    async fn storage(&self, id: &ContainerId) -> u64 {
        match self.container(id) {
            Ok((sandbox, _)) => crate::disk_usage::of(sandbox.folder.container(&id.0).upper()).await,
            Err(_) => 0,
        }
    }

    async fn usage(&self, id: &ContainerId) -> Result<Usage, RuntimeError> {
        let (sandbox, _) = self.running(id)?;
        if let Some(controller) = ["cpu", "memory"].into_iter().find(|one| !sandbox.cgroup.has(one)) {
            return Err(RuntimeError::Unsupported(format!(
                "what containers use is not measured: {}",
                sandboxes::missing(controller)
            )));
        }
        Ok(sandbox.cgroup.child(&id.0).usage())
    }
}

fn socket_for(address: &SocketAddr) -> io::Result<tokio::net::TcpSocket> {
    if address.is_ipv4() {
        tokio::net::TcpSocket::new_v4()
    } else {
        tokio::net::TcpSocket::new_v6()
    }
}
