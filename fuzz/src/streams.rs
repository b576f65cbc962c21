//! What a client sends over the connections of exec, attach and port-forward: WebSocket and SPDY frames, and the
//! channels and streams in them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use emulator::api::streaming::{self, echo_runtime::Echo};
use emulator::runtime::SharedRuntime;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const WEBSOCKET: &str = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ";
const SPDY: &str = "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ";

/// Path, transport and protocol of every kind of connection.
const KINDS: [(&str, &str, &str); 8] = [
    (
        "/exec?command=echo&stdin=1&stdout=1&stderr=1",
        WEBSOCKET,
        "v5.channel.k8s.io",
    ),
    (
        "/exec?command=size&stdin=1&stdout=1&tty=1",
        WEBSOCKET,
        "v4.channel.k8s.io",
    ),
    (
        "/exec?command=echo&stdin=1&stdout=1&stderr=1",
        SPDY,
        "v4.channel.k8s.io",
    ),
    ("/exec?command=size&stdout=1&tty=1", SPDY, "v4.channel.k8s.io"),
    ("/attach?stdout=1&stderr=1", SPDY, "v4.channel.k8s.io"),
    ("/portforward", SPDY, "portforward.k8s.io"),
    ("/portforward", WEBSOCKET, "SPDY/3.1+portforward.k8s.io"),
    ("/portforward?ports=80,81", WEBSOCKET, "v4.channel.k8s.io"),
];

/// No connection takes longer to end than this after its client has said all, in the time of the runtime.
const PATIENCE: Duration = Duration::from_secs(300);

/// The most bytes that come for one: a stream that is opened is answered, what is echoed comes back in frames.
const AT_MOST: usize = 64;
/// And so many besides: the head, statuses, the ports' numbers.
const BESIDES: usize = 16 * 1024;

/// The first byte chooses the kind of connection, the rest is what the client sends once it is open. The server ends it
/// after the client, and answers in whole frames of the transport that are no flood.
pub fn check(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let (path, transport, protocol) = KINDS[usize::from(*choice) % KINDS.len()];
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n{transport}{protocol}\r\n\r\n");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, talk(&head, bytes, path)).await });
    let answer = answer.expect("the server ends the connection");
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", answer.escape_ascii());
    assert!(
        answer.len() <= AT_MOST * bytes.len() + BESIDES,
        "{} bytes for {}",
        answer.len(),
        bytes.len()
    );
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head")
        + 4;
    if transport == SPDY {
        check_spdy(&answer[end..]);
    } else {
        check_websocket(&answer[end..]);
    }
}

/// Sends head and bytes, and ends; returns all that the server answers.
async fn talk(head: &str, bytes: &[u8], path: &str) -> Vec<u8> {
    let port = if path.starts_with("/portforward") {
        echo().await
    } else {
        0
    };
    let runtime: SharedRuntime = Arc::new(Echo::at(port));
    let (client, server) = tokio::io::duplex(64 * 1024);
    let service = service_fn(move |request| answer(request, runtime.clone()));
    tokio::spawn(
        hyper::server::conn::http1::Builder::new()
            // A client that has nothing to say gets its answer too.
            .half_close(true)
            .serve_connection(TokioIo::new(server), service)
            .with_upgrades(),
    );
    let (mut reader, mut writer) = tokio::io::split(client);
    let writing = async {
        // The server may have ended it before.
        let _ = writer.write_all(head.as_bytes()).await;
        let _ = writer.write_all(bytes).await;
        let _ = writer.shutdown().await;
    };
    let reading = async {
        let mut answer = Vec::new();
        // What a connection that breaks off had to say is kept.
        let _ = reader.read_to_end(&mut answer).await;
        answer
    };
    tokio::join!(writing, reading).1
}

async fn answer(request: Request<Incoming>, runtime: SharedRuntime) -> Result<Response<Body>, Infallible> {
    let pod = json!({"metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "spec": {"nodeName": "emulator", "containers": [{"name": "a"}]}});
    let request = request.map(Body::new);
    let answered = match request.uri().path() {
        "/exec" => streaming::exec(request, &pod, &runtime).await,
        "/attach" => streaming::attach(request, &pod, &runtime).await,
        _ => streaming::port_forward(request, &pod, &runtime).await,
    };
    Ok(answered.expect("the request is in order"))
}

/// A port that gives back what it gets.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            // Ports are few: none is to wait for packets of a connection that has ended.
            let _ = connection.set_zero_linger();
            tokio::spawn(async move {
                let (mut reader, mut writer) = connection.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    port
}

/// Frames of SPDY/3.1; the last may have been cut off by the end.
fn check_spdy(mut bytes: &[u8]) {
    while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
        let [first, version, _, kind, _, a, b, c] = *head;
        if first & 0x80 != 0 {
            assert!(
                first == 0x80 && version == 3 && matches!(kind, 2 | 3 | 6 | 7),
                "{head:?}"
            );
        } else {
            assert_eq!(kind % 2, 1, "a stream that no client opens: {head:?}");
        }
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        bytes = rest.get(length..).unwrap_or_default();
    }
}

/// Frames of a WebSocket's server: not masked, with no reserved bits.
fn check_websocket(mut bytes: &[u8]) {
    while let Some((head, rest)) = bytes.split_first_chunk::<2>() {
        let [kind, length] = *head;
        assert!(matches!(kind, 0x80 | 0x82 | 0x88 | 0x89 | 0x8a), "{head:?}");
        let (length, rest) = match (length, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                let long = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (usize::try_from(long).expect("a length"), rest)
            }
            (126 | 127, _) => return,
            (length, rest) => {
                assert!(length < 126, "a mask: {head:?}");
                (usize::from(length), rest)
            }
        };
        bytes = rest.get(length..).unwrap_or_default();
    }
}
