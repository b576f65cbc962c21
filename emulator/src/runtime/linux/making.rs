//! A sandbox in the making: its folder, its cgroup, its shim and its network, in this order.

use std::{
    fs, io,
    net::Ipv4Addr,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{fs::DirBuilderExt, process::CommandExt},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, PoisonError},
};

use jiff::Timestamp;

use super::{
    belongings::failed,
    client::Client,
    launch, packets,
    protocol::{Answer, Ask, Begin},
    record::{self, SandboxFolder, SandboxMade},
    sandbox::Sandbox,
    sandboxes::{Sandboxes, new_id},
    shim,
};
use crate::{
    mapped_namespace,
    network::new_namespace,
    overlay,
    runtime::{RuntimeError, RuntimeEvent, SandboxConfig, SandboxId},
};

/// Why a pod gets no user namespace in the one that an ordinary user's pods are in: only root may mount files of the
/// machine with other IDs.
const USERS_NEED_ROOT: &str = "a user namespace for the pod (hostUsers: false) needs root";

/// The namespaces that a pod is given, where it has any of its own.
struct Namespaces {
    users: Option<OwnedFd>,
    network: Option<OwnedFd>,
}

impl Namespaces {
    async fn of(made: &SandboxMade) -> Result<Self, RuntimeError> {
        let (users, network) = match (made.address, made.ids()) {
            (None, _) => (None, None),
            (Some(_), None) => {
                let network = new_namespace().await.map_err(failed("make the pod's network"))?;
                (None, Some(network))
            }
            (Some(_), Some(ids)) => {
                let (users, network) =
                    mapped_namespace::with_network(ids).map_err(failed("make the pod's user namespace"))?;
                (Some(users), Some(network))
            }
        };
        Ok(Self { users, network })
    }
}

impl Sandboxes {
    pub(super) async fn run(&self, config: &SandboxConfig) -> Result<SandboxId, RuntimeError> {
        if config.user_namespace && overlay::in_user_namespace() {
            return Err(RuntimeError::Unsupported(USERS_NEED_ROOT.into()));
        }
        let id = new_id()?;
        let folder = SandboxFolder(self.folder.join(&id));
        let link = (!config.host_network).then(|| format!("kpv{}", &id[..11]));
        let address = match &link {
            None => None,
            Some(_) => Some(self.address().await?),
        };
        let made = SandboxMade {
            config: config.clone(),
            created_at: Timestamp::now(),
            address,
            link,
        };
        let cgroup = self.pod_cgroup(&config.pod);
        let sandbox = Sandbox::new(id.clone(), folder, made, cgroup, self.events.clone());
        let done = self.make(&sandbox).await;
        if done.is_ok() {
            self.all().insert(id.clone(), Arc::clone(&sandbox));
        } else {
            // Nothing may be left of a sandbox that nobody knows; what does not go has been reported by its cause.
            let _ = self.dismantle(&sandbox).await;
        }
        if let Some(address) = sandbox.made.address {
            self.making
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|one| *one != address);
        }
        done.map(|()| {
            let _ = self.events.send(RuntimeEvent {
                pod: config.pod.clone(),
            });
            SandboxId(id)
        })
    }

    async fn address(&self) -> Result<Ipv4Addr, RuntimeError> {
        let used = |address: Ipv4Addr| {
            let making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            making.contains(&address) || self.is_pods(address.into())
        };
        let address = self
            .network
            .allocate(used)
            .await
            .map_err(|error| RuntimeError::Failed(format!("failed to set up the pod's network: {error}")))?;
        self.making.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        Ok(address)
    }

    async fn make(&self, sandbox: &Arc<Sandbox>) -> Result<(), RuntimeError> {
        make_folder(sandbox)?;
        self.make_cgroup(sandbox)?;
        // From here on whoever can't connect to the shim knows that there is none.
        let listener = packets::listen_in(&sandbox.folder.0, SandboxFolder::socket_name())
            .map_err(failed("make the shim's socket"))?;
        let client = self.start_shim(sandbox)?;
        let namespaces = Namespaces::of(&sandbox.made).await?;
        let linked = self.link(sandbox, namespaces.network.as_ref());
        let begun = self.begin(sandbox, &client, listener, &namespaces);
        let (begun, linked) = futures::join!(begun, linked);
        begun?;
        linked?;
        fs::File::create(sandbox.folder.whole())
            .map(drop)
            .map_err(failed("write the sandbox's record"))
    }

    fn make_cgroup(&self, sandbox: &Sandbox) -> Result<(), RuntimeError> {
        let own = sandbox.cgroup.child(&sandbox.id);
        let grouped = self
            .cgroup
            .create_inner()
            .and_then(|()| sandbox.cgroup.create_inner())
            .and_then(|()| sandbox.cgroup.limit(&sandbox.made.config.resources))
            .and_then(|()| own.create());
        grouped.map_err(failed("make the pod's cgroup"))
    }

    fn start_shim(&self, sandbox: &Arc<Sandbox>) -> Result<Arc<Client>, RuntimeError> {
        let (ours, theirs) = packets::pair().map_err(failed("make a socket"))?;
        let mut child = self
            .spawn(&sandbox.folder.0, theirs)
            .map_err(failed("start the pod's shim"))?;
        // Reaped when it ends, which is when the connection to it ends, or by whoever takes over from this process.
        std::thread::Builder::new()
            .name("shim".into())
            .stack_size(64 * 1024)
            .spawn(move || child.wait())
            .map_err(failed("wait for the pod's shim"))?;
        sandbox.connect(ours).map_err(failed("connect to the pod's shim"))
    }

    fn spawn(&self, folder: &Path, socket: OwnedFd) -> io::Result<Child> {
        let log = fs::File::create(folder.join("shim.log"))?;
        let program = self.options.shim.clone().unwrap_or_else(|| "/proc/self/exe".into());
        // A container can have a process of the shim's run `/proc/self/exe`, and holds this file then: on a mount of its
        // own it can't be written, nor be given another mode. Who may not mount is root of nothing that this guards.
        let guarded = launch::read_only_copy(&program).ok();
        let program = guarded
            .as_ref()
            .map_or(program, |file| format!("/proc/self/fd/{}", file.as_raw_fd()).into());
        Command::new(program)
            .arg0(shim::ARGUMENT_0)
            .env_clear()
            .env(shim::MARK, "1")
            .stdin(Stdio::from(socket))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
    }

    /// Has the shim make the sandbox of what it is given.
    async fn begin(
        &self,
        sandbox: &Sandbox,
        client: &Client,
        listener: OwnedFd,
        namespaces: &Namespaces,
    ) -> Result<(), RuntimeError> {
        let node = self.network.node().descriptor();
        let node = node.map_err(failed("open the node's network"))?;
        let begin = Begin {
            keeps_node: node.is_some(),
            folder: sandbox.folder.clone(),
            config: sandbox.made.config.clone(),
            cgroup: sandbox.cgroup.clone(),
            infra: self.options.infra.clone(),
            ids: sandbox.made.ids(),
            hidden: self.options.data.clone(),
        };
        let mut given = vec![listener];
        for namespace in [&namespaces.network, &namespaces.users].into_iter().flatten() {
            given.push(namespace.try_clone().map_err(failed("open the pod's namespaces"))?);
        }
        given.extend(node);
        let begun = client.ask(Ask::Begin(Box::new(begin)), &given).await;
        if let Answer::Begun(holder) = begun.map_err(|error| RuntimeError::Failed(error.to_string()))? {
            sandbox.begun(holder);
        }
        Ok(())
    }

    async fn link(&self, sandbox: &Sandbox, network: Option<&OwnedFd>) -> Result<(), RuntimeError> {
        let made = &sandbox.made;
        let (Some(pod), Some(address), Some(link)) = (network, made.address, &made.link) else {
            return Ok(());
        };
        self.network
            .attach(pod, address, link)
            .await
            .map_err(|error| RuntimeError::Failed(format!("failed to set up the pod's network: {error}")))
    }
}

fn make_folder(sandbox: &Sandbox) -> Result<(), RuntimeError> {
    let folder = &sandbox.folder;
    for path in [&folder.0, &folder.containers(), &folder.root()] {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(failed("make the sandbox's folder"))?;
    }
    record::write(&folder.made(), &sandbox.made).map_err(failed("write the sandbox's record"))
}
