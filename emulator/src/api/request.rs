//! A request, read: whom it is about, from whom, with what.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};

use super::protobuf;
use super::query::Query;
use super::selector::Selector;
use super::shape::Shape;
use super::status::Status;
use super::target::Target;
use crate::store::Resource;

/// The largest body that is read, as in Kubernetes.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// How long a client may take to send a body, as long as a request may take in Kubernetes.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// What a verb needs to know of its request.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Set once the client has gone.
    abandoned: Arc<AtomicBool>,
}

/// Abandons a request that is worked on by another thread, when it is dropped: the client has gone, or has its answer.
pub(super) struct Client(Arc<AtomicBool>);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Asked {
    /// Reads all of a request.
    ///
    /// # Errors
    /// Where its body is too large or breaks off.
    pub(super) async fn read(request: Request<Body>) -> Result<Self, Status> {
        let (mut parts, body) = request.into_parts();
        let read = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, LARGEST_BODY)).await;
        let read = read.map_err(|_| Status::timeout("the request's body did not come within 60 seconds"))?;
        let mut body = read.map_err(|error| {
            let is_limit = |cause: &(dyn std::error::Error + 'static)| cause.is::<http_body_util::LengthLimitError>();
            if error.source().is_some_and(is_limit) {
                return Status::too_large(format!("Request entity too large: limit is {LARGEST_BODY}"));
            }
            Status::bad_request(format!("cannot read the request's body: {error}"))
        })?;
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let json = protobuf::to_json(&body).map_err(|error| Status::bad_request(error.to_string()))?;
        if let Some(json) = json {
            body = json.to_string().into();
            parts
                .headers
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Self {
            method: parts.method,
            query,
            headers: parts.headers,
            body,
            abandoned: Arc::default(),
        })
    }

    /// What has to be held for as long as the client waits.
    pub(super) fn client(&self) -> Client {
        Client(self.abandoned.clone())
    }

    /// Stops work that nobody waits for any more.
    ///
    /// # Errors
    /// Where the client has gone.
    pub(super) fn still_wanted(&self) -> Result<(), Status> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(Status::timeout("the client has closed the connection"));
        }
        Ok(())
    }

    /// The type of the body, without parameters.
    pub(super) fn content_type(&self) -> &str {
        let value = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    /// In which form objects are wanted.
    pub(super) fn shape(&self, target: &Target) -> Shape {
        let accept = self
            .headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let shape = Shape::of(accept, self.query.get("includeObject"));
        if target.new_events {
            shape.of_new_events()
        } else {
            shape
        }
    }

    /// Whether nothing is to be stored.
    ///
    /// # Errors
    /// For a value that Kubernetes does not know.
    pub(super) fn is_dry_run(&self) -> Result<bool, Status> {
        match self.query.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(Status::unprocessable(format!(
                "dryRun: Unsupported value: \"{other}\": supported values: \"All\""
            ))),
        }
    }

    /// The name that owns what is written: the one given, or the program's.
    pub(super) fn manager(&self) -> String {
        if let Some(name) = self.query.get("fieldManager") {
            return name.to_owned();
        }
        let agent = self
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("unknown");
        agent.split('/').next().unwrap_or_default().chars().take(128).collect()
    }

    /// Which objects of the collection are meant; an object's path means that one.
    ///
    /// # Errors
    /// For selectors that can't be read, or not be served.
    pub(super) fn selector(&self, target: &Target) -> Result<Selector, Status> {
        let (labels, fields) = (
            self.query.get("labelSelector").unwrap_or_default(),
            self.query.get("fieldSelector").unwrap_or_default(),
        );
        let selector = Selector::parse(target.resource, target.new_events, labels, fields);
        selector.map_err(Status::bad_request)
    }

    /// `resourceVersion`; absent and 0 both mean any.
    ///
    /// # Errors
    /// Where it is no number.
    pub(super) fn version(&self) -> Result<Option<u64>, Status> {
        match self.query.get("resourceVersion") {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                Status::bad_request(format!(
                    "resourceVersion: Invalid value: \"{text}\": must be a non-negative integer"
                ))
            }),
        }
    }
}

/// The verb as authorization names it.
pub(super) fn verb(method: &Method, target: &Target, watches: bool) -> &'static str {
    match (method.as_str(), target.name.is_some()) {
        ("GET", _) if watches => "watch",
        ("GET", true) => "get",
        ("GET", false) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        _ => "",
    }
}

/// The subresources of a kind, with their verbs.
pub(super) fn subresources(resource: Resource) -> &'static [(&'static str, &'static str, &'static [&'static str])] {
    match resource {
        Resource::Pods => &[
            ("attach", "PodAttachOptions", &["create", "get"]),
            ("binding", "Binding", &["create"]),
            ("ephemeralcontainers", "Pod", &["get", "patch", "update"]),
            ("eviction", "Eviction", &["create"]),
            ("exec", "PodExecOptions", &["create", "get"]),
            ("log", "Pod", &["get"]),
            ("portforward", "PodPortForwardOptions", &["create", "get"]),
            (
                "proxy",
                "PodProxyOptions",
                &["create", "delete", "get", "patch", "update"],
            ),
            ("resize", "Pod", &["get", "patch", "update"]),
            ("status", "Pod", &["get", "patch", "update"]),
        ],
        Resource::Namespaces => &[("status", "Namespace", &["get", "patch", "update"])],
        Resource::Nodes => &[("status", "Node", &["get", "patch", "update"])],
        Resource::ServiceAccounts => &[("token", "TokenRequest", &["create"])],
        Resource::ResourceQuotas => &[("status", "ResourceQuota", &["get", "patch", "update"])],
        Resource::ConfigMaps
        | Resource::Events
        | Resource::Leases
        | Resource::LimitRanges
        | Resource::PodTemplates
        | Resource::PriorityClasses
        | Resource::RuntimeClasses
        | Resource::Secrets => &[],
    }
}
