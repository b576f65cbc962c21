//! Turning a request into a connection of another protocol.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header},
};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::api::admission::Rejection;

/// What the bytes of an upgraded connection come through.
pub(super) type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// What the client wants to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// RFC 6455.
    WebSocket,
    /// SPDY/3.1.
    Spdy,
}

/// Reads `Connection: Upgrade` and `Upgrade:`.
pub(super) fn transport(headers: &HeaderMap) -> Result<Transport, Rejection> {
    let names = |name: header::HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    if names(header::CONNECTION, "upgrade") {
        if names(header::UPGRADE, "websocket") {
            return Ok(Transport::WebSocket);
        }
        if names(header::UPGRADE, "SPDY/3.1") {
            return Ok(Transport::Spdy);
        }
    }
    Err(Rejection::BadRequest("Upgrade request required".into()))
}

/// The first of the client's protocols that is known here.
pub(super) fn choose<'a>(headers: &HeaderMap, name: &str, known: &[&'a str]) -> Option<&'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|wanted| known.iter().find(|known| **known == wanted.trim()).copied())
}

/// What begins a protocol that is no protocol but carries a token: browsers can send no other header
/// (`apiserver/pkg/authentication/request/websocket/protocol.go`).
pub(in crate::api) const TOKEN_PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

/// The protocols that a client offers for a WebSocket, without one that carries its token.
pub(super) fn offered(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|protocol| !protocol.is_empty() && !protocol.starts_with(TOKEN_PROTOCOL))
        .collect()
}

/// The first of the client's protocols that is known here; none where it offers none.
///
/// # Errors
/// Where it offers others only.
pub(super) fn choose_websocket<'a>(headers: &HeaderMap, known: &[&'a str]) -> Result<Option<&'a str>, Rejection> {
    let offered = offered(headers);
    let mut found = offered
        .iter()
        .filter_map(|wanted| known.iter().find(|known| *known == wanted));
    match found.next() {
        Some(protocol) => Ok(Some(*protocol)),
        None if offered.is_empty() => Ok(None),
        None => Err(Rejection::BadRequest(format!(
            "requested protocol(s) are not supported: [{}]; supports [{}]",
            offered.join(" "),
            known.join(" ")
        ))),
    }
}

/// The connection behind a request, once the answer of [`websocket`] or [`spdy`] has been sent.
pub(super) fn connection(request: &mut Request<Body>) -> Result<hyper::upgrade::OnUpgrade, Rejection> {
    if request.extensions().get::<hyper::upgrade::OnUpgrade>().is_none() {
        return Err(Rejection::BadRequest("the connection cannot be upgraded".into()));
    }
    Ok(hyper::upgrade::on(request))
}

/// The answer that begins a WebSocket; without a protocol where the client has offered none.
pub(super) fn websocket(headers: &HeaderMap, protocol: Option<&str>) -> Result<Response<Body>, Rejection> {
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(Rejection::BadRequest(
            "websocket: missing or bad WebSocket Version: send Sec-WebSocket-Version: 13".into(),
        ));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .ok_or_else(|| Rejection::BadRequest("websocket: the Sec-WebSocket-Key header is missing".into()))?;
    let mut response = switching("websocket");
    let headers = response.headers_mut();
    insert(
        headers,
        header::SEC_WEBSOCKET_ACCEPT.as_str(),
        &derive_accept_key(key.as_bytes()),
    );
    if let Some(protocol) = protocol {
        insert(headers, header::SEC_WEBSOCKET_PROTOCOL.as_str(), protocol);
    }
    Ok(response)
}

/// The answer that begins SPDY.
pub(super) fn spdy(protocol: &str) -> Response<Body> {
    let mut response = switching("SPDY/3.1");
    insert(response.headers_mut(), "x-stream-protocol-version", protocol);
    response
}

fn switching(to: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(to));
    response
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_first_known_protocol_is_taken() {
        let mut headers = HeaderMap::new();
        headers.append("p", HeaderValue::from_static("v9, v5"));
        headers.append("p", HeaderValue::from_static("v4"));
        assert_eq!(choose(&headers, "p", &["v4", "v5"]), Some("v5"));
        assert_eq!(choose(&headers, "p", &["v1"]), None);
    }

    #[test]
    fn token_is_no_protocol() {
        let mut headers = HeaderMap::new();
        let value = "base64url.bearer.authorization.k8s.io.dG9rZW4, v4.channel.k8s.io";
        headers.append("sec-websocket-protocol", HeaderValue::from_static(value));
        assert_eq!(offered(&headers), ["v4.channel.k8s.io"]);
        let known = ["v4.channel.k8s.io"];
        assert_eq!(choose_websocket(&headers, &known), Ok(Some("v4.channel.k8s.io")));
        assert_eq!(choose_websocket(&HeaderMap::new(), &known), Ok(None));
        let refused = choose_websocket(&headers, &["x"]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "requested protocol(s) are not supported: [v4.channel.k8s.io]; supports [x]"
        );
    }

    #[test]
    fn a_plain_request_is_refused() {
        assert!(transport(&HeaderMap::new()).is_err());
    }
}
