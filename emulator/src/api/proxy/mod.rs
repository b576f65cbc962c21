//! `pods/NAME/proxy`: an HTTP request to a pod by way of the API server (`pkg/registry/core/pod/rest/subresources.go`,
//! `apimachinery/pkg/util/proxy`).

mod location;
mod target;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

pub(super) use self::target::{Target, absent};
use super::status::Status;
use crate::probe::{any_certificate, dial_error};
use crate::runtime::SharedRuntime;

/// How long a pod may take to accept a connection, as in Go's default transport.
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Headers that are about one connection and not about the request or answer.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers of the pod's answer that would speak for the API server.
const CORS: [&str; 4] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
];

/// The address of the client, which the server notes on each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientAddress(pub(super) IpAddr);

/// Sends the request to the pod, and returns the pod's answer.
///
/// # Errors
/// Where the pod has no address, or does not answer.
pub(super) async fn proxy(
    target: &Target,
    pod: &Value,
    runtime: &SharedRuntime,
    mut request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let upgrades = is_upgrade(request.headers());
    if target.path.is_empty() && !upgrades && matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(to_root(request.uri()));
    }
    let address = address(target, pod)?;
    let upgrade = upgrades.then(|| hyper::upgrade::on(&mut request));
    let sent = outgoing(target, request, upgrades)?;
    let host = sent
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .map(str::to_owned);
    let mut answer = send(target, address, runtime, sent).await.map_err(unreachable)?;
    if let Some(upgrade) = upgrade {
        return upgraded(upgrade, answer);
    }
    remove(answer.headers_mut(), &HOP_BY_HOP);
    remove(answer.headers_mut(), &CORS);
    let hosts = [Some(address.to_string()), host];
    location::rewrite(answer.headers_mut(), &target.prefix, &hosts);
    Ok(answer)
}

/// Sends browsers to the path with a slash at its end, from which relative links lead into the pod.
fn to_root(uri: &Uri) -> Response<Body> {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(place) = HeaderValue::from_str(&format!("{}/{query}", uri.path())) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The pod's address and port: the first one that its containers name where the request names none.
fn address(target: &Target, pod: &Value) -> Result<SocketAddr, Status> {
    let ip = pod["status"]["podIP"].as_str().and_then(|ip| ip.parse::<IpAddr>().ok());
    let ip = ip.ok_or_else(|| Status::bad_request("address not allowed"))?;
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut ports = containers.filter_map(|container| container["ports"][0]["containerPort"].as_u64());
    let port = match target.port.as_str() {
        "" => ports.next().and_then(|port| u16::try_from(port).ok()),
        // The names that every machine knows; those of the pod's ports are not looked at.
        "http" => Some(80),
        "https" => Some(443),
        port => Some(
            port.parse()
                .map_err(|_| unreachable(format!("dial tcp: lookup tcp/{port}: unknown port")))?,
        ),
    };
    Ok(SocketAddr::new(ip, port.unwrap_or(if target.https { 443 } else { 80 })))
}

/// The request as the pod gets it: without what is between the client and the API server alone.
fn outgoing(target: &Target, request: Request<Body>, upgrades: bool) -> Result<Request<Body>, Status> {
    let (mut parts, body) = request.into_parts();
    let path = if target.path.is_empty() { "/" } else { &target.path };
    let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let authority = parts.uri.authority().map(|authority| authority.as_str().to_owned());
    parts.uri = format!("{path}{query}")
        .parse()
        .map_err(|error| Status::bad_request(format!("invalid path {path:?}: {error}")))?;
    parts.version = axum::http::Version::HTTP_11;
    let headers = &mut parts.headers;
    // Over HTTP/2 the host is part of the address.
    if let (false, Some(Ok(host))) = (headers.contains_key(header::HOST), authority.map(|host| host.parse())) {
        headers.insert(header::HOST, host);
    }
    let upgrade = headers.get(header::UPGRADE).cloned();
    remove(headers, &HOP_BY_HOP);
    // The client's token is for the API server.
    headers.remove(header::AUTHORIZATION);
    if let Some(upgrade) = upgrade.filter(|_| upgrades) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
    if let Some(ClientAddress(address)) = parts.extensions.get::<ClientAddress>() {
        let before = headers.get("x-forwarded-for").and_then(|before| before.to_str().ok());
        let all = before.map_or_else(|| address.to_string(), |before| format!("{before}, {address}"));
        set(headers, HeaderName::from_static("x-forwarded-for"), &all);
    }
    let forwarded = format!("{}{}", target.prefix, target.path);
    set(headers, HeaderName::from_static("x-forwarded-uri"), &forwarded);
    parts.extensions = axum::http::Extensions::new();
    Ok(Request::from_parts(parts, body))
}

async fn send(
    target: &Target,
    address: SocketAddr,
    runtime: &SharedRuntime,
    request: Request<Body>,
) -> Result<Response<Body>, String> {
    let dialled = tokio::time::timeout(DIAL_TIMEOUT, runtime.dial(address)).await;
    let stream = dialled
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        .map_err(|error| dial_error(address, &error))?;
    if !target.https {
        return exchange(stream, request).await;
    }
    let name = ServerName::IpAddress(address.ip().into());
    // Nobody signs the certificates of pods: who answers is known by the address.
    let connected = TlsConnector::from(any_certificate()).connect(name, stream).await;
    exchange(connected.map_err(|error| error.to_string())?, request).await
}

async fn exchange<S>(stream: S, request: Request<Body>) -> Result<Response<Body>, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    Ok(answer.map(Body::new))
}

/// Connects client and pod once both have left HTTP; an error of the pod is passed on.
fn upgraded(client: hyper::upgrade::OnUpgrade, mut answer: Response<Body>) -> Result<Response<Body>, Status> {
    let status = answer.status();
    if status.as_u16() >= 400 {
        remove(answer.headers_mut(), &HOP_BY_HOP);
        return Ok(answer);
    }
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let why = format!("invalid upgrade response: status code {}", status.as_u16());
        return Err(Status::internal(why));
    }
    let pod = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        if let (Ok(client), Ok(pod)) = tokio::join!(client, pod) {
            let (mut client, mut pod) = (TokioIo::new(client), TokioIo::new(pod));
            // Either side may go at any time.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut pod).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

fn unreachable(why: String) -> Status {
    Status::service_unavailable(format!("error trying to reach service: {why}"))
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    let mut connection = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let asks = connection.any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")));
    asks && headers.contains_key(header::UPGRADE)
}

/// Removes headers, and those that `Connection:` names where it is one of them.
fn remove(headers: &mut HeaderMap, names: &[&str]) {
    if names.contains(&"connection") {
        let connection = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let named: Vec<String> = connection
            .flat_map(|value| value.split(','))
            .map(|name| name.trim().to_lowercase())
            .collect();
        for name in &named {
            headers.remove(name.as_str());
        }
    }
    for name in names {
        headers.remove(*name);
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
