//! One sandbox as the emulator knows it.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use tokio::sync::{broadcast, oneshot, watch};

use super::{
    cgroup::Cgroup,
    client::{AskError, Client},
    packets,
    protocol::{Answer, Ask, Tell},
    record::{self, ContainerMade, Holder, Record, SandboxFolder, SandboxMade},
};
use crate::runtime::{
    ContainerId, ContainerState, ContainerStatus, RuntimeError, RuntimeEvent, SandboxId, SandboxStatus,
};

/// What is known of a container.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) made: ContainerMade,
    pub(super) record: Record,
}

#[derive(Default)]
struct State {
    ready: bool,
    holder: Option<Holder>,
    client: Option<Arc<Client>>,
    containers: BTreeMap<String, Known>,
    sessions: HashMap<u64, oneshot::Sender<i32>>,
}

pub(super) struct Sandbox {
    pub(super) id: String,
    pub(super) folder: SandboxFolder,
    pub(super) made: SandboxMade,
    /// The pod's.
    pub(super) cgroup: Cgroup,
    state: Mutex<State>,
    events: broadcast::Sender<RuntimeEvent>,
    /// Raised with every change.
    changes: watch::Sender<u64>,
    last_session: AtomicU64,
}

impl Sandbox {
    pub(super) fn new(
        id: String,
        folder: SandboxFolder,
        made: SandboxMade,
        cgroup: Cgroup,
        events: broadcast::Sender<RuntimeEvent>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            folder,
            made,
            cgroup,
            state: Mutex::default(),
            events,
            changes: watch::Sender::new(0),
            last_session: AtomicU64::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Talks to the shim over this connection from now on.
    pub(super) fn connect(self: &Arc<Self>, socket: OwnedFd) -> io::Result<Arc<Client>> {
        // A runtime that is dropped is gone, as after a crash: its connections with it.
        let sandbox = Arc::downgrade(self);
        let listener = move |tell: Option<Tell>| match (sandbox.upgrade(), tell) {
            (Some(sandbox), Some(tell)) => sandbox.told(tell),
            (Some(sandbox), None) => sandbox.lost(),
            (None, _) => {}
        };
        // Held until the client is in its place, so that an end that comes at once is not overtaken.
        let mut state = self.state();
        let client = Arc::new(Client::new(socket, listener)?);
        state.client = Some(Arc::clone(&client));
        Ok(client)
    }

    /// The shim holds a running pause process.
    pub(super) fn begun(&self, holder: Holder) {
        let mut state = self.state();
        state.ready = holder.ready;
        state.holder = Some(holder);
    }

    /// Finds what an earlier emulator left: from the files, and from the shim if it still runs. What that emulator had
    /// begun with the shim is over when this returns: a container that was being started runs, or never will.
    pub(super) async fn recover(self: &Arc<Self>) {
        self.read_containers();
        let socket = packets::connect_in(&self.folder.0, SandboxFolder::socket_name());
        let Ok(client) = socket.and_then(|socket| self.connect(socket)) else {
            self.state().holder = record::read(&self.folder.holder()).unwrap_or_default();
            return self.lost();
        };
        match client.ask(Ask::Settle, &[]).await {
            Ok(Answer::Settled { holder, unsaved }) => {
                self.begun(holder);
                // Once more: what was written while nobody was told.
                self.read_containers();
                for (id, record) in unsaved {
                    self.learn(&id, record);
                }
            }
            // The shim ended meanwhile, or before the sandbox was begun.
            _ => {
                self.state().holder = record::read(&self.folder.holder()).unwrap_or_default();
                self.lost();
            }
        }
        if !self.folder.whole().exists() {
            self.stop().await;
        }
    }

    /// Takes over what is said of a container, unless more is known.
    fn learn(&self, id: &str, record: Record) {
        if let Some(known) = self.state().containers.get_mut(id)
            && record.is_later_than(&known.record)
        {
            known.record = record;
        }
    }

    fn read_containers(&self) {
        let Ok(entries) = std::fs::read_dir(self.folder.containers()) else {
            return;
        };
        for entry in entries.flatten() {
            let Ok(id) = entry.file_name().into_string() else {
                continue;
            };
            let folder = self.folder.container(&id);
            let made: Option<ContainerMade> = record::read(&folder.made()).unwrap_or_default();
            let Some(made) = made else { continue };
            let found: Option<Record> = record::read(&folder.record()).unwrap_or_default();
            let record = found.unwrap_or_else(Record::created);
            let known = Known {
                made,
                record: Record::created(),
            };
            self.state().containers.entry(id.clone()).or_insert(known);
            self.learn(&id, record);
        }
    }

    /// The shim is gone, asked or not: what it held is ended, and what it wrote down is true.
    fn lost(&self) {
        self.state().client = None;
        self.read_containers();
        let mut state = self.state();
        state.ready = false;
        state.sessions.clear();
        for (id, known) in &mut state.containers {
            if known.record.state == ContainerState::Running {
                known.record.process.into_iter().for_each(record::ProcessName::kill);
                self.cgroup.child(id).kill();
                known.record = known.record.clone().lost(Timestamp::now());
                let _ = record::rewrite(&self.folder.container(id).record(), &known.record);
            }
        }
        if let Some(holder) = state.holder.take() {
            holder.pause.kill();
            let _ = record::write(&self.folder.holder(), &Holder { ready: false, ..holder });
        }
        drop(state);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
        // Nobody may be listening.
        let _ = self.events.send(RuntimeEvent {
            pod: self.made.config.pod.clone(),
        });
    }

    fn told(&self, tell: Tell) {
        match tell {
            Tell::Answer { .. } => {}
            Tell::Changed { container, record } => {
                if let Some(known) = self.state().containers.get_mut(&container) {
                    known.record = *record;
                }
                self.changed();
            }
            Tell::Ended { session, exit_code } => {
                let sender = self.state().sessions.remove(&session);
                if let Some(sender) = sender {
                    let _ = sender.send(exit_code);
                }
            }
            Tell::Unready => {
                self.state().ready = false;
                self.changed();
            }
        }
    }

    /// Asks the shim.
    pub(super) async fn ask(&self, ask: Ask, descriptors: &[OwnedFd]) -> Result<Answer, RuntimeError> {
        let client = self.state().client.clone();
        let client = client.ok_or_else(|| RuntimeError::NotFound(format!("sandbox {}", self.id)))?;
        client
            .ask(ask, descriptors)
            .await
            .map_err(|error| RuntimeError::Failed(error.to_string()))
    }

    /// Kills everything in it and waits for the shim to end.
    pub(super) async fn stop(&self) {
        let client = self.state().client.clone();
        if let Some(client) = client {
            match client.ask(Ask::Stop, &[]).await {
                Ok(_) | Err(AskError::Lost) => {}
                Err(AskError::Refused(_)) => self.state().holder.iter().for_each(|holder| holder.shim.kill()),
            }
            let mut changes = self.changes.subscribe();
            while self.state().client.is_some() && changes.changed().await.is_ok() {}
        }
        self.state().ready = false;
    }

    /// A new session, and when it ends.
    pub(super) fn session(&self) -> (u64, oneshot::Receiver<i32>) {
        let number = self.last_session.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.state().sessions.insert(number, sender);
        (number, receiver)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.state().ready
    }

    /// The process that holds the pod's namespaces.
    pub(super) fn pause(&self) -> Option<i32> {
        let state = self.state();
        state
            .holder
            .as_ref()
            .filter(|_| state.ready)
            .map(|holder| holder.pause.pid)
    }

    pub(super) fn known(&self, id: &str) -> Option<Known> {
        self.state().containers.get(id).cloned()
    }

    pub(super) fn add(&self, id: String, made: ContainerMade) {
        self.state().containers.insert(
            id,
            Known {
                made,
                record: Record::created(),
            },
        );
        self.changed();
    }

    pub(super) fn forget(&self, id: &str) {
        self.state().containers.remove(id);
        self.changed();
    }

    pub(super) fn container_ids(&self) -> Vec<String> {
        self.state().containers.keys().cloned().collect()
    }

    /// Returns when the container has ended, or `false` after `limit`.
    pub(super) async fn wait(&self, id: &str, limit: Option<std::time::Duration>) -> bool {
        let mut changes = self.changes.subscribe();
        let ended = async {
            while self
                .known(id)
                .is_some_and(|known| known.record.state == ContainerState::Running)
            {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        match limit {
            Some(limit) => tokio::time::timeout(limit, ended).await.is_ok(),
            None => {
                ended.await;
                true
            }
        }
    }

    pub(super) fn status(&self, node: std::net::IpAddr) -> SandboxStatus {
        SandboxStatus {
            id: SandboxId(self.id.clone()),
            pod: self.made.config.pod.clone(),
            attempt: self.made.config.attempt,
            ready: self.is_ready(),
            created_at: self.made.created_at,
            ips: vec![self.made.address.map_or(node, Into::into)],
        }
    }

    pub(super) fn container_statuses(&self) -> Vec<ContainerStatus> {
        let state = self.state();
        state
            .containers
            .iter()
            .map(|(id, known)| self.container_status(id, known))
            .collect()
    }

    fn container_status(&self, id: &str, known: &Known) -> ContainerStatus {
        let (config, record) = (&known.made.config, &known.record);
        ContainerStatus {
            id: ContainerId(id.to_owned()),
            sandbox: SandboxId(self.id.clone()),
            name: config.name.clone(),
            attempt: config.attempt,
            state: record.state,
            created_at: known.made.created_at,
            started_at: record.started_at,
            finished_at: record.finished_at,
            exit_code: record.exit_code,
            reason: record.reason.clone(),
            message: record.message.clone(),
            image: config.image.reference.clone(),
            image_id: config.image.id.clone(),
            declared_image: config.declared_image.clone(),
            user: config.user.clone(),
            log_path: config.log_path.clone(),
        }
    }
}
