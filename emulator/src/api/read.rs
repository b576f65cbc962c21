//! `get` and `list`.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Api;
use super::answer::ok;
use super::request::Asked;
use super::status::Status;
use super::target::Target;

/// One object.
pub(super) fn get(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let object = api
        .store
        .get(&target.key(name))
        .ok_or_else(|| Status::not_found(target.resource, name))?;
    Ok(ok(&asked.shape(target).one(
        target.resource,
        &object,
        api.clock.now(),
        true,
    )))
}

/// A collection, in pages where they are asked for.
pub(super) fn list(api: &Api, target: &Target, asked: &Asked) -> Result<Response<Body>, Status> {
    let selector = asked.selector(target)?;
    let (objects, newest) = api.store.list(target.resource, target.namespace.as_deref());
    if let Some(version) = asked.version()? {
        if version > newest {
            return Err(Status::too_large_version(version, newest));
        }
        if asked.query.get("resourceVersionMatch") == Some("Exact") && version != newest {
            return Err(Status::expired(format!(
                "The resourceVersion for the provided list is too old: {version}"
            )));
        }
    }
    let page = asked.query.get("continue").map(Page::read).transpose()?;
    let mut objects: Vec<Arc<Value>> = objects.into_iter().filter(|object| selector.matches(object)).collect();
    if let Some(page) = &page {
        objects.retain(|object| place(object) > page.after);
    }
    let limit = asked
        .query
        .get("limit")
        .and_then(|limit| limit.parse::<usize>().ok())
        .filter(|limit| *limit > 0);
    // Every page carries the version of the first: a watch from there misses nothing.
    let version = page.map_or(newest, |page| page.version);
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some(limit) = limit.filter(|limit| *limit < objects.len()) {
        metadata["remainingItemCount"] = (objects.len() - limit).into();
        objects.truncate(limit);
        let after = objects.last().map(|object| place(object)).unwrap_or_default();
        metadata["continue"] = Page { version, after }.written().into();
    }
    Ok(ok(&asked.shape(target).list(
        target.resource,
        &objects,
        metadata,
        api.clock.now(),
    )))
}

/// Where an object stands in a list.
fn place(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

/// Where the next page begins.
struct Page {
    version: u64,
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
                version: value["rv"].as_u64()?,
                after: (text("namespace")?, text("name")?),
            })
        };
        read().ok_or_else(|| Status::bad_request("continue key is not valid"))
    }
}
