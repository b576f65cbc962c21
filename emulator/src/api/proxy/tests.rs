use std::sync::Arc;

use axum::body::to_bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::api::streaming::echo_runtime::Echo;

/// A pod whose every answer is `answer`; the request that it got comes over the channel.
async fn pod(answer: &'static str) -> (Value, u16, tokio::sync::oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"END") {
            request.push(connection.read_u8().await.unwrap());
        }
        let _ = sender.send(String::from_utf8(request).unwrap());
        connection.write_all(answer.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = connection.split();
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let pod =
        json!({"spec": {"containers": [{}, {"ports": [{"containerPort": port}]}]}, "status": {"podIP": "127.0.0.1"}});
    (pod, port, receiver)
}

async fn asked(pod: &Value, request: Request<Body>) -> Result<Response<Body>, Status> {
    let runtime: SharedRuntime = Arc::new(Echo::at(0));
    let target = Target::parse(request.uri().path()).unwrap();
    proxy(&target, pod, &runtime, request).await
}

const PREFIX: &str = "/api/v1/namespaces/n/pods/p/proxy";

#[tokio::test]
async fn request_reaches_the_pod_and_its_answer_the_client() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: /login\r\nAccess-Control-Allow-Origin: *\r\nX-Own: 1\r\n\
                  Content-Length: 2\r\nConnection: close\r\n\r\nhi";
    let (pod, _, got) = pod(answer).await;
    let request = Request::post(format!("{PREFIX}/a/b%20c?x=1"))
        .header("Host", "localhost:8001")
        .header("Authorization", "Bearer secret")
        .header("Connection", "X-Hop")
        .header("X-Hop", "1")
        .header("X-Mine", "1")
        .extension(ClientAddress([10, 1, 2, 3].into()))
        .body(Body::from("END"))
        .unwrap();
    let response = asked(&pod, request).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], format!("{PREFIX}/login"));
    assert_eq!(response.headers()["x-own"], "1");
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    assert_eq!(&to_bytes(response.into_body(), 9).await.unwrap()[..], b"hi");
    let got = got.await.unwrap().to_lowercase();
    assert!(got.starts_with("post /a/b%20c?x=1 http/1.1\r\n"), "{got}");
    for line in ["host: localhost:8001", "x-mine: 1", "x-forwarded-for: 10.1.2.3"] {
        assert!(got.contains(&format!("\r\n{line}\r\n")), "{line}: {got}");
    }
    assert!(got.contains(&format!("x-forwarded-uri: {PREFIX}/a/b%20c\r\n")), "{got}");
    assert!(!got.contains("secret") && !got.contains("x-hop"), "{got}");
}

#[tokio::test]
async fn missing_path_is_sent_to_the_root() {
    let pod = json!({"status": {"podIP": "127.0.0.1"}});
    let request = Request::get(format!("{PREFIX}?a=1")).body(Body::empty()).unwrap();
    let response = asked(&pod, request).await.unwrap();
    assert_eq!(response.status(), 301);
    assert_eq!(response.headers()["location"], format!("{PREFIX}/?a=1"));
}

#[tokio::test]
async fn pod_that_does_not_answer_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let pod = json!({"status": {"podIP": "127.0.0.1"}});
    let get = |id: &str| {
        let path = format!("/api/v1/namespaces/n/pods/{id}/proxy/");
        Request::get(path).body(Body::empty()).unwrap()
    };
    let status = asked(&pod, get(&format!("p:{port}"))).await.unwrap_err();
    assert_eq!((status.code, status.reason), (503, "ServiceUnavailable"));
    assert_eq!(
        status.message,
        format!("error trying to reach service: dial tcp 127.0.0.1:{port}: connect: connection refused")
    );
    let status = asked(&pod, get("p:web")).await.unwrap_err();
    assert_eq!(
        status.message,
        "error trying to reach service: dial tcp: lookup tcp/web: unknown port"
    );
    let status = asked(&json!({}), get("p")).await.unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (400, "address not allowed"));
}

/// A server in front of one pod, as upgrades need a connection.
async fn server(pod: Value) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let pod = pod.clone();
            async move {
                let answer = asked(&pod, request.map(Body::new)).await;
                Ok::<_, std::convert::Infallible>(answer.unwrap_or_else(|status| status.response()))
            }
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let _ = connection.with_upgrades().await;
    });
    client
}

async fn upgrade(pod: Value) -> (String, TcpStream) {
    let mut client = server(pod).await;
    let request = format!("GET {PREFIX}/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    (String::from_utf8(head).unwrap().to_lowercase(), client)
}

#[tokio::test]
async fn upgraded_connection_leads_into_the_pod() {
    let (pod, _, got) = pod("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").await;
    let (head, mut client) = upgrade(pod).await;
    assert!(
        head.starts_with("http/1.1 101") && head.contains("upgrade: echo"),
        "{head}"
    );
    assert!(got.await.unwrap().to_lowercase().contains("upgrade: echo"));
    client.write_all(b"ping").await.unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ping");
}

#[tokio::test]
async fn refused_upgrade_is_passed_on() {
    let (first, _, _got) = pod("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    assert!(upgrade(first).await.0.starts_with("http/1.1 403"));
    let (second, _, _got) = pod("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert!(upgrade(second).await.0.starts_with("http/1.1 500"));
}
