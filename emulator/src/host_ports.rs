//! Ports of the node that lead to pods (`hostPort`): on 127.0.0.1 alone, so that no other machine reaches a pod by them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::{kubelet::pod::HostPort, runtime::SharedRuntime};

/// After a connection that could not be taken (no descriptor is free), this long passes before the next.
const PAUSE: Duration = Duration::from_millis(100);

/// The ports of one pod; they close when this is dropped.
#[derive(Debug)]
pub struct HostPorts {
    /// The pod's address, once it has one.
    address: watch::Sender<Option<IpAddr>>,
    tasks: JoinSet<()>,
}

impl HostPorts {
    /// Of a pod without any.
    pub fn none() -> Self {
        Self {
            address: watch::Sender::new(None),
            tasks: JoinSet::new(),
        }
    }

    /// Takes the ports. Connections wait until it is known where they lead.
    ///
    /// # Errors
    /// A port that is not TCP, one of another address than 127.0.0.1 alone, or one that somebody has.
    pub(crate) async fn bind(ports: &[HostPort], runtime: &SharedRuntime) -> Result<Self, String> {
        let mut all = Self::none();
        for port in ports {
            let number = port.host;
            if port.protocol != "TCP" {
                return Err(format!(
                    "hostPort {number} of protocol {} is not supported by the emulator: only TCP is",
                    port.protocol
                ));
            }
            if !matches!(port.ip.as_str(), "" | "0.0.0.0" | "::" | "127.0.0.1") {
                return Err(format!(
                    "hostIP {} of hostPort {number} is not supported by the emulator: host ports are open on 127.0.0.1 alone",
                    port.ip
                ));
            }
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number))
                .await
                .map_err(|error| refused(number, &error))?;
            let (address, runtime, container) = (all.address.subscribe(), runtime.clone(), port.container);
            all.tasks.spawn(serve(listener, address, container, runtime));
        }
        Ok(all)
    }

    /// Says where they lead.
    pub fn lead_to(&self, address: IpAddr) {
        self.address.send_replace(Some(address));
    }
}

/// Why a port can't be taken, and, where only root may take it, what lets everybody.
fn refused(number: u16, error: &io::Error) -> String {
    let refused = format!("hostPort {number} can't be taken on 127.0.0.1");
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "{refused}: it needs root, or, for everybody, `sysctl net.ipv4.ip_unprivileged_port_start={number}`"
        ),
        _ => format!("{refused}: {error}"),
    }
}

async fn serve(listener: TcpListener, mut address: watch::Receiver<Option<IpAddr>>, port: u16, runtime: SharedRuntime) {
    let Ok(known) = address.wait_for(Option::is_some).await.map(|known| *known) else {
        return;
    };
    let Some(ip) = known else { return };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(connect(client, SocketAddr::new(ip, port), runtime.clone()));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(mut client: TcpStream, pod: SocketAddr, runtime: SharedRuntime) {
    // A pod that does not answer: the client's connection is closed, as a refused one.
    if let Ok(mut stream) = runtime.dial(pod).await {
        let _ = copy_bidirectional(&mut client, &mut stream).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::api::streaming::echo_runtime::Echo;

    fn port(host: u16, container: u16, protocol: &str) -> HostPort {
        HostPort {
            ip: String::new(),
            host,
            container,
            protocol: protocol.to_owned(),
        }
    }

    /// A port that nobody has, and that nobody gets meanwhile: it lies below those that the kernel gives to whoever asks
    /// for any, and other tests look for theirs elsewhere.
    fn free() -> u16 {
        let first = u16::try_from(10_000 + std::process::id() % 2_000 * 10).unwrap();
        let mut ports = first..first + 10;
        ports
            .find(|port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
            .unwrap()
    }

    #[test]
    fn a_port_that_needs_root_is_refused_with_what_opens_it() {
        let denied = refused(80, &io::ErrorKind::PermissionDenied.into());
        assert!(
            denied.contains("needs root") && denied.contains("port_start=80"),
            "{denied}"
        );
        let taken = refused(80, &io::ErrorKind::AddrInUse.into());
        assert!(!taken.contains("root"), "{taken}");
    }

    #[tokio::test]
    async fn a_port_leads_to_the_pod_while_it_is_held() {
        let pod = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let container = pod.local_addr().unwrap().port();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = pod.accept().await.unwrap();
            stream.write_all(b"hello").await.unwrap();
        });
        let runtime: SharedRuntime = Arc::new(Echo::at(0));
        let host = free();
        let ports = HostPorts::bind(&[port(host, container, "TCP")], &runtime)
            .await
            .unwrap();
        ports.lead_to(Ipv4Addr::LOCALHOST.into());
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, host)).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "hello");
        answering.await.unwrap();
        let taken = HostPorts::bind(&[port(host, container, "TCP")], &runtime)
            .await
            .unwrap_err();
        assert!(
            taken.starts_with(&format!("hostPort {host} can't be taken on 127.0.0.1: ")),
            "{taken}"
        );
        drop(ports);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, host)).await.is_err());
    }

    #[tokio::test]
    async fn other_protocols_are_named() {
        let runtime: SharedRuntime = Arc::new(Echo::at(0));
        assert_eq!(
            HostPorts::bind(&[port(53, 53, "UDP")], &runtime).await.unwrap_err(),
            "hostPort 53 of protocol UDP is not supported by the emulator: only TCP is"
        );
    }

    #[tokio::test]
    async fn other_addresses_are_named() {
        let runtime: SharedRuntime = Arc::new(Echo::at(0));
        let port = HostPort {
            ip: "192.0.2.1".to_owned(),
            ..port(80, 80, "TCP")
        };
        assert_eq!(
            HostPorts::bind(&[port], &runtime).await.unwrap_err(),
            "hostIP 192.0.2.1 of hostPort 80 is not supported by the emulator: host ports are open on 127.0.0.1 alone"
        );
    }
}
