//! The API server: what kubectl and other clients of Kubernetes ask, for the kinds that pods need.

pub mod admission;
mod answer;
mod binding;
pub(crate) mod condition;
mod container_of_pod;
pub mod credentials;
mod delete;
pub(crate) mod deletion;
pub mod discovery;
mod ephemeral_containers;
mod event_form;
mod eviction;
mod label_selector;
mod lease;
mod list_options;
pub mod logs;
mod managed;
mod merge_keys;
pub mod metrics;
mod newer;
mod openapi;
mod part;
mod patch;
#[cfg(test)]
mod pod_fields;
mod protected;
mod protobuf;
pub mod query;
mod read;
mod request;
mod reviews;
mod rules;
mod selector;
mod server;
mod shape;
pub mod status;
pub mod streaming;
mod table;
mod target;
#[cfg(test)]
mod tests;
pub(crate) mod time;
mod token;
mod user;
mod watch;
mod write;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, Response};

use self::{
    admission::Rejection,
    answer::{ok, text},
    request::{Asked, subresources, verb},
    status::Status,
    target::Target,
    user::User,
};
pub use self::{credentials::Credentials, server::serve};
use crate::{
    clock::Clock,
    features::Features,
    runtime::SharedRuntime,
    store::{Resource, Store},
    tokens::Signer,
};

/// What requests are answered from.
pub struct Api {
    /// The objects.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// What runs: for logs, exec, attach and port-forward.
    pub runtime: SharedRuntime,
    /// Makes and checks the tokens of service accounts.
    pub signer: Arc<Signer>,
    /// Which features are on.
    pub features: Features,
    /// Measures what pods use.
    pub meter: metrics::Meter,
}

impl Api {
    /// Answers one request, of a client that has shown a certificate of the emulator's CA or not.
    pub async fn answer(self: &Arc<Self>, request: Request<Body>, has_certificate: bool) -> Response<Body> {
        match self.try_answer(request, has_certificate).await {
            Ok(response) => response,
            Err(status) => status.response(),
        }
    }

    async fn try_answer(
        self: &Arc<Self>,
        request: Request<Body>,
        has_certificate: bool,
    ) -> Result<Response<Body>, Status> {
        let user = User::of(
            has_certificate,
            request.headers(),
            &self.signer,
            &self.store,
            self.clock.now(),
        )?;
        let path = request.uri().path().to_owned();
        // A part of no namespace, though its path looks so.
        if let Some(namespace) = binding::collection(&path) {
            let target = Target::pods(namespace);
            if !user.may() {
                return Err(user.forbidden("create", &target));
            }
            if request.method() != Method::POST {
                return Err(Status::method_not_allowed());
            }
            return binding::bind_named(self, &target, &Asked::read(request).await?);
        }
        if let Some(target) = Target::of(&path) {
            return self.object(&target, &user, request).await;
        }
        let metrics = path
            .strip_prefix("/apis/")
            .and_then(|path| path.strip_prefix(metrics::GROUP_VERSION));
        if let Some(target) = metrics.and_then(|path| metrics::Target::parse(path.strip_prefix('/')?)) {
            if !user.may() {
                return Err(no_path(&user, "get", &path));
            }
            if request.method() != Method::GET {
                return Err(Status::method_not_allowed());
            }
            let query = query::Query::parse(request.uri().query().unwrap_or_default());
            let accept = request.headers().get("accept").and_then(|value| value.to_str().ok());
            return metrics::answer(self, &target, &query, accept.unwrap_or_default()).await;
        }
        if let Some(kind) = discovery::review(&path) {
            if request.method() != Method::POST {
                return Err(Status::method_not_allowed());
            }
            if user == User::Anonymous {
                return Err(no_path(&user, "post", &path));
            }
            return reviews::review(kind, &user, &Asked::read(request).await?);
        }
        if !user.may_read(&path) {
            return Err(no_path(&user, &request.method().as_str().to_lowercase(), &path));
        }
        self.document(&path, &request)
    }

    /// What is about no object.
    fn document(&self, path: &str, request: &Request<Body>) -> Result<Response<Body>, Status> {
        if request.method() != Method::GET {
            return Err(Status::no_such_path());
        }
        let accept = request.headers().get("accept").and_then(|value| value.to_str().ok());
        if let Some((media, list)) = discovery::aggregated(path, accept.unwrap_or_default()) {
            return Ok(text(&media, list.to_string()));
        }
        match path {
            "/healthz" | "/livez" | "/readyz" => Ok(text("text/plain; charset=utf-8", "ok")),
            "/openapi/v3" => Ok(ok(&openapi::v3_index())),
            "/openapi/v2" => {
                let protobuf = accept
                    .unwrap_or_default()
                    .contains("application/com.github.proto-openapi.spec.v2");
                let kind = if protobuf {
                    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
                } else {
                    "application/json"
                };
                Ok(text(kind, openapi::v2(protobuf)))
            }
            _ => path
                .strip_prefix("/openapi/v3/")
                .map_or_else(|| discovery::document(path), openapi::v3_document)
                .map(|document| ok(&document))
                .ok_or_else(Status::no_such_path),
        }
    }

    /// What is about objects.
    async fn object(
        self: &Arc<Self>,
        target: &Target,
        user: &User,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let query = query::Query::parse(request.uri().query().unwrap_or_default());
        let watches = *request.method() == Method::GET && query.flag("watch");
        if !user.may() {
            return Err(user.forbidden(verb(request.method(), target, watches), target));
        }
        if let (Some(name), Some(subresource)) = (&target.name, &target.subresource) {
            let known = subresources(target.resource)
                .iter()
                .any(|(known, ..)| known == subresource);
            if !known {
                return Err(Status::no_such_path());
            }
            if matches!(subresource.as_str(), "log" | "exec" | "attach" | "portforward") {
                return self.stream(target, name, subresource, request).await;
            }
        }
        let asked = Asked::read(request).await?;
        let part = target.subresource.as_deref();
        match (asked.method.as_str(), &target.name, part) {
            ("POST", Some(name), Some("token")) => token::create(self, target, name, &asked),
            ("POST", Some(name), Some("eviction")) => eviction::evict(self, target, name, &asked).await,
            ("POST", Some(name), Some("binding")) => binding::bind(self, target, name, &asked),
            (_, _, Some("token" | "eviction" | "binding")) => Err(Status::method_not_allowed()),
            ("GET", _, None) if watches => watch::watch(self, target, &asked),
            ("GET", Some(name), _) => read::get(self, target, name, &asked),
            ("GET", None, None) => read::list(self, target, &asked),
            // An object belongs into one namespace.
            ("POST", None, None) if target.resource.namespaced() == target.namespace.is_some() => {
                write::create(self, target, &asked)
            }
            ("PUT", Some(name), _) => write::update(self, target, name, &asked),
            ("PATCH", Some(name), _) => write::patch(self, target, name, &asked),
            ("DELETE", Some(name), None) => delete::delete(self, target, name, &asked).await,
            ("DELETE", None, None) if target.resource != Resource::Namespaces => {
                delete::delete_collection(self, target, &asked).await
            }
            _ => Err(Status::method_not_allowed()),
        }
    }

    /// Logs, and connections to what runs.
    async fn stream(
        &self,
        target: &Target,
        name: &str,
        part: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let not_found = || Status::not_found(target.resource, name);
        let pod = self.store.get(&target.key(name)).ok_or_else(not_found)?;
        let answered = match part {
            "log" => {
                let query = request.uri().query().unwrap_or_default().to_owned();
                let body = logs::logs(&pod, &query, self.clock.now(), &self.runtime).await;
                body.map(|body| text("text/plain", body))
            }
            "exec" => streaming::exec(request, &pod, &self.runtime).await,
            "attach" => streaming::attach(request, &pod, &self.runtime).await,
            _ => streaming::port_forward(request, &pod, &self.runtime).await,
        };
        answered.map_err(|rejection: Rejection| Status::rejected(&rejection, target.resource, name))
    }
}

/// The refusal of a path that is about no object.
fn no_path(user: &User, verb: &str, path: &str) -> Status {
    Status::forbidden(format!(
        "forbidden: User \"{}\" cannot {verb} path \"{path}\"",
        user.name()
    ))
}
