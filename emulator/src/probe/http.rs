//! A GET request: any status from 200 to 399 is success (`pkg/probe/http`).

use std::{error::Error as _, io::ErrorKind, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Method, Response,
    body::{Bytes, Incoming},
};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::HTTPGetAction;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{HOOK_USER_AGENT, OUTPUT_MAX, USER_AGENT, address, dial_error, first_line::Kept, insecure};
use crate::{
    kubelet::edges::{Aim, Outcome},
    runtime::SharedRuntime,
};

/// What Go's `net/http` says of a server that answers without TLS.
const NO_TLS: &str = "http: server gave HTTP response to HTTPS client";

/// One request of a probe or hook.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) https: bool,
    pub(super) address: SocketAddr,
    /// Host and port as the manifest names them; the server may tell hosts apart by it.
    pub(super) authority: String,
    pub(super) path: String,
    headers: Vec<(String, String)>,
    user_agent: &'static str,
}

impl Request {
    /// Works out where it goes and what it says.
    pub(super) async fn new(aim: &Aim<'_>, action: &HTTPGetAction) -> Result<Self, String> {
        let path = action.path.as_deref().unwrap_or("/");
        let headers = action
            .http_headers
            .iter()
            .flatten()
            .map(|header| (header.name.clone(), header.value.clone()));
        let address = address(aim, action.host.as_deref(), &action.port).await?;
        let named = action
            .host
            .as_deref()
            .filter(|host| !host.is_empty() && !host.contains(':'));
        Ok(Self {
            authority: named.map_or_else(|| address.to_string(), |host| format!("{host}:{}", address.port())),
            https: action.scheme.as_deref() == Some("HTTPS"),
            address,
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
            headers: headers.collect(),
            user_agent: USER_AGENT,
        })
    }

    pub(super) fn url(&self) -> String {
        format!(
            "{}://{}{}",
            if self.https { "https" } else { "http" },
            self.authority,
            self.path
        )
    }

    /// Sends it and judges the answer. As in Go, the time is the answer's with its body, and an answer of which not all
    /// comes is none: it counts neither for the container nor against it.
    pub(super) async fn probe(self, runtime: &SharedRuntime, timeout: Duration) -> Outcome {
        let url = self.url();
        let end = Instant::now() + timeout;
        let response = match timeout_at(end, self.followed(runtime)).await {
            Ok(Ok(response)) => response,
            Ok(Err(why)) => return Outcome::Failure(why),
            Err(_) => return Outcome::Failure(format!("Get {url:?}: {}", late("exceeded while awaiting headers"))),
        };
        let status = response.status();
        match timeout_at(end, body(response)).await {
            Ok(Ok(_)) if status.is_success() => Outcome::Success,
            Ok(Ok(body)) if status.is_redirection() => {
                Outcome::Warning(format!("Probe terminated redirects, Response body: {body}"))
            }
            Ok(Ok(_)) => Outcome::Failure(format!("HTTP probe failed with statuscode: {}", status.as_u16())),
            Ok(Err(why)) => Outcome::Errored("failure", why),
            Err(_) => Outcome::Errored("failure", late("or context cancellation while reading body")),
        }
    }

    /// Sends it; any answer will do. A server that speaks no TLS is asked without, which gives a warning
    /// (`pkg/kubelet/lifecycle/handlers.go`).
    pub(super) async fn hook(mut self, runtime: &SharedRuntime) -> Result<Option<String>, String> {
        self.user_agent = HOOK_USER_AGENT;
        let Err(why) = self.get(runtime).await else {
            return Ok(None);
        };
        let failed = format!("Get {:?}: {why}", self.url());
        if why != NO_TLS {
            return Err(failed);
        }
        self.https = false;
        self.headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        match self.get(runtime).await {
            Ok(_) => Ok(Some(format!(
                "request to HTTPS lifecycle hook {} got HTTP response, retry with HTTP succeeded",
                self.authority
            ))),
            Err(_) => Err(failed),
        }
    }

    pub(super) async fn get(&self, runtime: &SharedRuntime) -> Result<Response<Incoming>, String> {
        let stream = runtime
            .dial(self.address)
            .await
            .map_err(|error| dial_error(self.address, &error))?;
        if self.https {
            let name = ServerName::IpAddress(self.address.ip().into());
            let connected = TlsConnector::from(insecure::config()).connect(name, stream).await;
            return self.send(connected.map_err(|error| tls_error(&error))?).await;
        }
        self.send::<TcpStream>(stream).await
    }

    async fn send<S>(&self, stream: S) -> Result<Response<Incoming>, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut request = hyper::Request::builder().method(Method::GET).uri(&self.path);
        for (name, value) in self.all_headers() {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
        let (stream, first) = Kept::new(stream);
        // Go writes header names so, and what is written by hand may know no other way.
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        // Its end is the response's end; an error shows there.
        let driver = tokio::spawn(connection);
        let response = sender.send_request(request).await;
        if response.is_err() {
            driver.abort();
        }
        response.map_err(|error| {
            if let Some(fault) = first.fault() {
                fault
            } else if error.is_incomplete_message() || error.is_canceled() {
                "EOF".to_owned()
            } else {
                error.to_string()
            }
        })
    }

    /// The kubelet's own headers where the manifest has no others of that name; an empty value takes one away.
    fn all_headers(&self) -> Vec<(String, String)> {
        let own = |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in [
            ("Host", self.authority.clone()),
            ("User-Agent", self.user_agent.to_owned()),
            ("Accept", "*/*".to_owned()),
            ("Connection", "close".to_owned()),
        ] {
            if !own(name) {
                all.push((name.to_owned(), value));
            }
        }
        let given = self.headers.iter().filter(|(name, value)| {
            !(value.is_empty() && (name.eq_ignore_ascii_case("accept") || name.eq_ignore_ascii_case("user-agent")))
        });
        all.extend(given.cloned());
        all
    }
}

/// What Go says of an answer that took too long; `stage`: which part of it.
fn late(stage: &str) -> String {
    format!("context deadline exceeded (Client.Timeout {stage})")
}

/// As much of a body as is kept; whatever comes after is not waited for.
async fn body(response: Response<Incoming>) -> Result<String, String> {
    let mut body = response.into_body();
    let mut kept = Vec::new();
    while kept.len() < OUTPUT_MAX
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|error| unread(&error))?;
        kept.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    kept.truncate(OUTPUT_MAX);
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// Why no more of a body came.
fn unread(error: &hyper::Error) -> String {
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>());
    match cause.map(std::io::Error::kind) {
        Some(ErrorKind::UnexpectedEof) => "unexpected EOF".to_owned(),
        Some(ErrorKind::ConnectionReset) => "read: connection reset by peer".to_owned(),
        _ => error.to_string(),
    }
}

fn tls_error(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "EOF".to_owned(),
        ErrorKind::InvalidData => NO_TLS.to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;
    use crate::api::streaming::echo_runtime::Echo;

    /// A server that gives these answers, one a connection, and then what it was asked; and the request to send it.
    pub(in crate::probe) async fn server(answers: Vec<String>) -> (JoinHandle<Vec<String>>, Request, SharedRuntime) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (serving, to(address), Arc::new(Echo::at(0)))
    }

    fn to(address: SocketAddr) -> Request {
        Request {
            https: false,
            address,
            authority: address.to_string(),
            path: "/a/b".into(),
            headers: vec![("x-token".into(), "t".into())],
            user_agent: USER_AGENT,
        }
    }

    pub(in crate::probe) const PATIENCE: Duration = Duration::from_secs(120);

    #[tokio::test]
    async fn headers_are_written_as_go_writes_them() {
        let (serving, request, runtime) = server(vec!["HTTP/1.1 200 OK\r\n\r\n".to_owned()]).await;
        assert_eq!(request.probe(&runtime, PATIENCE).await, Outcome::Success);
        let asked = serving.await.unwrap().concat();
        assert!(asked.contains("\r\nX-Token: t\r\n"), "{asked}");
        assert!(asked.contains("\r\nUser-Agent: kube-probe/1.36\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn an_answer_counts_once_its_body_has_come() {
        const MUCH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
        let errored = |why: &str| Outcome::Errored("failure", why.to_owned());
        let cases = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nready",
                errored("unexpected EOF"),
            ),
            (
                "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nready",
                errored("unexpected EOF"),
            ),
            (
                "HTTP/1.1 500 Oops\r\n\r\n",
                Outcome::Failure("HTTP probe failed with statuscode: 500".to_owned()),
            ),
        ];
        for (answer, expected) in cases {
            let (_, request, runtime) = server(vec![answer.to_owned()]).await;
            assert_eq!(request.probe(&runtime, PATIENCE).await, expected, "{answer}");
        }
        let (_, request, runtime) = server(vec![format!("{MUCH}{}", "x".repeat(OUTPUT_MAX))]).await;
        assert_eq!(request.probe(&runtime, PATIENCE).await, Outcome::Success);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_takes_the_time_that_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let request = to(listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nready").await.unwrap();
            stream
        });
        let runtime: SharedRuntime = Arc::new(Echo::at(0));
        let probing = tokio::spawn(async move { request.probe(&runtime, Duration::from_secs(2)).await });
        let _open = serving.await.unwrap();
        let late = "context deadline exceeded (Client.Timeout or context cancellation while reading body)";
        assert_eq!(probing.await.unwrap(), Outcome::Errored("failure", late.to_owned()));
    }

    #[tokio::test]
    async fn a_hook_falls_back_to_http_where_the_server_speaks_no_tls() {
        let (serving, request, runtime) = server(
            ["HTTP/1.0 400 Bad Request\r\n\r\n", "HTTP/1.1 500 Oops\r\n\r\n"]
                .map(str::to_owned)
                .into(),
        )
        .await;
        let host = request.authority.clone();
        let request = Request { https: true, ..request };
        assert_eq!(
            request.hook(&runtime).await,
            Ok(Some(format!(
                "request to HTTPS lifecycle hook {host} got HTTP response, retry with HTTP succeeded"
            )))
        );
        assert!(serving.await.unwrap()[1].contains("User-Agent: kube-lifecycle/1.36\r\n"));
    }
}
