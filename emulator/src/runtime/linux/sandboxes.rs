//! All sandboxes of one emulator, and what they are made of on the machine.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

use super::{
    LinuxOptions,
    belongings::{failed, remove_cgroup, remove_container, remove_folder},
    cgroup::{self, Cgroup},
    record::{self, SandboxFolder, SandboxMade},
    sandbox::{Known, Sandbox},
    subordinate_ids, sysctls, user_namespace,
};
use crate::{
    network::Network,
    runtime::{ContainerConfig, ContainerStatus, PodRef, PodStatus, RuntimeError, RuntimeEvent},
};

/// Events that a slow listener may be behind.
const EVENTS: usize = 1024;

pub(super) struct Sandboxes {
    pub(super) options: LinuxOptions,
    pub(super) folder: PathBuf,
    pub(super) cgroup: Cgroup,
    pub(super) network: Network,
    pub(super) events: broadcast::Sender<RuntimeEvent>,
    all: Mutex<BTreeMap<String, Arc<Sandbox>>>,
    /// Addresses given to sandboxes that are still being made.
    pub(super) making: Mutex<Vec<Ipv4Addr>>,
}

impl Sandboxes {
    pub(super) async fn open(mut options: LinuxOptions) -> Result<Self, RuntimeError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(RuntimeError::Unsupported(
                "containers need root, or a user namespace, which this process has not entered".into(),
            ));
        }
        let kernel =
            nix::sys::utsname::uname().map_err(|error| failed("ask for the kernel's version")(error.into()))?;
        check_kernel(&kernel.release().to_string_lossy())?;
        let folder = options.data.join("sandboxes");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(failed("make the sandboxes' folder"))?;
        options.data = options.data.canonicalize().map_err(failed("open the data folder"))?;
        let digest = Sha256::digest(options.data.as_os_str().as_encoded_bytes());
        let digits: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let sandboxes = Self {
            folder: options.data.join("sandboxes"),
            cgroup: cgroup::of_emulator(&options.data, &format!("kubepods-emulator-{digits}"))
                .map_err(failed("remember the pods' cgroup"))?,
            network: Network::new(
                &options.data,
                user_namespace::node_namespace(&options.data).map_err(failed("open the pods' network"))?,
            ),
            events: broadcast::Sender::new(EVENTS),
            all: Mutex::default(),
            making: Mutex::default(),
            options,
        };
        sandboxes.recover().await?;
        Ok(sandboxes)
    }

    async fn recover(&self) -> Result<(), RuntimeError> {
        for entry in fs::read_dir(&self.folder)
            .map_err(failed("read the sandboxes' folder"))?
            .flatten()
        {
            let Ok(id) = entry.file_name().into_string() else {
                continue;
            };
            let folder = SandboxFolder(entry.path());
            match record::read::<SandboxMade>(&folder.made()) {
                Ok(Some(made)) => {
                    let cgroup = self.pod_cgroup(&made.config.pod);
                    let sandbox = Sandbox::new(id.clone(), folder, made, cgroup, self.events.clone());
                    self.all().insert(id, sandbox);
                }
                // Its making was cut off before it was written down: no process was started.
                Ok(None) => drop(fs::remove_dir_all(entry.path())),
                Err(error) => return Err(failed("read a sandbox's record")(error)),
            }
        }
        let all: Vec<Arc<Sandbox>> = self.all().values().cloned().collect();
        futures::future::join_all(all.iter().map(Sandbox::recover)).await;
        Ok(())
    }

    pub(super) fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Sandbox>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pod_cgroup(&self, pod: &PodRef) -> Cgroup {
        self.cgroup.child(&format!("pod{}", pod.uid))
    }

    pub(super) fn limitations(&self) -> Vec<String> {
        let missing = ["memory", "cpu", "pids"]
            .into_iter()
            .filter(|one| !self.cgroup.has(one));
        let mut found: Vec<String> = missing.map(not_enforced).collect();
        found.extend(subordinate_ids::limitation());
        found.extend(sysctls::limitation());
        found
    }

    pub(super) fn find(&self, id: &str) -> Result<Arc<Sandbox>, RuntimeError> {
        self.all()
            .get(id)
            .cloned()
            .ok_or_else(|| RuntimeError::NotFound(format!("sandbox {id}")))
    }

    pub(super) fn of_container(&self, id: &str) -> Option<(Arc<Sandbox>, Known)> {
        self.all()
            .values()
            .find_map(|sandbox| Some((Arc::clone(sandbox), sandbox.known(id)?)))
    }

    pub(super) fn is_pods(&self, address: IpAddr) -> bool {
        self.all()
            .values()
            .any(|sandbox| sandbox.made.address.map(IpAddr::V4) == Some(address))
    }

    pub(super) fn pods(&self) -> Vec<(PodRef, PodStatus)> {
        let mut pods: Vec<PodRef> = self
            .all()
            .values()
            .map(|sandbox| sandbox.made.config.pod.clone())
            .collect();
        pods.sort();
        pods.dedup();
        pods.into_iter()
            .map(|pod| (pod.clone(), self.pod_status(&pod)))
            .collect()
    }

    pub(super) fn pod_status(&self, pod: &PodRef) -> PodStatus {
        let node = node_address();
        let mut status = PodStatus::default();
        for sandbox in self
            .all()
            .values()
            .filter(|sandbox| sandbox.made.config.pod.uid == pod.uid)
        {
            status.sandboxes.push(sandbox.status(node));
            status.containers.extend(sandbox.container_statuses());
        }
        status
            .sandboxes
            .sort_by_key(|sandbox| std::cmp::Reverse((sandbox.created_at, sandbox.attempt)));
        status
            .containers
            .sort_by_key(|one: &ContainerStatus| std::cmp::Reverse(one.created_at));
        status
    }

    /// Refuses by name what this machine can't do.
    pub(super) fn check(&self, config: &ContainerConfig) -> Result<(), RuntimeError> {
        subordinate_ids::check(config)
    }

    pub(super) async fn stop(&self, id: &str) -> Result<(), RuntimeError> {
        let Ok(sandbox) = self.find(id) else { return Ok(()) };
        sandbox.stop().await;
        self.unlink(&sandbox).await
    }

    async fn unlink(&self, sandbox: &Sandbox) -> Result<(), RuntimeError> {
        let Some(link) = &sandbox.made.link else { return Ok(()) };
        self.network
            .detach(link)
            .await
            .map_err(|error| RuntimeError::Failed(format!("failed to tear down the pod's network: {error}")))
    }

    pub(super) async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let Ok(sandbox) = self.find(id) else { return Ok(()) };
        self.dismantle(&sandbox).await?;
        self.all().remove(id);
        let last = !self
            .all()
            .values()
            .any(|other| other.made.config.pod.uid == sandbox.made.config.pod.uid);
        if last {
            remove_cgroup(sandbox.cgroup.clone()).await?;
        }
        let _ = self.events.send(RuntimeEvent {
            pod: sandbox.made.config.pod.clone(),
        });
        Ok(())
    }

    /// Everything that a sandbox has on the machine.
    pub(super) async fn dismantle(&self, sandbox: &Sandbox) -> Result<(), RuntimeError> {
        sandbox.stop().await;
        self.unlink(sandbox).await?;
        for container in sandbox.container_ids() {
            remove_container(sandbox, &container).await?;
        }
        remove_cgroup(sandbox.cgroup.child(&sandbox.id)).await?;
        remove_folder(sandbox.folder.0.clone()).await
    }

    pub(super) async fn shut_down(&self, remove_all: bool) -> Result<(), RuntimeError> {
        if remove_all {
            let ids: Vec<String> = self.all().keys().cloned().collect();
            // What fails to go does not keep the rest.
            let all = futures::future::join_all(ids.iter().map(|id| self.remove(id))).await;
            all.into_iter().collect::<Result<Vec<()>, _>>()?;
        }
        if self.all().is_empty() {
            remove_cgroup(self.cgroup.clone()).await?;
            let failed = |error| RuntimeError::Failed(format!("failed to remove the pods' network: {error}"));
            self.network.remove_bridge().await.map_err(failed)?;
        }
        Ok(())
    }
}

/// What it means that there is no such controller for us.
pub(super) fn not_enforced(controller: &str) -> String {
    let what = match controller {
        "memory" => "memory limits",
        "cpu" => "CPU limits",
        _ => "limits on processes",
    };
    format!("{what} of containers are not enforced: {}", missing(controller))
}

/// That there is no such controller for us.
pub(super) fn missing(controller: &str) -> String {
    format!("this user has no cgroup with the {controller} controller")
}

/// Mount attributes are set on whole trees since 5.12, and overlays are open to user namespaces since 5.11.
fn check_kernel(release: &str) -> Result<(), RuntimeError> {
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map_while(|word| word.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < (5, 12) => Err(RuntimeError::Unsupported(format!(
            "containers need Linux 5.12 or later; this is {release}"
        ))),
        _ => Ok(()),
    }
}

/// 64 hexadecimal digits.
pub(super) fn new_id() -> Result<String, RuntimeError> {
    use std::io::Read;
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(failed("read /dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The address by which the node is known to others: the one that packets to elsewhere come from.
fn node_address() -> IpAddr {
    // Connecting a datagram socket sends nothing. The address is reserved for documentation.
    let route = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    route.map_or(IpAddr::from([127, 0, 0, 1]), |address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::check_kernel;

    #[test]
    fn an_old_kernel_is_refused_by_its_version() {
        assert!(check_kernel("5.10.0-32-amd64").is_err_and(|error| error.to_string().contains("5.10.0-32-amd64")));
        assert!(check_kernel("5.12.0").is_ok() && check_kernel("6.1.0-18-amd64").is_ok());
    }
}
