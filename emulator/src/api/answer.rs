//! Answers in JSON.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::Value;

/// An object, with what is to be said about it in `Warning:` headers.
pub(super) fn json(code: StatusCode, value: &Value, warnings: &[String]) -> Response<Body> {
    let mut response = text("application/json", value.to_string());
    *response.status_mut() = code;
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// An object.
pub(super) fn ok(value: &Value) -> Response<Body> {
    json(StatusCode::OK, value, &[])
}

/// A body of a type.
pub(super) fn text(content_type: &str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    if let Ok(content_type) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}
