//! `get` and `list`.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Api;
use super::answer::{ok, text};
use super::lease::renewed;
use super::list_options;
use super::request::Asked;
use super::status::Status;
use super::target::Target;
use crate::store::Resource;

/// One object.
pub(super) fn get(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let object = api
        .store
        .get(&target.key(name))
        .ok_or_else(|| Status::not_found(target.resource, name))?;
    let object = current(api, target.resource, object);
    Ok(ok(&asked.shape(target).one(
        target.resource,
        &object,
        api.clock.now(),
        true,
    )))
}

/// An object as it is at this moment.
fn current(api: &Api, resource: Resource, object: Arc<Value>) -> Arc<Value> {
    match resource {
        Resource::Leases => renewed(object, api.clock.now()),
        _ => object,
    }
}

/// A collection, in pages where they are asked for.
pub(super) fn list(api: &Api, target: &Target, asked: &Asked) -> Result<Response<Body>, Status> {
    list_options::check(target.resource, &asked.query, false)?;
    let selector = asked.selector(target)?;
    let namespace = target.namespace.as_deref();
    let version = asked.version()?.filter(|version| *version > 0);
    let page = asked.query.get("continue").map(Page::read).transpose()?;
    let newest = api.store.version();
    if page.is_some() && version.is_some() {
        return Err(Status::bad_request(
            "specifying resource version is not allowed when using continue",
        ));
    }
    if let Some(version) = version.filter(|version| *version > newest) {
        return Err(Status::too_large_version(version, newest));
    }
    let exact = asked.query.get("resourceVersionMatch") == Some("Exact");
    let (objects, version) = match (&page, version) {
        // Every page shows the moment of the first: a watch from there misses nothing.
        (
            Some(Page {
                version: Some(at),
                after,
            }),
            _,
        ) => {
            let objects = api.store.list_at(target.resource, namespace, *at);
            (objects.map_err(|_| continue_expired(after))?, *at)
        }
        (_, Some(version)) if exact => {
            let objects = api.store.list_at(target.resource, namespace, version);
            let expired = |_| Status::expired("The resourceVersion for the provided list is too old.");
            (objects.map_err(expired)?, version)
        }
        _ => api.store.list(target.resource, namespace),
    };
    let mut objects: Vec<Arc<Value>> = objects.into_iter().filter(|object| selector.matches(object)).collect();
    if let Some(page) = &page {
        objects.retain(|object| place(object) > page.after);
    }
    let limit = asked
        .query
        .get("limit")
        .and_then(|limit| limit.parse::<usize>().ok())
        .filter(|limit| *limit > 0);
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some(limit) = limit.filter(|limit| *limit < objects.len()) {
        // How many more a selector would take is not said, as in Kubernetes.
        if selector.is_empty() {
            metadata["remainingItemCount"] = (objects.len() - limit).into();
        }
        objects.truncate(limit);
        let after = objects.last().map(|object| place(object)).unwrap_or_default();
        let version = Some(version);
        metadata["continue"] = Page { version, after }.written().into();
    }
    let objects: Vec<Arc<Value>> = objects
        .into_iter()
        .map(|object| current(api, target.resource, object))
        .collect();
    let shape = asked.shape(target);
    let list = shape.list_written(target.resource, &objects, metadata, api.clock.now());
    Ok(text("application/json", list))
}

/// The refusal of a page whose moment is forgotten, with a token for what is there now.
fn continue_expired(after: &(String, String)) -> Status {
    let page = Page {
        version: None,
        after: after.clone(),
    };
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    status.metadata = Some(Box::new(json!({"continue": page.written()})));
    status
}

/// Where an object stands in a list.
fn place(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// Where the next page begins.
struct Page {
    /// The moment that it shows; the present one where absent.
    version: Option<u64>,
    after: (String, String),
}

impl Page {
    fn written(&self) -> String {
        let (namespace, name) = &self.after;
        BASE64_URL_SAFE_NO_PAD
            .encode(json!({"v": "1", "rv": self.version, "namespace": namespace, "name": name}).to_string())
    }

    fn read(token: &str) -> Result<Self, Status> {
        let read = || -> Option<Self> {
            let value: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
            let text = |field: &str| value[field].as_str().map(str::to_owned);
            Some(Self {
                version: match &value["rv"] {
                    Value::Null => None,
                    version => Some(version.as_u64()?),
                },
                after: (text("namespace")?, text("name")?),
            })
        };
        read().ok_or_else(|| Status::bad_request("invalid continue token: continue key is not valid"))
    }
}
