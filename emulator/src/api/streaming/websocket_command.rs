//! Exec and attach over WebSocket: the first byte of each message is its channel.

use axum::body::Bytes;
use axum::{
    body::Body,
    http::{Request, Response},
};
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig, frame::coding::CloseCode},
};

use super::{
    remote_command::{Command, Input, Output},
    upgrade::{self, Upgraded},
};
use crate::api::admission::Rejection;

/// In which a client may half-close its input.
const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// No client sends larger messages; kubectl's are of 32 KiB.
pub(super) const LARGEST_MESSAGE: usize = 1024 * 1024;
/// Messages between connection and process, each way.
const QUEUE: usize = 8;

/// Answers the request and serves the connection behind it.
pub(super) fn serve(mut request: Request<Body>, command: Command) -> Result<Response<Body>, Rejection> {
    let protocol = upgrade::choose(request.headers(), "sec-websocket-protocol", &[V5, V4])
        .ok_or_else(|| Rejection::BadRequest(format!("unable to upgrade: the client must offer {V5} or {V4}")))?;
    let response = upgrade::websocket(request.headers(), protocol)?;
    let connection = upgrade::connection(&mut request)?;
    tokio::spawn(async move {
        if let Ok(connection) = connection.await {
            run(Upgraded::new(connection), command, protocol == V5).await;
        }
    });
    Ok(response)
}

/// Limits for a connection to a client that may send anything.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * LARGEST_MESSAGE)
}

async fn run(connection: Upgraded, command: Command, half_close: bool) {
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config())).await;
    let (mut sink, mut stream) = socket.split();
    let (input, inputs) = mpsc::channel(QUEUE);
    let (output, mut outputs) = mpsc::channel(QUEUE);
    let running = tokio::spawn(command.run(inputs, output));
    let reading = async move {
        // Pings are answered by the reader itself.
        while let Some(Ok(message)) = stream.next().await {
            let data = match message {
                Message::Binary(data) => data,
                Message::Text(text) => text.into(),
                Message::Close(_) => break,
                _ => continue,
            };
            let Some(message) = parse(&data, half_close) else {
                continue;
            };
            // What a command no longer takes goes nowhere; its output may still be on its way.
            let _ = input.send(message).await;
        }
    };
    let writing = async move {
        while let Some(message) = outputs.recv().await {
            let is_last = matches!(message, Output::Status(_));
            if sink.send(Message::Binary(frame(&message))).await.is_err() {
                return;
            }
            if is_last {
                break;
            }
        }
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let _ = sink.send(Message::Close(Some(close))).await;
        let _ = sink.close().await;
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
    // Where the client has gone first, the command loses its streams with this.
    running.abort();
}

fn parse(data: &Bytes, half_close: bool) -> Option<Input> {
    let channel = *data.first()?;
    let payload = data.slice(1..);
    match channel {
        STDIN if payload.is_empty() => None,
        STDIN => Some(Input::Stdin(payload)),
        RESIZE => Some(Input::Resize(payload)),
        CLOSE if half_close && payload.first() == Some(&STDIN) => Some(Input::EndOfStdin),
        _ => None,
    }
}

fn frame(message: &Output) -> Bytes {
    let (channel, payload) = match message {
        Output::Stdout(bytes) => (STDOUT, bytes.clone()),
        Output::Stderr(bytes) => (STDERR, bytes.clone()),
        Output::Status(status) => (STATUS, status.to_string().into()),
    };
    let mut data = Vec::with_capacity(1 + payload.len());
    data.push(channel);
    data.extend_from_slice(&payload);
    data.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_is_the_channel() {
        assert!(
            matches!(parse(&Bytes::from_static(b"\x00hi"), true), Some(Input::Stdin(bytes)) if &bytes[..] == b"hi")
        );
        assert!(matches!(
            parse(&Bytes::from_static(b"\xff\x00"), true),
            Some(Input::EndOfStdin)
        ));
        assert!(parse(&Bytes::from_static(b"\xff\x00"), false).is_none());
        assert!(parse(&Bytes::new(), true).is_none());
        assert_eq!(&frame(&Output::Stderr("x".into()))[..], b"\x02x");
    }
}
