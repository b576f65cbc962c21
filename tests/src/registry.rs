//! A registry of a test's own, on the loopback: what the distribution specification asks of one, in memory.
//!
//! It refuses what a real one refuses: content that is not what its digest says, manifests that name what is not there,
//! and, where it has a password, whoever does not know it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    content: Arc<Mutex<Content>>,
    _runtime: Runtime,
}

#[derive(Debug, Default)]
struct Content {
    /// `user:password`, where it asks for them.
    credentials: Option<String>,
    uploads: Vec<Vec<u8>>,
    blobs: HashMap<String, Bytes>,
    /// By repository, and tag or digest: media type and content.
    manifests: HashMap<(String, String), (String, Bytes)>,
}

impl Registry {
    /// One that serves everybody.
    #[must_use]
    pub fn open() -> Self {
        Self::with(None)
    }

    /// One that serves whoever has these.
    #[must_use]
    pub fn closed(user: &str, password: &str) -> Self {
        Self::with(Some(format!("{user}:{password}")))
    }

    fn with(credentials: Option<String>) -> Self {
        let content = Arc::new(Mutex::new(Content {
            credentials,
            ..Content::default()
        }));
        let runtime = Runtime::new().expect("threads");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port on the loopback");
        let address = listener.local_addr().expect("it is bound");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&content));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            content,
            _runtime: runtime,
        }
    }

    /// A name in it.
    #[must_use]
    pub fn name(&self, repository_and_tag: &str) -> String {
        format!("{}/{repository_and_tag}", self.address)
    }

    /// Its host and port.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The manifest that a tag of a repository names, and its digest.
    #[must_use]
    pub fn manifest(&self, repository: &str, tag: &str) -> Option<(Value, String)> {
        let content = self.content.lock().expect("no thread panicked");
        let (_, bytes) = content.manifests.get(&(repository.to_owned(), tag.to_owned()))?;
        Some((serde_json::from_slice(bytes).ok()?, digest(bytes)))
    }
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter()
        .fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}

async fn answer(
    State(content): State<Arc<Mutex<Content>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut content = content.lock().expect("no thread panicked");
    if !content.admits(&headers) {
        return response(
            StatusCode::UNAUTHORIZED,
            &[("www-authenticate", "Basic realm=\"registry\"")],
            refusal("UNAUTHORIZED"),
        );
    }
    let path = uri.path().strip_prefix("/v2/").unwrap_or_default();
    if path.is_empty() {
        return response(StatusCode::OK, &[], Bytes::new());
    }
    if let Some((repository, rest)) = path.split_once("/blobs/uploads/") {
        return content.upload(&method, repository, rest, uri.query().unwrap_or_default(), &body);
    }
    if let Some((_, digest)) = path.split_once("/blobs/") {
        return match content.blobs.get(digest) {
            Some(bytes) => found(&method, "application/octet-stream", digest, bytes.clone()),
            None => response(StatusCode::NOT_FOUND, &[], refusal("BLOB_UNKNOWN")),
        };
    }
    match path.split_once("/manifests/") {
        Some((repository, reference)) if method == Method::PUT => content.put(repository, reference, &headers, body),
        Some((repository, reference)) => match content.manifests.get(&(repository.to_owned(), reference.to_owned())) {
            Some((media_type, bytes)) => found(&method, media_type, &digest(bytes), bytes.clone()),
            None => response(StatusCode::NOT_FOUND, &[], refusal("MANIFEST_UNKNOWN")),
        },
        None => response(StatusCode::NOT_FOUND, &[], refusal("UNSUPPORTED")),
    }
}

impl Content {
    fn admits(&self, headers: &HeaderMap) -> bool {
        self.credentials.as_ref().is_none_or(|credentials| {
            let wanted = format!("Basic {}", BASE64_STANDARD.encode(credentials));
            headers
                .get(header::AUTHORIZATION)
                .is_some_and(|given| *given == *wanted)
        })
    }

    fn upload(&mut self, method: &Method, repository: &str, which: &str, query: &str, body: &[u8]) -> Response {
        let number = match which.parse::<usize>() {
            Ok(number) if number < self.uploads.len() => number,
            _ => {
                self.uploads.push(Vec::new());
                self.uploads.len() - 1
            }
        };
        let upload = &mut self.uploads[number];
        upload.extend_from_slice(body);
        let end = upload.len().saturating_sub(1).to_string();
        let location = format!("/v2/{repository}/blobs/uploads/{number}");
        if *method != Method::PUT {
            let range = format!("0-{end}");
            return response(
                StatusCode::ACCEPTED,
                &[("location", &location), ("range", &range)],
                Bytes::new(),
            );
        }
        let bytes = std::mem::take(upload);
        let told = query.split('&').find_map(|pair| pair.strip_prefix("digest="));
        let told = told.unwrap_or_default().replace("%3A", ":").replace("%3a", ":");
        if told != digest(&bytes) {
            return response(StatusCode::BAD_REQUEST, &[], refusal("DIGEST_INVALID"));
        }
        let location = format!("/v2/{repository}/blobs/{told}");
        self.blobs.insert(told, bytes.into());
        response(StatusCode::CREATED, &[("location", &location)], Bytes::new())
    }

    fn put(&mut self, repository: &str, reference: &str, headers: &HeaderMap, body: Bytes) -> Response {
        let Ok(manifest) = serde_json::from_slice::<Value>(&body) else {
            return response(StatusCode::BAD_REQUEST, &[], refusal("MANIFEST_INVALID"));
        };
        let here = digest(&body);
        if reference.starts_with("sha256:") && reference != here {
            return response(StatusCode::BAD_REQUEST, &[], refusal("DIGEST_INVALID"));
        }
        let blobs = manifest["layers"]
            .as_array()
            .into_iter()
            .flatten()
            .chain(manifest.get("config"));
        let manifests = manifest["manifests"].as_array().into_iter().flatten();
        let has_blobs = blobs
            .filter_map(|named| named["digest"].as_str())
            .all(|named| self.blobs.contains_key(named));
        let has_manifests = manifests
            .filter_map(|named| named["digest"].as_str())
            .all(|named| self.manifests.contains_key(&(repository.to_owned(), named.to_owned())));
        if !has_blobs || !has_manifests {
            return response(StatusCode::BAD_REQUEST, &[], refusal("MANIFEST_BLOB_UNKNOWN"));
        }
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|given| given.to_str().ok());
        let kept = (media_type.unwrap_or_default().to_owned(), body);
        for name in [here.as_str(), reference] {
            self.manifests
                .insert((repository.to_owned(), name.to_owned()), kept.clone());
        }
        let location = format!("/v2/{repository}/manifests/{here}");
        let headers = [("location", location.as_str()), ("docker-content-digest", &here)];
        response(StatusCode::CREATED, &headers, Bytes::new())
    }
}

fn found(method: &Method, media_type: &str, digest: &str, bytes: Bytes) -> Response {
    let length = bytes.len().to_string();
    let body = if *method == Method::HEAD { Bytes::new() } else { bytes };
    let headers = [
        ("content-type", media_type),
        ("docker-content-digest", digest),
        ("content-length", &length),
    ];
    response(StatusCode::OK, &headers, body)
}

fn refusal(code: &str) -> Bytes {
    serde_json::json!({"errors": [{"code": code, "message": code.to_lowercase()}]})
        .to_string()
        .into()
}

fn response(status: StatusCode, headers: &[(&str, &str)], body: Bytes) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).expect("headers are plain text")
}
