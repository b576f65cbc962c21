//! The gRPC health protocol: `SERVING` is success (`pkg/probe/grpc`).

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Method, Request, body::Bytes};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{OUTPUT_MAX, USER_AGENT};
use crate::{kubelet::edges::Outcome, runtime::SharedRuntime};

/// The codes of gRPC that the kubelet tells apart.
const UNIMPLEMENTED: i32 = 12;

/// How long to wait before the next try to connect.
const AGAIN: Duration = Duration::from_millis(200);

/// Asks for the health of `service`.
pub(super) async fn probe(runtime: &SharedRuntime, address: SocketAddr, service: &str, timeout: Duration) -> Outcome {
    let mut connected = false;
    let work = async {
        loop {
            match check(runtime, address, service, &mut connected).await {
                // A connection that does not come about is tried again until the time is over.
                Err(_) => tokio::time::sleep(AGAIN).await,
                answer => return answer,
            }
        }
    };
    let outcome = tokio::time::timeout(timeout, work).await;
    let seconds = timeout.as_secs();
    match outcome {
        Ok(Ok(Answer::Status(1))) => Outcome::Success,
        Ok(Ok(Answer::Status(status))) => {
            Outcome::Failure(format!("service unhealthy (responded with {:?})", status_name(status)))
        }
        Ok(Ok(Answer::Error(UNIMPLEMENTED, message))) => Outcome::Failure(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
        )),
        Ok(Ok(Answer::Error(code, message))) => Outcome::Failure(format!(
            "error: health rpc probe failed: rpc error: code = {} desc = {message}",
            code_name(code)
        )),
        Err(_) if connected => Outcome::Failure(format!("timeout: health rpc did not complete within {seconds}s")),
        Ok(Err(_)) | Err(_) => Outcome::Failure(format!(
            "timeout: failed to connect service {:?} within {seconds}s: context deadline exceeded",
            address.to_string()
        )),
    }
}

enum Answer {
    Status(u64),
    Error(i32, String),
}

async fn check(
    runtime: &SharedRuntime,
    address: SocketAddr,
    service: &str,
    connected: &mut bool,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let stream = runtime.dial(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    *connected = true;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", USER_AGENT)
        .body(Full::new(Bytes::from(message(service))))?;
    let response = sender.send_request(request).await?;
    let headers = response.headers().clone();
    let collected = Limited::new(response.into_body(), OUTPUT_MAX).collect().await?;
    driver.abort();
    let trailers = collected.trailers().cloned().unwrap_or(headers);
    let body = collected.to_bytes();
    match code(&trailers) {
        0 => Ok(Answer::Status(serving_status(&body))),
        code => Ok(Answer::Error(code, text(&trailers, "grpc-message"))),
    }
}

/// `HealthCheckRequest{service}` with the five bytes that precede every gRPC message.
fn message(service: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if !service.is_empty() {
        body.push(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            body.push(length as u8 | 0x80);
            length >>= 7;
        }
        body.push(length as u8);
        body.extend(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend(u32::try_from(body.len()).unwrap_or(0).to_be_bytes());
    framed.extend(body);
    framed
}

/// Field 1 of `HealthCheckResponse`; 0, `UNKNOWN`, where it is left out.
fn serving_status(framed: &[u8]) -> u64 {
    match framed.get(5..) {
        Some([0x08, status, ..]) => u64::from(*status),
        _ => 0,
    }
}

fn status_name(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        1 => "SERVING".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => other.to_string(),
    }
}

fn code(trailers: &HeaderMap) -> i32 {
    text(trailers, "grpc-status").parse().unwrap_or(2)
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

fn code_name(code: i32) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    usize::try_from(code)
        .ok()
        .and_then(|code| NAMES.get(code))
        .copied()
        .unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_framed_as_protobuf() {
        assert_eq!(message(""), [0, 0, 0, 0, 0]);
        assert_eq!(message("db"), [0, 0, 0, 0, 4, 0x0a, 2, b'd', b'b']);
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), 1);
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), 0);
        assert_eq!(serving_status(&[]), 0);
    }
}
