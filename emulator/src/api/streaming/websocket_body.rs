//! The body of an answer over a WebSocket: logs and watches for browsers, which can't read a stream in another way.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, Response, StatusCode},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, Message, Role, frame::coding::CloseCode},
};

use super::{
    upgrade::{self, Transport, Upgraded, transport},
    websocket_command::config,
};
use crate::api::admission::Rejection;

const BINARY: &str = "binary.k8s.io";
const BASE64: &str = "base64.binary.k8s.io";

/// What the body is, which decides on the form of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Content {
    /// Bytes, as `binary.k8s.io` (also where no protocol is asked for) or `base64.binary.k8s.io`. The first message is empty.
    Log,
    /// One event of JSON in each message, as text, whatever protocol is asked for (`apiserver/pkg/endpoints/handlers/watch.go`).
    Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Binary,
    Base64,
    Text,
}

impl Form {
    fn message(self, data: Bytes) -> Message {
        match self {
            Self::Binary => Message::Binary(data),
            Self::Base64 => Message::Text(BASE64_STANDARD.encode(data).into()),
            Self::Text => Message::Text(String::from_utf8_lossy(&data).into_owned().into()),
        }
    }
}

/// A WebSocket that a client has asked for.
pub(in crate::api) struct BodySocket {
    connection: OnUpgrade,
    handshake: Response<Body>,
    form: Form,
    greets: bool,
}

impl BodySocket {
    /// Returns the WebSocket that a request asks for, where it asks for one.
    ///
    /// # Errors
    /// Where the request can't be upgraded, or asks for protocols that are not known.
    pub(in crate::api) fn requested(request: &mut Request<Body>, content: Content) -> Result<Option<Self>, Rejection> {
        if !matches!(transport(request.headers()), Ok(Transport::WebSocket)) {
            return Ok(None);
        }
        let (protocol, form) = protocol(request.headers(), content)?;
        let handshake = upgrade::websocket(request.headers(), protocol.as_deref())?;
        Ok(Some(Self {
            connection: upgrade::connection(request)?,
            handshake,
            form,
            greets: content == Content::Log,
        }))
    }

    /// Sends the body of a successful answer over the WebSocket; another answer stays as it is.
    pub(in crate::api) fn send(self, answer: Response<Body>) -> Response<Body> {
        if answer.status() != StatusCode::OK {
            return answer;
        }
        tokio::spawn(async move {
            if let Ok(connection) = self.connection.await {
                run(Upgraded::new(connection), answer.into_body(), self.form, self.greets).await;
            }
        });
        self.handshake
    }
}

fn protocol(headers: &HeaderMap, content: Content) -> Result<(Option<String>, Form), Rejection> {
    if content == Content::Watch {
        let offered = upgrade::offered(headers);
        return Ok((offered.first().map(|protocol| (*protocol).to_owned()), Form::Text));
    }
    let protocol = upgrade::choose_websocket(headers, &[BINARY, BASE64])?;
    let form = if protocol == Some(BASE64) {
        Form::Base64
    } else {
        Form::Binary
    };
    Ok((protocol.map(str::to_owned), form))
}

async fn run(connection: Upgraded, body: Body, form: Form, greets: bool) {
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config())).await;
    let (mut sink, mut stream) = socket.split();
    // The client has nothing to say but that it goes; pings are answered by the reader itself.
    let reading = async move { while let Some(Ok(_)) = stream.next().await {} };
    let writing = async move {
        if greets && sink.send(form.message(Bytes::new())).await.is_err() {
            return;
        }
        let mut chunks = body.into_data_stream();
        while let Some(Ok(chunk)) = chunks.next().await {
            if sink.send(form.message(chunk)).await.is_err() {
                return;
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
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn protocol_decides_on_the_form_of_a_log() {
        let of = |protocols: Option<&'static str>, content| {
            let mut headers = HeaderMap::new();
            if let Some(protocols) = protocols {
                headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocols));
            }
            protocol(&headers, content)
        };
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(of(None, Content::Log), Ok((None, Form::Binary)));
        assert_eq!(
            of(Some("x, base64.binary.k8s.io"), Content::Log),
            Ok((some(BASE64), Form::Base64))
        );
        assert_eq!(
            of(Some("binary.k8s.io"), Content::Log),
            Ok((some(BINARY), Form::Binary))
        );
        assert!(of(Some("v4.channel.k8s.io"), Content::Log).is_err());
        assert_eq!(
            of(Some("base64.binary.k8s.io"), Content::Watch),
            Ok((some(BASE64), Form::Text))
        );
        assert_eq!(of(None, Content::Watch), Ok((None, Form::Text)));
    }

    #[test]
    fn messages_have_the_form_of_the_protocol() {
        let data = Bytes::from_static(b"hi\n");
        assert_eq!(Form::Binary.message(data.clone()), Message::Binary(data.clone()));
        assert_eq!(Form::Base64.message(data.clone()), Message::Text("aGkK".into()));
        assert_eq!(Form::Text.message(data), Message::Text("hi\n".into()));
    }
}
