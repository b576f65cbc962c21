//! Port-forward as kube and Python ask for it over WebSocket: for the n-th port channel 2n carries its data and 2n+1
//! its error; the first message of each from this side is the port's number.

use std::time::Duration;

use axum::body::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use super::{
    channel_codec::ChannelCodec,
    port_forward::{Ports, failure},
    upgrade::Upgraded,
    websocket_command::config,
};

const CHUNK: usize = 32 * 1024;
const QUEUE: usize = 8;

/// Connects each port once, and carries it until the client goes.
pub(super) async fn run(connection: Upgraded, target: Ports, ports: Vec<u16>, codec: ChannelCodec) {
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config())).await;
    let (mut sink, mut stream) = socket.split();
    let (output, mut outputs) = mpsc::channel::<(u8, Bytes)>(QUEUE);
    let mut inputs = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for (index, port) in ports.into_iter().enumerate() {
        let channel = u8::try_from(2 * index).unwrap_or(u8::MAX - 1);
        let (input, receiver) = mpsc::channel::<Bytes>(QUEUE);
        inputs.push(input);
        tasks.spawn(one(target.clone(), port, channel, receiver, output.clone()));
    }
    drop(output);
    let reading = async move {
        while let Some(Ok(message)) = stream.next().await {
            if message.is_close() {
                return;
            }
            let Some((channel, data)) = codec.decode(message) else {
                continue;
            };
            let channel = usize::from(channel);
            if channel % 2 == 0
                && let Some(input) = inputs.get(channel / 2)
            {
                let _ = input.send(data).await;
            }
        }
    };
    let writing = async move {
        while let Some((channel, data)) = outputs.recv().await {
            if sink.send(codec.encode(channel, &data)).await.is_err() {
                return;
            }
        }
        let _ = tokio::time::timeout(Duration::from_secs(2), sink.close()).await;
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

async fn one(
    target: Ports,
    port: u16,
    channel: u8,
    mut input: mpsc::Receiver<Bytes>,
    output: mpsc::Sender<(u8, Bytes)>,
) {
    let message = |channel: u8, payload: &[u8]| (channel, Bytes::copy_from_slice(payload));
    for channel in [channel, channel + 1] {
        if output.send(message(channel, &port.to_le_bytes())).await.is_err() {
            return;
        }
    }
    let connection = match target.runtime.connect(&target.sandbox, port).await {
        Ok(connection) => connection,
        Err(why) => {
            let words = failure(&port.to_string(), &target, &why.to_string());
            let _ = output.send(message(channel + 1, words.as_bytes())).await;
            return;
        }
    };
    let (mut reader, mut writer) = connection.into_split();
    let inwards = async move {
        while let Some(data) = input.recv().await {
            if writer.write_all(&data).await.is_err() {
                return;
            }
        }
    };
    let outwards = async {
        let mut buffer = vec![0; CHUNK];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            if output.send(message(channel, &buffer[..length])).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = inwards => {}
        () = outwards => {}
    }
}
