//! Real clients' frames against a runtime whose commands are a few lines of Rust.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::State, response::IntoResponse, routing::any};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Message, Role},
};

use super::{channel_codec::ChannelCodec, echo_runtime::Echo, *};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

async fn handle(State(runtime): State<SharedRuntime>, request: Request<Body>) -> axum::response::Response {
    let pod = json!({"metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"nodeName": "emulator", "containers": [{"name": "a"}]}});
    let answer = match request.uri().path() {
        "/exec" => exec(request, &pod, &runtime).await,
        "/attach" => attach(request, &pod, &runtime).await,
        _ => port_forward(request, &pod, &runtime).await,
    };
    match answer {
        Ok(response) => response,
        Err(error) => (
            axum::http::StatusCode::from_u16(error.code()).unwrap(),
            error.to_string(),
        )
            .into_response(),
    }
}

/// A server in front of a runtime whose pods' port 80 gives back what it gets.
async fn server() -> SocketAddr {
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = echo.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = echo.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = connection.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    let runtime: SharedRuntime = Arc::new(Echo::at(port));
    let app = Router::new().fallback(any(handle)).with_state(runtime);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Sends an upgrade request and reads the head of the answer.
async fn upgrade(address: SocketAddr, target: &str, headers: &str) -> (String, TcpStream) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n{headers}\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    (String::from_utf8(head).unwrap(), connection)
}

async fn websocket(target: &str, protocols: &str) -> WebSocketStream<TcpStream> {
    let mut headers =
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n".to_owned();
    if !protocols.is_empty() {
        headers.push_str(&format!("Sec-WebSocket-Protocol: {protocols}\r\n"));
    }
    let (head, connection) = upgrade(server().await, target, &headers).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    WebSocketStream::from_raw_socket(connection, Role::Client, None).await
}

/// All that comes until the server closes: by channel, without the empty message at the start.
async fn messages(socket: &mut WebSocketStream<TcpStream>) -> Vec<(u8, String)> {
    messages_in(ChannelCodec::Binary, socket).await
}

async fn messages_in(codec: ChannelCodec, socket: &mut WebSocketStream<TcpStream>) -> Vec<(u8, String)> {
    let mut all = Vec::new();
    while let Some(Ok(message)) = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
        assert!(
            message.is_text() == (codec == ChannelCodec::Base64) || message.is_close(),
            "{message:?}"
        );
        if let Some((channel, data)) = codec.decode(message) {
            all.push((channel, String::from_utf8_lossy(&data).into_owned()));
        }
    }
    assert!(!all.is_empty() && all.remove(0).1.is_empty());
    all
}

#[tokio::test]
async fn command_runs_in_every_protocol() {
    for (protocol, codec, tells_success) in [
        ("", ChannelCodec::Binary, false),
        ("channel.k8s.io", ChannelCodec::Binary, false),
        ("base64.channel.k8s.io", ChannelCodec::Base64, false),
        ("v4.channel.k8s.io", ChannelCodec::Binary, true),
        ("v4.base64.channel.k8s.io", ChannelCodec::Base64, true),
    ] {
        let mut socket = websocket("/exec?command=size&stdin=true&stdout=true&tty=true", protocol).await;
        let size = codec.encode(4, b"{\"Width\":80,\"Height\":24}");
        socket.send(size).await.unwrap();
        let said = messages_in(codec, &mut socket).await;
        assert_eq!(said[0], (1, "80x24".into()), "{protocol}");
        assert_eq!(said.len() > 1, tells_success, "{protocol}: {said:?}");

        let mut socket = websocket("/exec?command=fail&stdout=true&stderr=true", protocol).await;
        let said = messages_in(codec, &mut socket).await;
        assert_eq!(said[0], (2, "no\n".into()), "{protocol}");
        assert_eq!(said[1].0, 3);
        assert_eq!(said[1].1.starts_with('{'), tells_success, "{said:?}");
        assert!(
            said[1].1.contains("command terminated with non-zero exit code"),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_websocket_command_gets_input_until_its_end() {
    let target = "/exec?command=echo&stdin=true&stdout=true&stderr=true";
    let mut socket = websocket(target, "v5.channel.k8s.io, v4.channel.k8s.io").await;
    socket.send(Message::Ping("x".into())).await.unwrap();
    socket.send(Message::Binary((&b"\x00hello"[..]).into())).await.unwrap();
    socket.send(Message::Binary((&b"\xff\x00"[..]).into())).await.unwrap();
    let messages = messages(&mut socket).await;
    assert_eq!(messages[0], (1, "hello".into()));
    assert_eq!(messages[1], (3, r#"{"metadata":{},"status":"Success"}"#.into()));
}

#[tokio::test]
async fn a_websocket_command_tells_its_exit_code() {
    let mut socket = websocket(
        "/exec?command=fail&stdout=true&stderr=true&container=a",
        "v4.channel.k8s.io",
    )
    .await;
    let messages = messages(&mut socket).await;
    assert_eq!(messages[0], (2, "no\n".into()));
    let status: Value = serde_json::from_str(&messages[1].1).unwrap();
    assert_eq!(status["details"]["causes"][0]["message"], "3");
}

#[tokio::test]
async fn a_terminal_learns_its_size() {
    let mut socket = websocket(
        "/exec?command=size&stdin=true&stdout=true&tty=true",
        "v5.channel.k8s.io",
    )
    .await;
    let size = Message::Binary((&b"\x04{\"Width\":80,\"Height\":24}"[..]).into());
    socket.send(size).await.unwrap();
    assert_eq!(messages(&mut socket).await[0], (1, "80x24".into()));
}

#[tokio::test]
async fn a_command_that_is_missing_is_an_internal_error() {
    let mut socket = websocket("/exec?command=x&stdout=true", "v5.channel.k8s.io").await;
    let messages = messages(&mut socket).await;
    assert!(
        messages[0].1.contains("executable file not found in $PATH"),
        "{messages:?}"
    );
}

#[tokio::test]
async fn a_request_without_upgrade_is_refused() {
    let address = server().await;
    let (head, _) = upgrade(address, "/exec?command=echo&stdout=true", "").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let (head, _) = upgrade(
        address,
        "/exec?stdout=true",
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 422"), "{head}");
}

/// The client's side of SPDY, as far as the tests need it.
struct SpdyClient<C>(C);

impl<C: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> SpdyClient<C> {
    async fn open(&mut self, stream: u32, block: &[u8]) {
        let mut body = stream.to_be_bytes().to_vec();
        body.extend_from_slice(&[0; 6]);
        body.extend_from_slice(block);
        self.frame(&[0x80, 3, 0, 1], 0, &body).await;
    }

    async fn data(&mut self, stream: u32, data: &[u8], end: bool) {
        self.frame(&stream.to_be_bytes(), u8::from(end), data).await;
    }

    async fn frame(&mut self, head: &[u8; 4], flags: u8, body: &[u8]) {
        let mut frame = head.to_vec();
        frame.push(flags);
        frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
        frame.extend_from_slice(body);
        self.0.write_all(&frame).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The next data frame: stream, bytes, whether it ends.
    async fn next(&mut self) -> Option<(u32, String, bool)> {
        loop {
            let mut head = [0; 8];
            let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut head));
            read.await.unwrap().ok()?;
            let length = u32::from_be_bytes([0, head[5], head[6], head[7]]);
            let mut body = vec![0; length as usize];
            self.0.read_exact(&mut body).await.ok()?;
            if head[0] & 0x80 == 0 {
                let stream = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
                return Some((stream, String::from_utf8_lossy(&body).into_owned(), head[4] & 1 != 0));
            }
        }
    }
}

async fn spdy(target: &str, protocol: &str) -> SpdyClient<TcpStream> {
    let headers = format!("Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {protocol}\r\n");
    let (head, connection) = upgrade(server().await, target, &headers).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    SpdyClient(connection)
}

#[tokio::test]
async fn a_spdy_command_gets_input_until_its_end() {
    let target = "/exec?command=echo&stdin=true&stdout=true";
    let mut client = spdy(target, "v4.channel.k8s.io").await;
    let blocks = super::spdy::compressed(&[
        &[("streamtype", "error")],
        &[("streamtype", "stdin")],
        &[("streamtype", "stdout")],
    ]);
    for (stream, block) in [1, 3, 5].into_iter().zip(&blocks) {
        client.open(stream, block).await;
    }
    client.data(3, b"hello", false).await;
    client.data(3, b"", true).await;
    assert_eq!(client.next().await, Some((5, "hello".into(), false)));
    let (stream, status, _) = client.next().await.unwrap();
    assert_eq!((stream, status.contains("Success")), (1, true));
    assert_eq!(client.next().await, Some((5, String::new(), true)));
    assert_eq!(client.next().await, Some((1, String::new(), true)));
}

async fn forwards<C>(mut client: SpdyClient<C>)
where
    C: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let blocks = super::spdy::compressed(&[
        &[("streamtype", "error"), ("port", "80"), ("requestid", "0")],
        &[("streamtype", "data"), ("port", "80"), ("requestid", "0")],
        &[("streamtype", "error"), ("port", "81"), ("requestid", "1")],
        &[("streamtype", "data"), ("port", "81"), ("requestid", "1")],
    ]);
    client.open(1, &blocks[0]).await;
    client.open(3, &blocks[1]).await;
    client.data(3, b"ping", false).await;
    assert_eq!(client.next().await, Some((3, "ping".into(), false)));
    client.data(3, b"", true).await;
    assert_eq!(client.next().await, Some((3, String::new(), true)));
    assert_eq!(client.next().await, Some((1, String::new(), true)));
    client.open(5, &blocks[2]).await;
    client.open(7, &blocks[3]).await;
    let (stream, words, _) = client.next().await.unwrap();
    assert_eq!(stream, 5);
    assert!(
        words.starts_with("error forwarding port 81 to pod") && words.ends_with("connection refused"),
        "{words}"
    );
}

#[tokio::test]
async fn ports_are_forwarded_over_spdy() {
    forwards(spdy("/portforward", "portforward.k8s.io").await).await;
}

#[tokio::test]
async fn ports_are_forwarded_over_spdy_in_a_websocket() {
    let mut socket = websocket("/portforward", "SPDY/3.1+portforward.k8s.io").await;
    let (ours, theirs) = tokio::io::duplex(1024);
    tokio::spawn(async move {
        let (mut reader, mut writer) = tokio::io::split(theirs);
        let mut buffer = [0; 1024];
        loop {
            tokio::select! {
                read = reader.read(&mut buffer) => match read {
                    Ok(length @ 1..) => socket.send(Message::Binary(buffer[..length].to_vec().into())).await.unwrap(),
                    _ => break,
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Binary(data))) => writer.write_all(&data).await.unwrap(),
                    _ => break,
                },
            }
        }
    });
    forwards(SpdyClient(ours)).await;
}

#[tokio::test]
async fn ports_are_forwarded_over_channels() {
    for (protocol, codec) in [
        ("v4.channel.k8s.io", ChannelCodec::Binary),
        ("v4.base64.channel.k8s.io", ChannelCodec::Base64),
        ("", ChannelCodec::Binary),
    ] {
        let mut socket = websocket("/portforward?ports=80", protocol).await;
        for channel in [0, 1] {
            let message = socket.next().await.unwrap().unwrap();
            assert_eq!(
                codec.decode(message),
                Some((channel, (&[80, 0][..]).into())),
                "{protocol}"
            );
        }
        socket.send(codec.encode(0, b"ping")).await.unwrap();
        let message = socket.next().await.unwrap().unwrap();
        assert_eq!(codec.decode(message), Some((0, (&b"ping"[..]).into())), "{protocol}");
    }
}

#[tokio::test]
async fn a_broken_spdy_connection_just_ends() {
    let mut client = spdy("/portforward", "portforward.k8s.io").await;
    client.open(2, b"nonsense").await;
    assert_eq!(client.next().await, None);
}
