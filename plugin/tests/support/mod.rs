//! What the tests of the command line share: a run's transcript, and an API server of canned answers.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Starts `kubectl-pod` with all its streams piped.
pub(crate) fn started(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kubectl-pod"))
        .args(arguments)
        .env("TZ", "UTC")
        .env("KUBECONFIG", "/dev/null")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs `kubectl-pod`, and returns exit code, stdout and stderr in one text.
pub(crate) fn transcript(arguments: &[&str], stdin: &str) -> String {
    let mut child = started(arguments);
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    format!(
        "exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}",
        output
            .status
            .code()
            .map_or_else(|| "none".to_owned(), |code| code.to_string()),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What a transcript has of stdout.
pub(crate) fn stdout(transcript: &str) -> &str {
    let after = transcript.split("----- stdout -----\n").nth(1).unwrap();
    after.split("----- stderr").next().unwrap()
}

/// An answer: the status, and the body in parts; the connection closes after the last.
pub(crate) type Answer = (u16, Vec<String>);

/// An API server that answers as it is told to.
pub(crate) struct Server {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts one. It gets the path with its query, and how often that was asked before.
    pub(crate) fn start(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, told) = (Arc::clone(&requests), Arc::clone(&heads));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen, told) = (Arc::clone(&answer), Arc::clone(&seen), Arc::clone(&told));
                std::thread::spawn(move || serve(stream, answer.as_ref(), &seen, &told));
            }
        });
        Self { url, requests, heads }
    }

    /// Starts one that has nothing.
    pub(crate) fn of_no_pods() -> Self {
        Self::start(|path, _| {
            let kind = if path.contains("/events") {
                "EventList"
            } else {
                "PodList"
            };
            list(kind, &[], None)
        })
    }

    /// Starts one that has the pod `web`, which runs.
    pub(crate) fn of_one_pod() -> Self {
        Self::start(|path, _| {
            if path.contains("/events") {
                list("EventList", &[], None)
            } else {
                (200, vec![pod("web", "Running", true).to_string()])
            }
        })
    }

    /// The headers of all that was asked, one a line, in lower case.
    pub(crate) fn headers(&self) -> String {
        self.heads.lock().unwrap().concat()
    }

    /// What was asked.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &(impl Fn(&str, usize) -> Answer + ?Sized),
    seen: &Mutex<Vec<String>>,
    heads: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        heads.lock().unwrap().push(header.to_lowercase());
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if header.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let before = {
        let mut seen = seen.lock().unwrap();
        let before = seen.iter().filter(|other| **other == path).count();
        seen.push(path.clone());
        before
    };
    let (status, parts) = answer(&path, before);
    // What the API server has to say beside its answer.
    let warning = match path.contains("warned") {
        true => "warning: 299 - \"spec.x: deprecated\"\r\n",
        false => "",
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n{warning}\r\n");
    let _ = stream.write_all(head.as_bytes());
    for part in parts {
        if stream.write_all(part.as_bytes()).is_err() {
            return;
        }
        let _ = stream.flush();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A Status that refuses.
pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (code, vec![status.to_string()])
}

/// A list of objects.
pub(crate) fn list(kind: &str, items: &[Value], next: Option<&str>) -> Answer {
    let list = json!({
        "kind": kind, "apiVersion": "v1",
        "metadata": {"resourceVersion": "10", "continue": next.unwrap_or_default()},
        "items": items,
    });
    (200, vec![list.to_string()])
}

/// A pod in some phase.
pub(crate) fn pod(name: &str, phase: &str, is_ready: bool) -> Value {
    let ready = if is_ready { "True" } else { "False" };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": format!("uid-of-{name}"), "resourceVersion": "11", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"nodeName": "node1", "containers": [{"name": "app", "image": "busybox:1"}]},
        "status": {
            "phase": phase, "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{
                "type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z",
            }, {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:01Z"}],
        },
    })
}

/// An event of a watch.
pub(crate) fn change(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}
