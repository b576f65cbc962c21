//! A GET request: any status from 200 to 399 is success (`pkg/probe/http`).

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Method, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header,
};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::HTTPGetAction;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{HOOK_USER_AGENT, OUTPUT_MAX, USER_AGENT, address, dial_error, first_line::Kept, insecure};
use crate::{
    kubelet::edges::{Aim, Outcome},
    runtime::SharedRuntime,
};

/// The most redirects that are followed.
const REDIRECTS_MAX: usize = 10;

/// What Go's `net/http` says of a server that answers without TLS.
const NO_TLS: &str = "http: server gave HTTP response to HTTPS client";

/// One request of a probe or hook.
#[derive(Clone)]
pub(super) struct Request {
    https: bool,
    address: SocketAddr,
    /// Host and port as the manifest names them; the server may tell hosts apart by it.
    authority: String,
    path: String,
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

    fn url(&self) -> String {
        format!(
            "{}://{}{}",
            if self.https { "https" } else { "http" },
            self.authority,
            self.path
        )
    }

    /// Sends it and judges the answer.
    pub(super) async fn probe(mut self, runtime: &SharedRuntime, timeout: Duration) -> Outcome {
        let first = self.url();
        let work = async {
            let mut location = String::new();
            for _ in 0..REDIRECTS_MAX {
                let response = match self.get(runtime).await {
                    Ok(response) => response,
                    Err(why) => return Outcome::Failure(format!("Get {:?}: {why}", self.url())),
                };
                let status = response.status();
                if !(200..400).contains(&status.as_u16()) {
                    return Outcome::Failure(format!("HTTP probe failed with statuscode: {}", status.as_u16()));
                }
                match self.redirect(&response) {
                    Redirect::None if status.is_success() => return Outcome::Success,
                    Redirect::Here(next) => {
                        location = located(&response).unwrap_or_default().to_owned();
                        self = *next;
                    }
                    Redirect::None | Redirect::Elsewhere => {
                        let body = body(response).await;
                        return Outcome::Warning(format!("Probe terminated redirects, Response body: {body}"));
                    }
                }
            }
            // Go names the place as the last answer does (`net/http`, `Client.do`).
            Outcome::Failure(format!("Get {location:?}: stopped after {REDIRECTS_MAX} redirects"))
        };
        match tokio::time::timeout(timeout, work).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Failure(format!(
                "Get {first:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            )),
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

    async fn get(&self, runtime: &SharedRuntime) -> Result<Response<Incoming>, String> {
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

    fn redirect(&self, response: &Response<Incoming>) -> Redirect {
        let status = response.status();
        let follows = [
            StatusCode::MOVED_PERMANENTLY,
            StatusCode::FOUND,
            StatusCode::SEE_OTHER,
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ];
        let (true, Some(location)) = (follows.contains(&status), located(response)) else {
            return Redirect::None;
        };
        if !location.starts_with("//") && !location.contains("://") {
            let path = beside(&self.path, location);
            return Redirect::Here(Box::new(Self { path, ..self.clone() }));
        }
        let Ok(uri) = location.parse::<Uri>() else {
            return Redirect::Elsewhere;
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let host = uri.host().unwrap_or_default();
        let own = self
            .authority
            .rsplit_once(':')
            .map_or(self.authority.as_str(), |(own, _)| own);
        if host != own {
            return Redirect::Elsewhere;
        }
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        Redirect::Here(Box::new(Self {
            https,
            address: SocketAddr::new(self.address.ip(), port),
            authority: uri.authority().map(ToString::to_string).unwrap_or_default(),
            path,
            ..self.clone()
        }))
    }
}

/// The place that an answer names.
fn located(response: &Response<Incoming>) -> Option<&str> {
    response.headers().get(header::LOCATION)?.to_str().ok()
}

/// Where a location without a host leads, from a path.
fn beside(path: &str, location: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    match location.chars().next() {
        Some('/') => location.to_owned(),
        Some('?') => format!("{path}{location}"),
        _ => format!("{}/{location}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
    }
}

enum Redirect {
    None,
    Here(Box<Request>),
    Elsewhere,
}

async fn body(response: Response<Incoming>) -> String {
    match Limited::new(response.into_body(), OUTPUT_MAX).collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(_) => String::new(),
    }
}

fn tls_error(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        std::io::ErrorKind::InvalidData => NO_TLS.to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;
    use crate::api::streaming::echo_runtime::Echo;

    /// A server that gives these answers, one a connection, and then what it was asked; and the request to send it.
    async fn server(answers: &'static [&str]) -> (JoinHandle<Vec<String>>, Request, SharedRuntime) {
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
        let request = Request {
            https: false,
            address,
            authority: address.to_string(),
            path: "/a/b".into(),
            headers: vec![("x-token".into(), "t".into())],
            user_agent: USER_AGENT,
        };
        (serving, request, Arc::new(Echo::at(0)))
    }

    const PATIENCE: Duration = Duration::from_secs(120);

    #[tokio::test]
    async fn headers_are_written_as_go_writes_them() {
        let (serving, request, runtime) = server(&["HTTP/1.1 200 OK\r\n\r\n"]).await;
        assert_eq!(request.probe(&runtime, PATIENCE).await, Outcome::Success);
        let asked = serving.await.unwrap().concat();
        assert!(asked.contains("\r\nX-Token: t\r\n"), "{asked}");
        assert!(asked.contains("\r\nUser-Agent: kube-probe/1.36\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_redirect_that_leads_nowhere_is_a_success_with_a_warning() {
        let (_, request, runtime) = server(&["HTTP/1.1 304 Not Modified\r\n\r\n"]).await;
        let warning = "Probe terminated redirects, Response body: ";
        assert_eq!(
            request.probe(&runtime, PATIENCE).await,
            Outcome::Warning(warning.to_owned())
        );
    }

    #[tokio::test]
    async fn redirects_on_the_same_host_are_followed() {
        let (serving, request, runtime) = server(&[
            "HTTP/1.1 302 Found\r\nLocation: c?d\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
        ])
        .await;
        assert_eq!(request.probe(&runtime, PATIENCE).await, Outcome::Success);
        assert!(serving.await.unwrap()[1].starts_with("GET /a/c?d HTTP/1.1\r\n"));
        for (location, expected) in [("/c", "/c"), ("?c", "/a/b?c"), ("c", "/a/c")] {
            assert_eq!(beside("/a/b?x", location), expected);
        }
    }

    #[tokio::test]
    async fn redirects_without_end_are_told_with_the_place_that_the_last_one_named() {
        const AGAIN: &str = "HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\n\r\n";
        let (serving, request, runtime) = server(&[AGAIN; REDIRECTS_MAX]).await;
        let failure = "Get \"/again\": stopped after 10 redirects";
        assert_eq!(
            request.probe(&runtime, PATIENCE).await,
            Outcome::Failure(failure.to_owned())
        );
        assert_eq!(serving.await.unwrap().len(), REDIRECTS_MAX);
    }

    #[tokio::test]
    async fn a_hook_falls_back_to_http_where_the_server_speaks_no_tls() {
        let (serving, request, runtime) =
            server(&["HTTP/1.0 400 Bad Request\r\n\r\n", "HTTP/1.1 500 Oops\r\n\r\n"]).await;
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
