//! The one link between the machine's network and the pods'.
//!
//! Its end in the pods' network is a port of the bridge, so that the machine reaches pods by its own routes; pods reach
//! the machine's addresses through the node, which forwards. What the machine's filter rules apply to is this link alone.

use std::{fs, io, net::Ipv4Addr, os::fd::AsFd, time::Duration};

use futures::StreamExt;
use rtnetlink::{
    LinkMessageBuilder, LinkUnspec, LinkVeth, MulticastGroup, RouteMessageBuilder, new_multicast_connection,
    packet_core::NetlinkPayload,
    packet_route::{
        RouteNetlinkMessage,
        link::{InfoData, InfoVeth},
    },
};
use tokio::task::JoinSet;

use super::{
    NetworkError,
    links::{Netlink, hardware_address, index_of, open, remove},
    namespace::{NodeNamespace, number},
    subnet::{PREFIX, Subnet},
};

/// The name of the link's end in the pods' network.
const INNER: &str = "machine";

/// How long after the machine's end has lost its address it gets it back: whoever takes it away is done by then.
const RESTORED_AFTER: Duration = Duration::from_millis(300);

pub(super) struct MachineLink<'a> {
    /// The name of the machine's end.
    pub(super) name: &'a str,
    pub(super) subnet: Subnet,
}

impl MachineLink<'_> {
    /// Creates what is missing of the link, and keeps the address of the machine's end until the result is dropped:
    /// systemd-networkd removes addresses that it does not know from the links that it takes up.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) async fn ensure(
        &self,
        node: &NodeNamespace,
        pods: &Netlink,
        bridge: u32,
    ) -> Result<JoinSet<()>, NetworkError> {
        let failed = |error| NetworkError::Kernel("link the pods' network to the machine", error);
        let machine = open().map_err(|error| NetworkError::Io("open netlink", error))?;
        let index = match (index_of(pods, INNER).await?, index_of(&machine, self.name).await?) {
            (Some(_), Some(index)) => index,
            _ => self.create(&machine, pods, bridge).await?,
        };
        let address = self.subnet.machine();
        let kept =
            keep_address(index, address).map_err(|error| NetworkError::Io("watch the machine's network", error))?;
        add_address(&machine, index, address).await.map_err(failed)?;
        let up = LinkUnspec::new_with_index(index).up().build();
        machine.handle.link().set(up).execute().await.map_err(failed)?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(address).build();
        let added = pods.handle.route().add(route).replace().execute().await;
        added.map_err(failed)?;
        let forward = || fs::write("/proc/sys/net/ipv4/ip_forward", "1");
        let forwarding = node.run(forward).await;
        forwarding.map_err(|error| NetworkError::Io("turn on net.ipv4.ip_forward in the pods' network", error))?;
        Ok(kept)
    }

    async fn create(&self, machine: &Netlink, pods: &Netlink, bridge: u32) -> Result<u32, NetworkError> {
        remove(machine, self.name).await?;
        remove(pods, INNER).await?;
        let own = fs::File::open("/proc/thread-self/ns/net")
            .map_err(|error| NetworkError::Io("open the machine's network", error))?;
        // udev gives a link a hardware address that it keeps across boots, unless it has been set: a change after the
        // first packets would leave pods with the one before.
        let end = LinkMessageBuilder::<LinkUnspec>::new()
            .name(self.name.to_owned())
            .address(hardware_address(self.subnet.machine()))
            .setns_by_fd(number(own.as_fd()))
            .build();
        let pair = LinkVeth::new(INNER, self.name)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(end)))
            .controller(bridge)
            .up()
            .build();
        let added = pods.handle.link().add(pair).execute().await;
        added.map_err(|error| NetworkError::Kernel("link the pods' network to the machine", error))?;
        let index = index_of(machine, self.name).await?;
        index.ok_or(NetworkError::Exhausted("the link to the pods' network is gone"))
    }
}

async fn add_address(machine: &Netlink, link: u32, address: Ipv4Addr) -> Result<(), rtnetlink::Error> {
    let added = machine.handle.address().add(link, address.into(), PREFIX);
    added.replace().execute().await
}

/// Gives a link its address back each time that it is taken away.
fn keep_address(link: u32, address: Ipv4Addr) -> io::Result<JoinSet<()>> {
    let (connection, _, mut messages) = new_multicast_connection(&[MulticastGroup::Ipv4Ifaddr])?;
    let machine = open()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    tasks.spawn(async move {
        while let Some((message, _)) = messages.next().await {
            if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(lost)) = message.payload
                && lost.header.index == link
            {
                tokio::time::sleep(RESTORED_AFTER).await;
                // Without the link there is no address to keep: the next start creates both.
                let _ = add_address(&machine, link, address).await;
            }
        }
    });
    Ok(tasks)
}
