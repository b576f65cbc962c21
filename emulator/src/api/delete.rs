//! `delete` and `deletecollection`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::Api;
use super::answer::ok;
use super::deletion::{Options, Outcome, delete as decide};
use super::protected;
use super::request::Asked;
use super::status::Status;
use super::target::Target;
use crate::store::{Resource, StoreError, version_of};

/// Deletes one object.
pub(super) async fn delete(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let deletion = begin(api, target, name, &options(asked)?)?;
    let deleted = finish(api, vec![deletion]).await?.remove(0);
    // Of what others may still hold, the object is told.
    let object = matches!(
        target.resource,
        Resource::Pods
            | Resource::PodTemplates
            | Resource::Namespaces
            | Resource::ResourceQuotas
            | Resource::ServiceAccounts
    );
    if object || deleted["metadata"]["deletionTimestamp"].is_string() {
        return Ok(ok(&target.shown(&deleted)));
    }
    let mut details = json!({"name": name, "kind": target.resource.plural(), "uid": deleted["metadata"]["uid"]});
    if !target.group().is_empty() {
        details["group"] = target.group().into();
    }
    Ok(ok(
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
    ))
}

/// Deletes what is selected of a collection.
pub(super) async fn delete_collection(api: &Api, target: &Target, asked: &Asked) -> Result<Response<Body>, Status> {
    let selector = asked.selector(target)?;
    let options = options(asked)?;
    let (objects, version) = api.store.list(target.resource, target.namespace.as_deref());
    let mut deletions = Vec::new();
    for object in objects.into_iter().filter(|object| selector.matches(object)) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let one = Target {
            namespace: Some(namespace).filter(|n| !n.is_empty()),
            name: Some(name.clone()),
            ..target.clone()
        };
        match begin(api, &one, &name, &options) {
            Ok(deletion) => deletions.push(deletion),
            // It went by itself in the meantime.
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    let items = finish(api, deletions).await?;
    let metadata = json!({"resourceVersion": version.to_string()});
    Ok(ok(&asked.shape(target).list(
        target.resource,
        &items,
        metadata,
        api.clock.now(),
    )))
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

/// How long a pod that is deleted at once is seen as being deleted: long enough for its node to begin to end it.
const SEEN: Duration = Duration::from_millis(50);

/// A deletion that has been decided.
pub(super) struct Deletion {
    target: Target,
    name: String,
    /// As it was decided about, or as it was marked.
    object: Arc<Value>,
    removes: bool,
}

impl Deletion {
    /// Whether a node sees the pod marked, and ends it by itself.
    fn is_seen_by_a_node(&self) -> bool {
        self.removes && self.target.resource == Resource::Pods && self.object["spec"]["nodeName"].is_string()
    }
}

/// Decides what becomes of the object and marks it. A change may come in between: it is decided again with what is there then.
pub(super) fn begin(api: &Api, target: &Target, name: &str, options: &Options) -> Result<Deletion, Status> {
    if let Some(refusal) = protected::refusal(target.resource, name) {
        return Err(refusal);
    }
    let key = target.key(name);
    loop {
        let object = api
            .store
            .get(&key)
            .ok_or_else(|| Status::not_found(target.resource, name))?;
        preconditions(target, name, &object, options)?;
        let deletion = |object, removes| Deletion {
            target: target.clone(),
            name: name.to_owned(),
            object,
            removes,
        };
        let outcome = decide(target.resource, &object, options.grace, api.clock.now());
        let version = version_of(&object);
        let (marked, removes) = match outcome {
            Outcome::Marked(marked) | Outcome::Removed(Some(marked)) if options.dry_run => {
                return Ok(deletion(Arc::new(marked), false));
            }
            _ if options.dry_run => return Ok(deletion(object, false)),
            Outcome::Unchanged => return Ok(deletion(object, false)),
            Outcome::Removed(None) => return Ok(deletion(object, true)),
            Outcome::Removed(Some(marked)) => (marked, true),
            Outcome::Marked(marked) => (marked, false),
        };
        let written = api.store.modify::<StoreError>(&key, |current| {
            if version_of(current) != version {
                return Err(StoreError::Conflict);
            }
            *current = marked;
            Ok(())
        });
        match written {
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(Status::stored(&error, target.resource, name)),
            Ok(object) => return Ok(deletion(object, removes)),
        }
    }
}

/// Takes away what is to go at once.
pub(super) async fn finish(api: &Api, deletions: Vec<Deletion>) -> Result<Vec<Arc<Value>>, Status> {
    if deletions.iter().any(Deletion::is_seen_by_a_node) {
        tokio::time::sleep(SEEN).await;
    }
    let mut objects = Vec::new();
    for deletion in deletions {
        let is_seen = deletion.is_seen_by_a_node();
        let Deletion {
            target,
            name,
            object,
            removes,
        } = deletion;
        let uid = |object: &Value| object["metadata"]["uid"].clone();
        let key = target.key(&name);
        let same = api.store.get(&key).is_some_and(|current| uid(&current) == uid(&object));
        if !(removes && same) {
            objects.push(object);
            continue;
        }
        let gone = gone(api.store.delete(&key, None), object, is_seen);
        objects.push(gone.map_err(|error| Status::stored(&error, target.resource, &name))?);
    }
    Ok(objects)
}

/// What is told of a marked object, after it was to be taken away. Its node takes it away too, and goes on trying where the
/// disk refuses: to tell the client that the deletion has failed would be untrue.
fn gone(
    taken: Result<Arc<Value>, StoreError>,
    marked: Arc<Value>,
    is_seen_by_a_node: bool,
) -> Result<Arc<Value>, StoreError> {
    match taken {
        // Its node was faster.
        Err(StoreError::NotFound) => Ok(marked),
        Err(StoreError::Disk(_)) if is_seen_by_a_node => Ok(marked),
        other => other,
    }
}

/// Refuses a deletion of another object, or of an older version, than the client means
/// (`apiserver/pkg/registry/rest/delete.go`, `BeforeDelete`; a namespace has its own words).
pub(super) fn preconditions(target: &Target, name: &str, object: &Value, options: &Options) -> Result<(), Status> {
    let found = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let wanted = [
        ("UID", "uid", &options.uid, "deleted and then recreated"),
        ("ResourceVersion", "resourceVersion", &options.version, "modified"),
    ];
    for (word, field, wanted, cause) in wanted {
        let Some(wanted) = wanted.as_ref().filter(|wanted| **wanted != found(field)) else {
            continue;
        };
        let found = found(field);
        if target.resource == Resource::Namespaces {
            let why = format!("Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {found}");
            return Err(Status::conflict(target.resource, name, &why));
        }
        let kind = match target.resource.group() {
            "" => target.resource.kind().to_owned(),
            group => format!("{}.{group}", target.resource.kind()),
        };
        let why = format!(
            "the {word} in the precondition ({wanted}) does not match the {word} in record ({found}). The object might have been {cause}"
        );
        return Err(Status::conflict_on(&kind, name, &why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_goes_on_taking_away_is_not_called_a_failure() {
        let marked = || Arc::new(json!({"metadata": {"name": "a"}}));
        let full = || Err(StoreError::Disk("no space left on device".into()));
        assert_eq!(gone(full(), marked(), true).unwrap(), marked());
        assert!(matches!(gone(full(), marked(), false), Err(StoreError::Disk(_))));
        assert_eq!(gone(Err(StoreError::NotFound), marked(), false).unwrap(), marked());
    }
}
