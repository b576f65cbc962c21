//! A WebSocket whose messages are the bytes of another connection.

use axum::body::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Message, Role},
};

use super::{upgrade::Upgraded, websocket_command::config};

/// Bytes between the WebSocket and what it carries, each way.
const BUFFER: usize = 64 * 1024;

/// The other end of the connection that the client tunnels.
pub(super) fn open(connection: Upgraded) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    tokio::spawn(carry(connection, ours));
    theirs
}

async fn carry(connection: Upgraded, pipe: DuplexStream) {
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config())).await;
    let (mut sink, mut stream) = socket.split();
    let (mut reader, mut writer) = tokio::io::split(pipe);
    let inwards = async move {
        while let Some(Ok(message)) = stream.next().await {
            let data: Bytes = match message {
                Message::Binary(data) => data,
                Message::Text(text) => text.into(),
                Message::Close(_) => break,
                _ => continue,
            };
            if writer.write_all(&data).await.is_err() {
                break;
            }
        }
        let _ = writer.shutdown().await;
    };
    let outwards = async move {
        let mut buffer = vec![0; BUFFER / 2];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            let data = Bytes::copy_from_slice(&buffer[..length]);
            if sink.send(Message::Binary(data)).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    tokio::select! {
        () = inwards => {}
        () = outwards => {}
    }
}
