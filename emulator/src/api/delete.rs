//! `delete` and `deletecollection`.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::Api;
use super::answer::ok;
use super::deletion::{Options, Outcome, delete as decide};
use super::request::Asked;
use super::status::Status;
use super::target::Target;
use crate::store::{Resource, StoreError, version_of};

/// Deletes one object.
pub(super) fn delete(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let deleted = delete_one(api, target, name, &options(asked)?)?;
    // Of what others may still hold, the object is told.
    let object = matches!(
        target.resource,
        Resource::Pods | Resource::Namespaces | Resource::ServiceAccounts
    );
    if object || deleted["metadata"]["deletionTimestamp"].is_string() {
        return Ok(ok(&deleted));
    }
    let details = json!({"name": name, "kind": target.resource.plural(), "uid": deleted["metadata"]["uid"]});
    Ok(ok(
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
    ))
}

/// Deletes what is selected of a collection.
pub(super) fn delete_collection(api: &Api, target: &Target, asked: &Asked) -> Result<Response<Body>, Status> {
    let selector = asked.selector(target)?;
    let options = options(asked)?;
    let (objects, version) = api.store.list(target.resource, target.namespace.as_deref());
    let mut items: Vec<Arc<Value>> = Vec::new();
    for object in objects.into_iter().filter(|object| selector.matches(object)) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let one = Target {
            namespace: Some(namespace).filter(|n| !n.is_empty()),
            name: Some(name.clone()),
            ..target.clone()
        };
        match delete_one(api, &one, &name, &options) {
            Ok(deleted) => items.push(deleted),
            // It went by itself in the meantime.
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    let items: Vec<&Value> = items.iter().map(|item| &**item).collect();
    let kind = format!("{}List", target.resource.kind());
    Ok(ok(
        &json!({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": version.to_string()}, "items": items}),
    ))
}

fn options(asked: &Asked) -> Result<Options, Status> {
    let mut options = Options::read(&asked.body).map_err(Status::bad_request)?;
    options.dry_run |= asked.is_dry_run()?;
    if let Some(grace) = asked.query.get("gracePeriodSeconds") {
        let grace = grace
            .parse()
            .map_err(|_| Status::bad_request(format!("gracePeriodSeconds: not a number: {grace}")))?;
        options.grace.get_or_insert(grace);
    }
    Ok(options)
}

/// A change may come in between: it is decided again with what is there then.
fn delete_one(api: &Api, target: &Target, name: &str, options: &Options) -> Result<Arc<Value>, Status> {
    let key = target.key(name);
    let stored = |error: &StoreError| Status::stored(error, target.resource, name);
    loop {
        let object = api
            .store
            .get(&key)
            .ok_or_else(|| Status::not_found(target.resource, name))?;
        preconditions(target, name, &object, options)?;
        let outcome = decide(target.resource, &object, options.grace, api.clock.now());
        if options.dry_run {
            return Ok(object);
        }
        let version = version_of(&object);
        let result = match outcome {
            Outcome::Unchanged => return Ok(object),
            Outcome::Removed => api.store.delete(&key, version),
            Outcome::Marked(marked) => api.store.modify::<StoreError>(&key, |current| {
                if version_of(current) != version {
                    return Err(StoreError::Conflict);
                }
                *current = marked;
                Ok(())
            }),
        };
        match result {
            Err(StoreError::Conflict) => {}
            other => return other.map_err(|error| stored(&error)),
        }
    }
}

fn preconditions(target: &Target, name: &str, object: &Value, options: &Options) -> Result<(), Status> {
    let found = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let wanted = [
        ("UID", "uid", &options.uid),
        ("ResourceVersion", "resourceVersion", &options.version),
    ];
    for (word, field, wanted) in wanted {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| **wanted != found(field)) {
            let found = found(field);
            let why = format!("Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {found}");
            return Err(Status::conflict(target.resource, name, &why));
        }
    }
    Ok(())
}
