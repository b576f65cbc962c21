//! Ports of the node that lead to pods (`hostPort`): on 127.0.0.1 alone, so that no other machine reaches a pod by them.

use std::{
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
    /// A port that is not TCP, or that somebody has.
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
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number))
                .await
                .map_err(|error| format!("hostPort {number} can't be taken on 127.0.0.1: {error}"))?;
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
