//! A runtime for tests: one pod of one container, whose commands are a few lines of Rust.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    sync::{broadcast, mpsc, oneshot},
};

use crate::runtime::*;

/// `echo` gives back its input until it ends, `fail` complains and exits with 3, `size` tells its terminal's size, `leave`
/// ends, and leaves behind what writes a second later.
pub struct Echo {
    /// Where `connect` leads to.
    port: u16,
    /// Where the container's log is.
    pub log_path: PathBuf,
    /// Whether the container has ended.
    pub ended: AtomicBool,
}

impl Echo {
    /// One whose `connect` leads to this port.
    pub fn at(port: u16) -> Self {
        Self {
            port,
            log_path: PathBuf::new(),
            ended: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl Runtime for Echo {
    fn name(&self) -> (&'static str, &'static str) {
        ("echo", "1")
    }

    fn subscribe(&self) -> broadcast::Receiver<RuntimeEvent> {
        broadcast::channel(1).1
    }

    async fn pods(&self) -> Result<Vec<(PodRef, PodStatus)>, RuntimeError> {
        Ok(Vec::new())
    }

    async fn pod_status(&self, pod: &PodRef) -> Result<PodStatus, RuntimeError> {
        let now = jiff::Timestamp::UNIX_EPOCH;
        Ok(PodStatus {
            sandboxes: vec![SandboxStatus {
                id: SandboxId("s".into()),
                pod: pod.clone(),
                attempt: 0,
                ready: true,
                created_at: now,
                ips: Vec::new(),
            }],
            containers: vec![ContainerStatus {
                id: ContainerId("c".into()),
                sandbox: SandboxId("s".into()),
                name: "a".into(),
                attempt: 0,
                state: match self.ended.load(Ordering::SeqCst) {
                    true => ContainerState::Exited,
                    false => ContainerState::Running,
                },
                created_at: now,
                started_at: Some(now),
                finished_at: None,
                exit_code: None,
                reason: String::new(),
                message: String::new(),
                image: String::new(),
                image_id: String::new(),
                declared_image: String::new(),
                user: User::default(),
                log_path: self.log_path.clone(),
            }],
        })
    }

    async fn run_sandbox(&self, _: &SandboxConfig) -> Result<SandboxId, RuntimeError> {
        Err(RuntimeError::Unsupported("run".into()))
    }

    async fn stop_sandbox(&self, _: &SandboxId) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn remove_sandbox(&self, _: &SandboxId) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn create_container(&self, _: &SandboxId, _: &ContainerConfig) -> Result<ContainerId, RuntimeError> {
        Err(RuntimeError::Unsupported("create".into()))
    }

    async fn start_container(&self, _: &ContainerId) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn stop_container(&self, _: &ContainerId, _: Duration) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn remove_container(&self, _: &ContainerId) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn update_sandbox_resources(&self, _: &SandboxId, _: &Resources) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn update_resources(&self, _: &ContainerId, _: &Resources) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn exec(&self, _: &ContainerId, _: &[String], _: Option<Duration>) -> Result<ExecResult, RuntimeError> {
        Ok(ExecResult::default())
    }

    async fn stream(&self, _: &ContainerId, request: &StreamRequest) -> Result<Session, RuntimeError> {
        let (stdin, mut input) = tokio::io::duplex(1024);
        let (mut output, stdout) = tokio::io::duplex(1024);
        let (mut complaints, stderr) = tokio::io::duplex(1024);
        let (resize, mut sizes) = mpsc::channel::<(u16, u16)>(1);
        let (done, exit) = oneshot::channel();
        match request.command.first().map(String::as_str) {
            Some("echo") => tokio::spawn(async move {
                let _ = tokio::io::copy(&mut input, &mut output).await;
                let _ = done.send(0);
            }),
            Some("fail") => tokio::spawn(async move {
                let _ = complaints.write_all(b"no\n").await;
                let _ = done.send(3);
            }),
            Some("size") => tokio::spawn(async move {
                let (columns, rows) = sizes.recv().await.unwrap_or_default();
                let _ = output.write_all(format!("{columns}x{rows}").as_bytes()).await;
                let _ = done.send(0);
            }),
            Some("leave") => tokio::spawn(async move {
                let _ = done.send(0);
                // Later than whoever looks at the end alone would wait.
                tokio::time::sleep(Duration::from_secs(1)).await;
                let _ = output.write_all(b"late").await;
            }),
            _ => return Err(RuntimeError::Failed("executable file not found in $PATH".into())),
        };
        Ok(Session {
            stdin: Some(Box::new(stdin)),
            stdout: Some(Box::new(stdout)),
            stderr: (!request.tty).then_some(Box::new(stderr)),
            resize: request.tty.then_some(resize),
            exit,
        })
    }

    async fn connect(&self, _: &SandboxId, port: u16) -> Result<TcpStream, RuntimeError> {
        if port != 80 {
            return Err(RuntimeError::Failed("connection refused".into()));
        }
        TcpStream::connect(("127.0.0.1", self.port))
            .await
            .map_err(|error| RuntimeError::Failed(error.to_string()))
    }

    async fn dial(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        TcpStream::connect(address).await
    }

    async fn usage(&self, _: &ContainerId) -> Result<Usage, RuntimeError> {
        Ok(Usage::default())
    }
}
