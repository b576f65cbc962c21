//! Exec and attach over WebSocket, in every protocol that Kubernetes has had.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, Response},
};
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig, frame::coding::CloseCode},
};

use super::{
    channel_codec::ChannelCodec,
    remote_command::{Command, Input, Output},
    upgrade::{self, Upgraded},
};
use crate::api::admission::Rejection;

/// The protocols by name; the first is the one of a client that offers none.
static PROTOCOLS: [(&str, Protocol); 5] = [
    ("channel.k8s.io", Protocol::new(ChannelCodec::Binary, Version::V1)),
    (
        "base64.channel.k8s.io",
        Protocol::new(ChannelCodec::Base64, Version::V1),
    ),
    ("v4.channel.k8s.io", Protocol::new(ChannelCodec::Binary, Version::V4)),
    (
        "v4.base64.channel.k8s.io",
        Protocol::new(ChannelCodec::Base64, Version::V4),
    ),
    (V5, Protocol::new(ChannelCodec::Binary, Version::V5)),
];
const V5: &str = "v5.channel.k8s.io";

/// What the versions of the protocol differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    /// The error channel carries the words of a failure.
    V1,
    /// It carries a Status.
    V4,
    /// A client may end its input.
    V5,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Protocol {
    codec: ChannelCodec,
    version: Version,
}

impl Protocol {
    const fn new(codec: ChannelCodec, version: Version) -> Self {
        Self { codec, version }
    }

    /// The protocol that a client asks for, with the name to answer. The newest goes first, wherever it is offered.
    fn negotiated(headers: &HeaderMap) -> Result<(Option<&'static str>, Self), Rejection> {
        let names = PROTOCOLS.map(|(name, _)| name);
        let newest = upgrade::offered(headers).contains(&V5).then_some(V5);
        let name = match newest {
            Some(name) => Some(name),
            None => upgrade::choose_websocket(headers, &names)?,
        };
        let found = PROTOCOLS.iter().find(|(known, _)| Some(*known) == name);
        Ok((name, found.unwrap_or(&PROTOCOLS[0]).1))
    }
}

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
    let (name, protocol) = Protocol::negotiated(request.headers())?;
    let response = upgrade::websocket(request.headers(), name)?;
    let connection = upgrade::connection(&mut request)?;
    tokio::spawn(async move {
        if let Ok(connection) = connection.await {
            run(Upgraded::new(connection), command, protocol).await;
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

async fn run(connection: Upgraded, command: Command, protocol: Protocol) {
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config())).await;
    let (mut sink, mut stream) = socket.split();
    let (input, inputs) = mpsc::channel(QUEUE);
    let (output, mut outputs) = mpsc::channel(QUEUE);
    // An empty message tells the client that the connection is there.
    let lowest = match (command.request.stdout, command.request.stderr) {
        (true, _) => STDOUT,
        (_, true) => STDERR,
        _ => STATUS,
    };
    let running = tokio::spawn(command.run(inputs, output));
    let reading = async move {
        // Pings are answered by the reader itself.
        while let Some(Ok(message)) = stream.next().await {
            if message.is_close() {
                break;
            }
            let Some(message) = protocol
                .codec
                .decode(message)
                .and_then(|message| parse(message, protocol.version))
            else {
                continue;
            };
            // What a command no longer takes goes nowhere; its output may still be on its way.
            let _ = input.send(message).await;
        }
    };
    let writing = async move {
        if sink.send(protocol.codec.encode(lowest, b"")).await.is_err() {
            return;
        }
        while let Some(message) = outputs.recv().await {
            let is_last = matches!(message, Output::Status(_));
            if let Some((channel, payload)) = written(&message, protocol.version)
                && sink.send(protocol.codec.encode(channel, &payload)).await.is_err()
            {
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

fn parse((channel, payload): (u8, Bytes), version: Version) -> Option<Input> {
    match channel {
        STDIN if payload.is_empty() => None,
        STDIN => Some(Input::Stdin(payload)),
        RESIZE => Some(Input::Resize(payload)),
        CLOSE if version == Version::V5 && payload.first() == Some(&STDIN) => Some(Input::EndOfStdin),
        _ => None,
    }
}

/// The channel and the bytes of a message to the client; nothing for a success that this version does not tell.
fn written(message: &Output, version: Version) -> Option<(u8, Bytes)> {
    match message {
        Output::Stdout(bytes) => Some((STDOUT, bytes.clone())),
        Output::Stderr(bytes) => Some((STDERR, bytes.clone())),
        Output::Status(status) if version > Version::V1 => Some((STATUS, status.to_string().into())),
        Output::Status(status) => {
            let words = status["message"].as_str()?;
            Some((STATUS, words.to_owned().into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn input_is_ended_in_the_newest_version_alone() {
        let message = || (CLOSE, Bytes::from_static(b"\x00"));
        assert!(matches!(parse(message(), Version::V5), Some(Input::EndOfStdin)));
        assert!(parse(message(), Version::V4).is_none());
        let hi = (STDIN, Bytes::from_static(b"hi"));
        assert!(matches!(parse(hi, Version::V1), Some(Input::Stdin(bytes)) if &bytes[..] == b"hi"));
    }

    #[test]
    fn oldest_version_tells_the_words_of_a_failure() {
        let failure = Output::Status(serde_json::json!({"status": "Failure", "message": "no"}));
        assert_eq!(
            written(&failure, Version::V1),
            Some((STATUS, Bytes::from_static(b"no")))
        );
        let success = Output::Status(serde_json::json!({"status": "Success"}));
        assert_eq!(written(&success, Version::V1), None);
        assert_eq!(written(&success, Version::V4).unwrap().0, STATUS);
    }

    #[test]
    fn every_protocol_is_negotiated() {
        let negotiated = |offered: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("sec-websocket-protocol", HeaderValue::from_static(offered));
            Protocol::negotiated(&headers)
        };
        for (name, protocol) in PROTOCOLS {
            assert_eq!(negotiated(name), Ok((Some(name), protocol)));
        }
        assert_eq!(negotiated("v4.channel.k8s.io, v5.channel.k8s.io").unwrap().0, Some(V5));
        assert_eq!(
            negotiated("base64.channel.k8s.io, channel.k8s.io").unwrap().1.codec,
            ChannelCodec::Base64
        );
        assert_eq!(Protocol::negotiated(&HeaderMap::new()), Ok((None, PROTOCOLS[0].1)));
        assert!(negotiated("v9.channel.k8s.io").is_err());
    }
}
