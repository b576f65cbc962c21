//! Answers in JSON.

use std::collections::HashSet;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::Value;

/// An object, with what is to be said about it in `Warning:` headers.
pub(super) fn json(code: StatusCode, value: &Value, warnings: &[String]) -> Response<Body> {
    let mut response = text("application/json", value.to_string());
    *response.status_mut() = code;
    for warning in fitting(warnings) {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// The warnings that fit into the head of an answer, each once: where they are too long together, each is cut off
/// (`apiserver/pkg/endpoints/filters/warning.go`).
fn fitting(warnings: &[String]) -> Vec<String> {
    /// The most characters of all warnings.
    const MAX_TOTAL: usize = 4096;
    /// The most characters of each where they are more together.
    const MAX_ITEM: usize = 256;
    let mut seen = HashSet::new();
    let warnings: Vec<&String> = warnings.iter().filter(|warning| seen.insert(*warning)).collect();
    let total: usize = warnings.iter().map(|warning| warning.chars().count()).sum();
    if total <= MAX_TOTAL {
        return warnings.into_iter().cloned().collect();
    }
    let mut written = 0;
    let cut = warnings
        .into_iter()
        .map(|warning| warning.chars().take(MAX_ITEM).collect::<String>());
    let fits = |warning: &String| {
        let fits = written < MAX_TOTAL;
        written += warning.chars().count();
        fits
    };
    cut.take_while(fits).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said(warnings: &[String]) -> Vec<String> {
        let response = json(StatusCode::OK, &Value::Null, warnings);
        let all = response.headers().get_all(header::WARNING).iter();
        all.map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn warnings_are_quoted_and_said_once() {
        let warnings = ["a \"b\" \\".to_owned(), "ü".to_owned(), "ü".to_owned()];
        assert_eq!(said(&warnings), ["299 - \"a \\\"b\\\" \\\\\"", "299 - \"ü\""]);
    }

    #[test]
    fn warnings_that_are_too_long_are_cut_off() {
        let warnings: Vec<String> = (0..100).map(|index| format!("{index:03}{}", "x".repeat(500))).collect();
        let said = said(&warnings);
        assert_eq!(said.len(), 16);
        assert!(said.iter().all(|warning| warning.len() == "299 - \"\"".len() + 256));
        assert_eq!(fitting(&warnings[..2]), warnings[..2]);
    }
}
