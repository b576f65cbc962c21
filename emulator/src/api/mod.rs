//! The API server: what kubectl and other clients of Kubernetes ask, for the kinds that pods need.

pub mod admission;
mod answer;
mod binding;
pub mod client_certificate;
pub(crate) mod condition;
mod connections;
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
mod proxy;
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
    client_certificate::ClientCertificate,
    request::{Asked, subresources, verb},
    status::Status,
    streaming::{BodySocket, Content},
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

/// A change of the object of a target, as one of the verbs makes it.
type Write = fn(&Api, &Target, &str, &Asked) -> Result<Response<Body>, Status>;

impl Api {
    /// Answers one request of a client.
    pub async fn answer_client(
        self: &Arc<Self>,
        request: Request<Body>,
        certificate: &ClientCertificate,
    ) -> Response<Body> {
        match self.try_answer(request, certificate).await {
            Ok(response) => response,
            Err(status) => status.response(),
        }
    }

    /// Answers one request, of the administrator or of nobody.
    pub async fn answer(self: &Arc<Self>, request: Request<Body>, is_administrator: bool) -> Response<Body> {
        let certificate = match is_administrator {
            true => ClientCertificate::Valid {
                name: user::ADMINISTRATOR.to_owned(),
                groups: vec!["system:masters".to_owned()],
            },
            false => ClientCertificate::None,
        };
        self.answer_client(request, &certificate).await
    }

    /// Whether a request says who sends it, and is right about it.
    fn is_authenticated(&self, request: &Request<Body>, certificate: &ClientCertificate) -> bool {
        let user = User::of(
            certificate,
            request.headers(),
            &self.signer,
            &self.store,
            self.clock.now(),
        );
        user.is_ok_and(|user| user != User::Anonymous)
    }

    async fn try_answer(
        self: &Arc<Self>,
        request: Request<Body>,
        certificate: &ClientCertificate,
    ) -> Result<Response<Body>, Status> {
        let user = User::of(
            certificate,
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
        if let Some(target) = proxy::Target::parse(&path) {
            return self.proxy(&target, &user, request).await;
        }
        if let Some(status) = proxy::absent(&path).filter(|_| user.may()) {
            return Err(status);
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
        if path == discovery::DEFINITIONS && user.may() {
            let query = query::Query::parse(request.uri().query().unwrap_or_default());
            if request.method() != Method::GET || query.flag("watch") {
                return Err(Status::method_not_allowed());
            }
            return Ok(ok(&discovery::definitions(self.store.version())));
        }
        if !user.may_read(&path) || path == discovery::DEFINITIONS {
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
        mut request: Request<Body>,
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
        if watches && target.subresource.is_none() {
            let socket = socket(&mut request, Content::Watch, target)?;
            let answer = watch::watch(self, target, &Asked::read(request).await?)?;
            return Ok(over(socket, answer));
        }
        let asked = Asked::read(request).await?;
        let part = target.subresource.as_deref();
        let method = asked.method.clone();
        match (method.as_str(), &target.name, part) {
            ("POST", Some(name), Some("token")) => token::create(self, target, name, &asked),
            ("POST", Some(name), Some("eviction")) => eviction::evict(self, target, name, &asked).await,
            ("POST", Some(name), Some("binding")) => binding::bind(self, target, name, &asked),
            (_, _, Some("token" | "eviction" | "binding")) => Err(Status::method_not_allowed()),
            ("GET", Some(name), _) => read::get(self, target, name, &asked),
            ("GET", None, None) => read::list(self, target, &asked),
            // An object belongs into one namespace.
            ("POST", None, None) if target.resource.namespaced() == target.namespace.is_some() => {
                self.write(target, asked, |api, target, _, asked| write::create(api, target, asked))
                    .await
            }
            ("PUT", Some(_), _) => self.write(target, asked, write::update).await,
            ("PATCH", Some(_), _) => self.write(target, asked, write::patch).await,
            ("DELETE", Some(name), None) => delete::delete(self, target, name, &asked).await,
            ("DELETE", None, None) if target.resource != Resource::Namespaces => {
                delete::delete_collection(self, target, &asked).await
            }
            _ => Err(Status::method_not_allowed()),
        }
    }

    /// Changes something, on a thread of its own: a large object must not keep those from working that serve others. A change
    /// whose client has gone is not made.
    async fn write(self: &Arc<Self>, target: &Target, asked: Asked, write: Write) -> Result<Response<Body>, Status> {
        let _client = asked.client();
        let (api, target) = (self.clone(), target.clone());
        let written = tokio::task::spawn_blocking(move || {
            let name = target.name.clone().unwrap_or_default();
            write(&api, &target, &name, &asked)
        });
        written.await.map_err(Status::internal)?
    }

    /// Sends a request on to a pod.
    async fn proxy(
        &self,
        target: &proxy::Target,
        user: &User,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        target.check()?;
        let mut pods = Target::pods(&target.namespace);
        pods.name = Some(target.name.clone());
        let verb = proxy::Target::verb(request.method()).ok_or_else(Status::method_not_allowed)?;
        if !user.may() {
            return Err(user.forbidden(verb, &pods));
        }
        let not_found = || Status::not_found(Resource::Pods, &target.name);
        let pod = self.store.get(&pods.key(&target.name)).ok_or_else(not_found)?;
        proxy::proxy(target, &pod, &self.runtime, request).await
    }

    /// Logs, and connections to what runs.
    async fn stream(
        &self,
        target: &Target,
        name: &str,
        part: &str,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let not_found = || Status::not_found(target.resource, name);
        let pod = self.store.get(&target.key(name)).ok_or_else(not_found)?;
        let answered = match part {
            "log" => {
                let socket = socket(&mut request, Content::Log, target)?;
                let query = request.uri().query().unwrap_or_default().to_owned();
                let body = logs::logs(&pod, &query, self.clock.now(), &self.runtime).await;
                body.map(|body| over(socket, text("text/plain", body)))
            }
            "exec" => streaming::exec(request, &pod, &self.runtime).await,
            "attach" => streaming::attach(request, &pod, &self.runtime).await,
            _ => streaming::port_forward(request, &pod, &self.runtime).await,
        };
        answered.map_err(|rejection: Rejection| Status::rejected(&rejection, target.resource, name))
    }
}

/// The WebSocket that a request for a body asks for, if it does.
fn socket(request: &mut Request<Body>, content: Content, target: &Target) -> Result<Option<BodySocket>, Status> {
    let name = target.name.clone().unwrap_or_default();
    BodySocket::requested(request, content).map_err(|rejection| Status::rejected(&rejection, target.resource, &name))
}

/// The answer, over the WebSocket where there is one.
fn over(socket: Option<BodySocket>, answer: Response<Body>) -> Response<Body> {
    match socket {
        Some(socket) => socket.send(answer),
        None => answer,
    }
}

/// The refusal of a path that is about no object.
fn no_path(user: &User, verb: &str, path: &str) -> Status {
    Status::forbidden(format!(
        "forbidden: User \"{}\" cannot {verb} path \"{path}\"",
        user.name()
    ))
}
