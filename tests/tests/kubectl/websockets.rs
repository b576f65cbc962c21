//! A client of WebSockets alone, as a browser is, by way of `kubectl proxy`; and HTTP to a pod in the same way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tests::kubectl::Version;

use crate::World;

/// A running `kubectl proxy`.
struct Proxy {
    child: Child,
    address: String,
}

impl Proxy {
    fn start(world: &World) -> Self {
        // By default it lets nobody exec.
        let mut child = world.kubectl.start("proxy --port=0 --reject-paths=^$");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.as_mut().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, address }
    }

    /// The head of the answer to a request, and the connection behind it.
    fn ask(&self, path: &str, headers: &str) -> (String, BufReader<TcpStream>) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
        }
        (head, stream)
    }

    /// The messages of a WebSocket until the server closes it: whether each is text, and what it holds.
    fn messages(&self, path: &str, protocol: &str, stop_after: usize) -> Vec<(bool, Vec<u8>)> {
        let mut headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://localhost\r\n"
            .to_owned();
        if !protocol.is_empty() {
            headers.push_str(&format!("Sec-WebSocket-Protocol: {protocol}\r\n"));
        }
        let (head, mut stream) = self.ask(path, &headers);
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let answered = head.to_lowercase().contains("sec-websocket-protocol:");
        assert_eq!(answered, !protocol.is_empty(), "{head}");
        let mut all = Vec::new();
        while all.len() < stop_after {
            let mut start = [0; 2];
            if stream.read_exact(&mut start).is_err() {
                break;
            }
            let length = match start[1] {
                126 => {
                    let mut length = [0; 2];
                    stream.read_exact(&mut length).unwrap();
                    u64::from(u16::from_be_bytes(length))
                }
                127 => {
                    let mut length = [0; 8];
                    stream.read_exact(&mut length).unwrap();
                    u64::from_be_bytes(length)
                }
                length => u64::from(length),
            };
            let mut data = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut data).unwrap();
            match start[0] & 0xf {
                8 => break,
                kind @ (1 | 2) => all.push((kind == 1, data)),
                _ => {}
            }
        }
        all
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const POD: &str = "/api/v1/namespaces/default/pods/sleeper";

#[test]
fn browser_reads_commands_logs_and_watches() {
    let world = World::with_sleeper(Version::Current);
    let proxy = Proxy::start(&world);
    let exec = format!("{POD}/exec?command=echo&command=hi&stdout=true&stderr=true");
    for (protocol, is_text, tells_success) in [
        ("", false, false),
        ("channel.k8s.io", false, false),
        ("base64.channel.k8s.io", true, false),
        ("v4.channel.k8s.io", false, true),
        ("v4.base64.channel.k8s.io", true, true),
    ] {
        let channel = |number: u8, text: &str| match is_text {
            true => (true, format!("{number}{}", BASE64_STANDARD.encode(text)).into_bytes()),
            false => (false, [&[number][..], text.as_bytes()].concat()),
        };
        let mut expected = vec![channel(1, ""), channel(1, "hi\n")];
        if tells_success {
            expected.push(channel(3, "{\"metadata\":{},\"status\":\"Success\"}"));
        }
        assert_eq!(proxy.messages(&exec, protocol, 9), expected, "{protocol}");
    }
    let log = format!("{POD}/log");
    for protocol in ["", "binary.k8s.io"] {
        let expected = [(false, Vec::new()), (false, b"started\n".to_vec())];
        assert_eq!(proxy.messages(&log, protocol, 9), expected, "{protocol}");
    }
    let expected = [
        (true, Vec::new()),
        (true, BASE64_STANDARD.encode("started\n").into_bytes()),
    ];
    assert_eq!(proxy.messages(&log, "base64.binary.k8s.io", 9), expected);
    let watch = "/api/v1/namespaces/default/pods?watch=true&resourceVersion=0";
    for protocol in ["", "binary.k8s.io", "base64.binary.k8s.io"] {
        let (is_text, event) = proxy.messages(watch, protocol, 1).remove(0);
        let event: serde_json::Value = serde_json::from_slice(&event).unwrap();
        assert!(is_text && event["type"] == "ADDED", "{protocol}: {event}");
        assert_eq!(event["object"]["metadata"]["name"], "sleeper");
    }
}

#[test]
fn pods_are_reached_through_the_api_server() {
    let world = World::new(Version::Current);
    let _ = world.kubectl.feed("apply -f -", crate::serving::SERVER).succeeded();
    world.kubectl.until_ready("server");
    let pod = "/api/v1/namespaces/default/pods/server:8080/proxy";
    assert_eq!(world.kubectl.says(&format!("get --raw {pod}/")), "hello\n");
    assert_eq!(world.kubectl.says(&format!("get --raw {pod}/index.html")), "hello\n");
    let refused = world
        .kubectl
        .run("get --raw /api/v1/namespaces/default/pods/server:81/proxy/")
        .failed();
    assert!(
        refused.contains("error trying to reach service: dial tcp") && refused.contains("connection refused"),
        "{refused}"
    );
    let absent = world
        .kubectl
        .run("get --raw /api/v1/namespaces/default/services/server/proxy/")
        .failed();
    assert!(absent.contains("services/proxy is not served"), "{absent}");
    let proxy = Proxy::start(&world);
    let (head, _) = proxy.ask(&format!("{pod}?x=1"), "");
    assert!(head.contains(&format!("Location: {pod}/?x=1\r\n")), "{head}");
    let (head, mut body) = proxy.ask(&format!("{pod}/nothing"), "Connection: close\r\n");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let mut text = String::new();
    body.read_to_string(&mut text).unwrap();
    assert!(text.contains("404 Not Found"), "{text}");
}
