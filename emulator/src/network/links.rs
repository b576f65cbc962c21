//! The bridge and the pods' links, by netlink.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use futures::TryStreamExt;
use rtnetlink::{
    Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
    packet_route::{
        link::{InfoData, InfoVeth},
        route::{RouteAddress, RouteAttribute},
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{
    sync::Mutex,
    task::{JoinHandle, JoinSet},
};

use super::{
    machine_link::MachineLink,
    namespace::{NodeNamespace, in_namespace, number},
    subnet::{PREFIX, Subnet},
};

/// Why a pod has no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The kernel refused.
    #[error("{0}: {1}")]
    Kernel(&'static str, #[source] rtnetlink::Error),
    /// A file or a namespace.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    /// There is nothing left to give.
    #[error("{0}")]
    Exhausted(&'static str),
}

/// What outlives the process: `network.json` in the data folder.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Kept {
    subnet: Subnet,
    last: Ipv4Addr,
}

/// Netlink in one namespace; it lets go of the namespace when dropped.
pub(super) struct Netlink {
    pub(super) handle: Handle,
    connection: JoinHandle<()>,
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// The bridge and what leads to it.
struct Up {
    kept: Kept,
    bridge: u32,
    netlink: Netlink,
    /// Keeps the link to the machine's network, where there is one.
    _link: JoinSet<()>,
}

/// The network of one emulator's pods.
pub struct Network {
    node: NodeNamespace,
    /// The name of the bridge, and of the machine's end of the link to it.
    bridge: String,
    /// Where the search for a subnet starts.
    place: u8,
    file: PathBuf,
    /// Once there is a bridge.
    up: Mutex<Option<Up>>,
}

impl Network {
    /// Nothing is made before the first pod needs it.
    pub fn new(data: &Path, node: NodeNamespace) -> Self {
        Self {
            node,
            bridge: bridge_name(data),
            place: digest(data)[5],
            file: data.join("network.json"),
            up: Mutex::default(),
        }
    }

    /// The namespace of the bridge and the node's ends of the pods' links.
    pub fn node(&self) -> &NodeNamespace {
        &self.node
    }

    async fn netlink(&self) -> Result<Netlink, NetworkError> {
        self.node
            .run(open)
            .await
            .map_err(|error| NetworkError::Io("open netlink", error))
    }

    /// An address that no pod has, with the bridge that leads to it.
    ///
    /// # Errors
    /// When the bridge can't be made or all addresses are taken.
    pub async fn allocate(&self, used: impl Fn(Ipv4Addr) -> bool + Send) -> Result<Ipv4Addr, NetworkError> {
        let mut up = self.up.lock().await;
        if up.is_none() {
            *up = Some(self.set_up().await?);
        }
        let Some(Up { kept, .. }) = up.as_mut() else {
            return Err(NetworkError::Exhausted("no bridge"));
        };
        let address = kept
            .subnet
            .next(kept.last, used)
            .ok_or(NetworkError::Exhausted("no free pod address"))?;
        kept.last = address;
        self.keep(*kept)?;
        Ok(address)
    }

    fn keep(&self, kept: Kept) -> Result<(), NetworkError> {
        let failed = |error| NetworkError::Io("write network.json", error);
        let new = self.file.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(&kept).map_err(|error| failed(error.into()))?).map_err(failed)?;
        std::fs::rename(&new, &self.file).map_err(failed)
    }

    /// Finds the bridge of an earlier run, or creates one with a subnet that the machine does not route elsewhere.
    async fn set_up(&self) -> Result<Up, NetworkError> {
        let netlink = self.netlink().await?;
        let kept: Option<Kept> = std::fs::read(&self.file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let (kept, bridge) = match (kept, index_of(&netlink, &self.bridge).await?) {
            (Some(kept), Some(index)) => (kept, index),
            (_, old) => {
                if let Some(index) = old {
                    let failed = |error| NetworkError::Kernel("remove an old bridge", error);
                    netlink.handle.link().del(index).execute().await.map_err(failed)?;
                }
                self.create_bridge(&netlink).await?
            }
        };
        let link = MachineLink {
            name: &self.bridge,
            subnet: kept.subnet,
        };
        let link = match self.node.is_linked() {
            true => link.ensure(&self.node, &netlink, bridge).await?,
            false => JoinSet::new(),
        };
        Ok(Up {
            kept,
            bridge,
            netlink,
            _link: link,
        })
    }

    async fn create_bridge(&self, netlink: &Netlink) -> Result<(Kept, u32), NetworkError> {
        let machine = open().map_err(|error| NetworkError::Io("open netlink", error))?;
        // An emulator that was killed may have left it.
        if self.node.is_linked() {
            remove(&machine, &self.bridge).await?;
        }
        let subnet = Subnet::free(&routes(&machine).await?, self.place).ok_or(NetworkError::Exhausted(
            "no subnet for pods is free: the machine has a route into every one of 10.64.0.0/12, 172.16.0.0/16, \
             192.168.0.0/16, 198.18.0.0/15 and 100.64.0.0/10",
        ))?;
        let failed = |error| NetworkError::Kernel("make the bridge", error);
        // With a hardware address of its own, not that of a port, which would change as pods come and go.
        let bridge = LinkBridge::new(&self.bridge)
            .address(hardware_address(subnet.gateway()))
            .forward_delay(0)
            .up()
            .build();
        netlink.handle.link().add(bridge).execute().await.map_err(failed)?;
        let index = index_of(netlink, &self.bridge)
            .await?
            .ok_or(NetworkError::Exhausted("the bridge is gone"))?;
        let gateway = IpAddr::V4(subnet.gateway());
        let added = netlink.handle.address().add(index, gateway, PREFIX).execute().await;
        added.map_err(failed)?;
        set_up_loopback(netlink).await?;
        let kept = Kept {
            subnet,
            last: subnet.gateway(),
        };
        self.keep(kept)?;
        Ok((kept, index))
    }

    /// Links a pod's namespace to the bridge: `eth0` with its address, the way to everything else, and loopback.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn attach(&self, pod: &OwnedFd, address: Ipv4Addr, link: &str) -> Result<(), NetworkError> {
        let (gateway, pair) = {
            let up = self.up.lock().await;
            let Up {
                kept, bridge, netlink, ..
            } = up.as_ref().ok_or(NetworkError::Exhausted("no bridge"))?;
            let mut peer = LinkMessageBuilder::<LinkUnspec>::new().name("eth0".to_owned());
            peer = peer.setns_by_fd(number(pod.as_fd()));
            let pair = LinkVeth::new(link, "eth0")
                .set_info_data(InfoData::Veth(InfoVeth::Peer(peer.build())))
                .controller(*bridge)
                .up()
                .build();
            (kept.subnet.gateway(), netlink.handle.link().add(pair))
        };
        pair.execute()
            .await
            .map_err(|error| NetworkError::Kernel("make the pod's link", error))?;
        let namespace = pod
            .try_clone()
            .map_err(|error| NetworkError::Io("open the pod's network", error))?;
        let inside = in_namespace(namespace, open)
            .await
            .map_err(|error| NetworkError::Io("enter the pod's network", error))?;
        set_up_loopback(&inside).await?;
        let index = index_of(&inside, "eth0")
            .await?
            .ok_or(NetworkError::Exhausted("the pod's link is gone"))?;
        let failed = |error| NetworkError::Kernel("give the pod its address", error);
        inside
            .handle
            .address()
            .add(index, address.into(), PREFIX)
            .execute()
            .await
            .map_err(failed)?;
        let up = LinkUnspec::new_with_index(index).up().build();
        inside.handle.link().set(up).execute().await.map_err(failed)?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).build();
        inside.handle.route().add(route).execute().await.map_err(failed)
    }

    /// Takes a pod's link away. Does nothing where there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn detach(&self, link: &str) -> Result<(), NetworkError> {
        if !self.exists()? {
            return Ok(());
        }
        remove(&self.netlink().await?, link).await
    }

    /// Takes the bridge away, and with it the node's way to its pods.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn remove_bridge(&self) -> Result<(), NetworkError> {
        let mut up = self.up.lock().await;
        drop(up.take());
        let _ = std::fs::remove_file(&self.file);
        if self.node.is_linked() {
            let machine = open().map_err(|error| NetworkError::Io("open netlink", error))?;
            remove(&machine, &self.bridge).await?;
        }
        if self.exists()? {
            remove(&self.netlink().await?, &self.bridge).await?;
        }
        Ok(())
    }

    /// Whether there is a namespace that could have links: without one they are gone.
    fn exists(&self) -> Result<bool, NetworkError> {
        let namespace = self.node.descriptor();
        let found = namespace.map_err(|error| NetworkError::Io("open the pods' network", error))?;
        Ok(found.is_some())
    }
}

/// Removes a link. Does nothing where there is none.
pub(super) async fn remove(netlink: &Netlink, link: &str) -> Result<(), NetworkError> {
    let Some(index) = index_of(netlink, link).await? else {
        return Ok(());
    };
    match netlink.handle.link().del(index).execute().await {
        // Its other end was faster.
        Err(rtnetlink::Error::NetlinkError(message)) if message.raw_code() == -libc::ENODEV => Ok(()),
        done => done.map_err(|error| NetworkError::Kernel("remove a link", error)),
    }
}

/// The hardware address of a link with this address: locally administered, and the same whenever it is asked for.
pub(super) fn hardware_address(address: Ipv4Addr) -> Vec<u8> {
    [&[0x02, 0x6b], address.octets().as_slice()].concat()
}

/// Derived from the data folder, so that two emulators have two. 15 characters are the most.
fn bridge_name(data: &Path) -> String {
    let digits: String = digest(data).iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("kpod-{digits}")
}

fn digest(data: &Path) -> [u8; 32] {
    use std::os::unix::ffi::OsStrExt;
    Sha256::digest(data.as_os_str().as_bytes()).into()
}

pub(super) fn open() -> io::Result<Netlink> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    Ok(Netlink {
        handle,
        connection: tokio::spawn(connection),
    })
}

pub(super) async fn index_of(netlink: &Netlink, name: &str) -> Result<Option<u32>, NetworkError> {
    match netlink
        .handle
        .link()
        .get()
        .match_name(name.to_owned())
        .execute()
        .try_next()
        .await
    {
        Ok(link) => Ok(link.map(|link| link.header.index)),
        Err(rtnetlink::Error::NetlinkError(message)) if message.raw_code() == -libc::ENODEV => Ok(None),
        Err(error) => Err(NetworkError::Kernel("find a link", error)),
    }
}

async fn set_up_loopback(netlink: &Netlink) -> Result<(), NetworkError> {
    // Loopback is the first link of every namespace.
    let up = LinkUnspec::new_with_index(1).up().build();
    let done = netlink.handle.link().set(up).execute().await;
    done.map_err(|error| NetworkError::Kernel("set up loopback", error))
}

/// Where the routes of all tables lead, addresses of the machine's own among them.
async fn routes(netlink: &Netlink) -> Result<Vec<(Ipv4Addr, u8)>, NetworkError> {
    let request = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let mut stream = netlink.handle.route().get(request).execute();
    let mut found = Vec::new();
    while let Some(route) = stream
        .try_next()
        .await
        .map_err(|error| NetworkError::Kernel("read the routes", error))?
    {
        let length = route.header.destination_prefix_length;
        for attribute in route.attributes {
            if let RouteAttribute::Destination(RouteAddress::Inet(address)) = attribute {
                found.push((address, length));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridges_name_fits_and_differs_by_data_folder() {
        let name = bridge_name(Path::new("/a"));
        assert!(name.len() <= 15);
        assert_ne!(name, bridge_name(Path::new("/b")));
    }
}
