//! Port-forward: for each connection that the client has taken, a pair of streams, for data and for an error.
//!
//! SPDY/3.1 carries it, directly or (kubectl ≥ 1.31) inside a WebSocket; older WebSocket clients (kube, Python)
//! name their ports in the request and get two channels for each.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::{
    body::Body,
    http::{Request, Response},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{
    channel_codec::ChannelCodec,
    port_channels,
    spdy::{self, Outgoing, Stream},
    upgrade::{self, Transport, Upgraded, transport},
    websocket_tunnel,
};
use crate::{
    api::admission::Rejection,
    runtime::{SandboxId, SharedRuntime},
};

const PROTOCOL: &str = "portforward.k8s.io";
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
const CHANNELS: &str = "v4.channel.k8s.io";
const BASE64_CHANNELS: &str = "v4.base64.channel.k8s.io";
const CHUNK: usize = 32 * 1024;
/// Connections whose second stream is still to come.
const MOST_HALVES: usize = 64;

/// The pod that is connected to.
#[derive(Clone)]
pub(super) struct Ports {
    pub(super) sandbox: SandboxId,
    pub(super) uid: String,
    pub(super) runtime: SharedRuntime,
}

/// Answers the request and serves the connection behind it.
pub(super) fn serve(
    mut request: Request<Body>,
    sandbox: SandboxId,
    uid: String,
    ports: Vec<u16>,
    runtime: SharedRuntime,
) -> Result<Response<Body>, Rejection> {
    let target = Ports { sandbox, uid, runtime };
    match transport(request.headers())? {
        Transport::Spdy => {
            let protocol = upgrade::choose(request.headers(), "x-stream-protocol-version", &[PROTOCOL])
                .ok_or_else(|| Rejection::BadRequest(format!("unable to upgrade: the client must offer {PROTOCOL}")))?;
            let connection = upgrade::connection(&mut request)?;
            tokio::spawn(async move {
                if let Ok(connection) = connection.await {
                    run(Upgraded::new(connection), target).await;
                }
            });
            Ok(upgrade::spdy(protocol))
        }
        Transport::WebSocket => {
            let protocol = upgrade::choose_websocket(request.headers(), &[TUNNEL, CHANNELS, BASE64_CHANNELS])?;
            let tunnelled = protocol == Some(TUNNEL);
            if !tunnelled && (ports.is_empty() || ports.len() > 128) {
                return Err(Rejection::BadRequest("query parameter \"ports\" is required".into()));
            }
            let response = upgrade::websocket(request.headers(), protocol)?;
            let connection = upgrade::connection(&mut request)?;
            let codec = match protocol {
                Some(BASE64_CHANNELS) => ChannelCodec::Base64,
                _ => ChannelCodec::Binary,
            };
            tokio::spawn(async move {
                let Ok(connection) = connection.await else { return };
                let connection = Upgraded::new(connection);
                if tunnelled {
                    run(websocket_tunnel::open(connection), target).await;
                } else {
                    port_channels::run(connection, target, ports, codec).await;
                }
            });
            Ok(response)
        }
    }
}

/// Pairs the client's streams and connects each pair, until the client goes.
async fn run<C>(connection: C, target: Ports)
where
    C: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut opened, _guard) = spdy::serve(connection);
    let mut halves: HashMap<String, Stream> = HashMap::new();
    let mut forwards = tokio::task::JoinSet::new();
    while let Some(stream) = opened.recv().await {
        while forwards.try_join_next().is_some() {}
        let header = |name: &str| stream.headers.get(name).unwrap_or_default().to_owned();
        let (kind, port) = (header("streamtype"), header("port"));
        // The oldest clients give no number: the port tells which streams belong together.
        let id = Some(header("requestid"))
            .filter(|id| !id.is_empty())
            .unwrap_or(port.clone());
        if !matches!(kind.as_str(), "data" | "error") {
            stream.outgoing.reset().await;
            continue;
        }
        let Some(other) = halves.remove(&id) else {
            if halves.len() < MOST_HALVES {
                halves.insert(id, stream);
            } else {
                stream.outgoing.reset().await;
            }
            continue;
        };
        let (data, error) = if kind == "data" {
            (stream, other)
        } else {
            (other, stream)
        };
        forwards.spawn(forward(data, error.outgoing, port, target.clone()));
    }
}

async fn forward(data: Stream, error: Outgoing, port: String, target: Ports) {
    let connected = match port.parse::<u16>() {
        Ok(number) if number > 0 => target
            .runtime
            .connect(&target.sandbox, number)
            .await
            .map_err(|error| error.to_string()),
        _ => Err("unable to parse port".to_owned()),
    };
    match connected {
        Ok(connection) => {
            copy(connection, data).await;
            error.end().await;
        }
        Err(why) => {
            let words = failure(&port, &target, &why);
            let _ = error.send(words.into()).await;
            error.end().await;
            data.outgoing.reset().await;
        }
    }
}

/// What the client is told of a connection that could not be made.
pub(super) fn failure(port: &str, target: &Ports, why: &str) -> String {
    format!(
        "error forwarding port {port} to pod {}, uid : failed to execute portforward in network namespace of \"{}\": {why}",
        target.sandbox.0, target.uid
    )
}

/// Both ways, each until its sender ends.
async fn copy(connection: tokio::net::TcpStream, data: Stream) {
    let (mut reader, mut writer) = connection.into_split();
    let Stream {
        mut incoming, outgoing, ..
    } = data;
    let inwards = async move {
        while let Some(bytes) = incoming.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    };
    let outwards = async {
        let mut buffer = vec![0; CHUNK];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            let bytes = Bytes::copy_from_slice(&buffer[..length]);
            if outgoing.send(bytes).await.is_err() {
                return;
            }
        }
        outgoing.end().await;
    };
    tokio::pin!(inwards);
    // The pod's end is the end: a client keeps its half open until it learns of it.
    tokio::select! {
        () = outwards => return,
        () = &mut inwards => {}
    }
    drain(reader, &outgoing).await;
}

/// The client has ended its half; the pod may still have something to say.
async fn drain(mut reader: tokio::net::tcp::OwnedReadHalf, outgoing: &Outgoing) {
    let mut buffer = vec![0; CHUNK];
    loop {
        tokio::select! {
            read = reader.read(&mut buffer) => match read {
                Ok(length @ 1..) => {
                    let bytes = Bytes::copy_from_slice(&buffer[..length]);
                    if outgoing.send(bytes).await.is_err() {
                        return;
                    }
                }
                _ => break,
            },
            () = outgoing.closed() => return,
        }
    }
    outgoing.end().await;
}
