//! `create`, `update`, `patch`, `apply`: what changes objects.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Api;
use super::admission::{
    self, AdmissionContext, Decoded, Document, FieldValidation, Rejection, Resizing, admit_ephemeral_containers,
    admit_resize, admit_status, admit_update,
};
use super::answer::json as answer;
use super::ephemeral_containers;
use super::event_form::exchanged;
use super::managed::{self, Manager};
use super::patch;
use super::request::Asked;
use super::status::Status;
use super::target::Target;
use super::time::seconds;
use crate::controllers::resource_quotas;
use crate::features::Feature;
use crate::store::{Key, Objects, Resource, StoreError};

/// How often a generated name is made anew where it is taken.
const NAME_TRIES: usize = 8;

/// Why a change under the store's lock was not made.
pub(super) enum Refused {
    Stored(StoreError),
    Said(Status),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Stored(error)
    }
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self::Said(status)
    }
}

impl Refused {
    pub(super) fn status(&self, target: &Target, name: &str) -> Status {
        match self {
            Self::Stored(error) => Status::stored(error, target.resource, name),
            Self::Said(status) => status.clone(),
        }
    }
}

/// `POST` on a collection.
pub(super) fn create(api: &Api, target: &Target, asked: &Asked) -> Result<Response<Body>, Status> {
    let Decoded {
        mut object,
        mut warnings,
    } = decoded(target, asked, &asked.body, asked.content_type())?;
    let manager = Manager::updates(&asked.manager(), None);
    managed::note_update(&Value::Null, &mut object, &manager, api.clock.now());
    let stored = store_new(api, target, object, asked, &mut warnings)?;
    Ok(answer(StatusCode::CREATED, &target.shown(&stored), &warnings))
}

/// `PUT` on an object, or on a part of it.
pub(super) fn update(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let is_ephemeral = target.subresource.as_deref() == Some("ephemeralcontainers");
    let older = ephemeral_containers::as_pod(name, &asked.body).filter(|_| is_ephemeral);
    let Decoded { object, mut warnings } = match &older {
        Some(pod) => decoded(target, asked, pod.to_string().as_bytes(), "application/json")?,
        None => decoded(target, asked, &asked.body, asked.content_type())?,
    };
    let given = object["metadata"]["name"].as_str().unwrap_or_default();
    if given != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    let manager = Manager::updates(&asked.manager(), target.subresource.as_deref());
    let beside = Beside::of(api, target, name);
    let stored = change(api, target, name, asked, |old| {
        let mut new = object.clone();
        if older.is_some() {
            ephemeral_containers::keep_those_there(old, &mut new);
        }
        warnings.extend(admit(api, target, &beside, old, &mut new)?);
        managed::note_update(old, &mut new, &manager, api.clock.now());
        Ok(new)
    })?;
    Ok(answer(StatusCode::OK, &target.shown(&stored), &warnings))
}

/// `PATCH` on an object, or on a part of it.
pub(super) fn patch(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    if asked.content_type() == "application/apply-patch+yaml" {
        return apply(api, target, name, asked);
    }
    let kind = patch::Kind::of(asked.content_type()).ok_or_else(|| Status::unsupported_media_type(&patch::ACCEPTED))?;
    let manager = Manager::updates(&asked.manager(), target.subresource.as_deref());
    let validation = validation(asked)?;
    let mut warnings = Vec::new();
    let beside = Beside::of(api, target, name);
    let stored = change(api, target, name, asked, |old| {
        let mut patched = target.shown(old).into_owned();
        patch::apply(kind, &mut patched, &asked.body).map_err(|error| match error {
            patch::PatchError::Unreadable(why) => Status::bad_request(why),
            patch::PatchError::Unfit(why) => Status::unprocessable(why),
            patch::PatchError::TooLarge(why) => Status::too_large(why),
        })?;
        let document = Document {
            value: target.shown(&patched).into_owned(),
            duplicates: Vec::new(),
        };
        let read = admission::decode_document(target.resource, document, validation).map_err(Status::bad_request)?;
        warnings = read.warnings;
        let mut new = read.object;
        warnings.extend(admit(api, target, &beside, old, &mut new)?);
        managed::note_update(old, &mut new, &manager, api.clock.now());
        Ok(new)
    })?;
    Ok(answer(StatusCode::OK, &target.shown(&stored), &warnings))
}

/// Server-side apply.
fn apply(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let Some(manager) = asked.query.get("fieldManager") else {
        return Err(Status::unprocessable(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    };
    let manager = Manager::applies(manager, target.subresource.as_deref());
    let Decoded {
        mut object,
        mut warnings,
    } = decoded(target, asked, &asked.body, "application/apply-patch+yaml")?;
    let metadata = &mut object["metadata"];
    if metadata["managedFields"].as_array().is_some_and(|all| !all.is_empty()) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    if metadata["name"].is_null() {
        metadata["name"] = name.into();
    }
    if let Some(why) = managed::keys::missing(&object) {
        return Err(Status::untyped(&object, target.namespace.as_deref(), name, &why));
    }
    let force = asked.query.flag("force");
    let merge = |live: &Value| {
        managed::apply(live, &object, &manager, force, api.clock.now())
            .map_err(|conflicts| Status::apply_conflict(&conflicts))
    };
    let exists = api.store.get(&target.key(name)).is_some();
    if !exists && target.subresource.is_none() {
        let stored = store_new(api, target, merge(&Value::Null)?, asked, &mut warnings)?;
        return Ok(answer(StatusCode::CREATED, &target.shown(&stored), &warnings));
    }
    let beside = Beside::of(api, target, name);
    let stored = change(api, target, name, asked, |old| {
        let mut new = merge(old)?;
        let managers = new["metadata"]["managedFields"].clone();
        warnings.extend(admit(api, target, &beside, old, &mut new)?);
        new["metadata"]["managedFields"] = managers;
        managed::settle(old, &mut new, &manager);
        Ok(new)
    })?;
    Ok(answer(StatusCode::OK, &target.shown(&stored), &warnings))
}

/// Reads a body as an object of the target's kind.
fn decoded(target: &Target, asked: &Asked, body: &[u8], content_type: &str) -> Result<Decoded, Status> {
    if matches!(content_type, "application/vnd.kubernetes.protobuf" | "application/cbor") {
        return Err(Status::unsupported_media_type(&[
            "application/json",
            "application/yaml",
        ]));
    }
    let mut document = Document::read(body, content_type).map_err(Status::bad_request)?;
    if target.new_events {
        document.value = exchanged(&document.value);
    }
    admission::decode_document(target.resource, document, validation(asked)?).map_err(Status::bad_request)
}

fn validation(asked: &Asked) -> Result<FieldValidation, Status> {
    FieldValidation::parse(asked.query.get("fieldValidation")).map_err(Status::unprocessable)
}

/// Admits and stores a new object; adds what is to be said about it to the warnings.
fn store_new(
    api: &Api,
    target: &Target,
    object: Value,
    asked: &Asked,
    warnings: &mut Vec<String>,
) -> Result<Value, Status> {
    let dry_run = asked.is_dry_run()?;
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if target.resource.namespaced() {
        let found = api.store.get(&Key::new(Resource::Namespaces, "", namespace));
        let found = found.ok_or_else(|| Status::not_found(Resource::Namespaces, namespace))?;
        if found["metadata"]["deletionTimestamp"].is_string() {
            let plural = target.resource.plural();
            let mut status = Status::forbidden(format!(
                "{plural} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated"
            ));
            status.details = Some(Box::new(json!({"name": name, "kind": plural, "causes": [{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {namespace} is being terminated"),
                "field": "metadata.namespace",
            }]})));
            return Err(status);
        }
    }
    let lookup = |key: &Key| api.store.get(key);
    let classes = priority_classes(api, target.resource);
    let limit_ranges = limit_ranges(api, target);
    for attempt in 1.. {
        let now = api.clock.now();
        let context = AdmissionContext {
            namespace,
            now,
            lookup: &lookup,
            priority_classes: &classes,
            limit_ranges: &limit_ranges,
        };
        let mut object = object.clone();
        let generated = name.is_empty() && object["metadata"]["generateName"].is_string();
        let managers = object["metadata"]["managedFields"].clone();
        let told = admission::admit_new(target.resource, &mut object, &context, &api.features)
            .map_err(|rejection| Status::rejected(&rejection, target.resource, &name))?;
        if attempt == 1 {
            warnings.extend(told);
        }
        let metadata = &mut object["metadata"];
        metadata["uid"] = crate::uid::new().into();
        metadata["creationTimestamp"] = seconds(now).into();
        let name = metadata["name"].as_str().unwrap_or_default().to_owned();
        if managers.is_array() {
            metadata["managedFields"] = managers;
            managed::forget_what_is_gone(&mut object);
        }
        let key = target.key(&name);
        let within_quotas = |objects: &Objects<'_>, object: &Value| {
            check_quotas(target, objects, None, object, now).map_err(Refused::Said)
        };
        if dry_run {
            api.store
                .read(|objects| within_quotas(objects, &object))
                .map_err(|refused| refused.status(target, &name))?;
            return match api.store.get(&key) {
                Some(_) => Err(Status::already_exists(target.resource, &name)),
                None => Ok(object),
            };
        }
        asked.still_wanted()?;
        match api.store.create_if(key, object, within_quotas) {
            Ok(stored) => {
                // Whoever has the answer finds the usage counted.
                resource_quotas::sync(&api.store, namespace, now);
                return Ok(Value::clone(&stored));
            }
            Err(Refused::Stored(StoreError::AlreadyExists)) if generated && attempt < NAME_TRIES => {}
            Err(refused) => return Err(refused.status(target, &name)),
        }
    }
    Err(Status::internal("no free name was found"))
}

/// Refuses what would exceed a quota of its namespace.
fn check_quotas(
    target: &Target,
    objects: &Objects<'_>,
    old: Option<&Value>,
    object: &Value,
    now: Timestamp,
) -> Result<(), Status> {
    let Some(namespace) = target.namespace.as_deref() else {
        return Ok(());
    };
    let list = |resource| objects.list(resource, Some(namespace));
    let why = admission::resource_quota::refusal(target.resource, old, object, &list, now);
    why.map_or(Ok(()), |why| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let rejection = Rejection::Forbidden {
            resource: target.resource,
            name: name.to_owned(),
            why,
        };
        Err(Status::rejected(&rejection, target.resource, name))
    })
}

/// How often a change is made again because another one came first, before it is made under the store's lock.
const CONFLICT_TRIES: usize = 5;

/// Changes an object, where it is the one that the client means. The work is done outside of the store's lock, so that a large
/// object keeps nobody else waiting.
fn change(
    api: &Api,
    target: &Target,
    name: &str,
    asked: &Asked,
    mut make: impl FnMut(&Value) -> Result<Value, Status>,
) -> Result<Value, Status> {
    let key = target.key(name);
    let now = api.clock.now();
    let mut changed = |old: &Value| -> Result<Value, Status> {
        let mut new = make(old)?;
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
        asked.still_wanted()?;
        Ok(new)
    };
    let check = |objects: &Objects<'_>, old: &Value, new: &Value| match target.subresource.as_deref() {
        Some("resize") => check_quotas(target, objects, Some(old), new, now),
        _ => Ok(()),
    };
    let read = || {
        let object = api.store.get(&key);
        object.ok_or_else(|| Status::not_found(target.resource, name))
    };
    if asked.is_dry_run()? {
        let old = read()?;
        let new = changed(&old)?;
        api.store.read(|objects| check(objects, &old, &new))?;
        return Ok(new);
    }
    for _ in 0..CONFLICT_TRIES {
        let old = read()?;
        let new = changed(&old)?;
        let stored = api.store.modify_among::<Refused>(&key, |objects, object| {
            if object["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"] {
                return Err(StoreError::Conflict.into());
            }
            check(objects, object, &new)?;
            *object = new;
            Ok(())
        });
        match stored {
            Err(Refused::Stored(StoreError::Conflict)) => {}
            stored => return finished(api, target, name, stored),
        }
    }
    let stored = api.store.modify_among::<Refused>(&key, |objects, object| {
        let new = changed(object)?;
        check(objects, object, &new)?;
        *object = new;
        Ok(())
    });
    finished(api, target, name, stored)
}

/// What was stored; an object that was only waiting for its last finalizer goes.
fn finished(api: &Api, target: &Target, name: &str, stored: Result<Arc<Value>, Refused>) -> Result<Value, Status> {
    let stored = stored.map_err(|refused| refused.status(target, name))?;
    let key = target.key(name);
    if target.subresource.as_deref() == Some("resize") {
        resource_quotas::sync(&api.store, &key.namespace, api.clock.now());
    }
    if nothing_holds(target.resource, &stored) {
        let _ = api.store.delete(&key, crate::store::version_of(&stored)); // Somebody else may have been faster.
    }
    Ok(Value::clone(&stored))
}

/// The classes, where the object is one or has one.
fn priority_classes(api: &Api, resource: Resource) -> Vec<Arc<Value>> {
    match resource {
        Resource::Pods | Resource::PriorityClasses => api.store.list(Resource::PriorityClasses, None).0,
        _ => Vec::new(),
    }
}

/// The LimitRanges of the namespace, where the object is a pod.
fn limit_ranges(api: &Api, target: &Target) -> Vec<Arc<Value>> {
    match (target.resource, target.namespace.as_deref()) {
        (Resource::Pods, Some(namespace)) => api.store.list(Resource::LimitRanges, Some(namespace)).0,
        _ => Vec::new(),
    }
}

/// Whether a deleted object was only waiting for its last finalizer.
fn nothing_holds(resource: Resource, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let free = metadata["finalizers"].as_array().is_none_or(Vec::is_empty);
    let grace = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or_default();
    metadata["deletionTimestamp"].is_string() && free && grace == 0 && resource != Resource::Namespaces
}

/// What an object is judged by besides itself: looked up before, as the store is locked while the object changes.
struct Beside {
    classes: Vec<Arc<Value>>,
    /// The node of a pod that is resized.
    node: Option<Arc<Value>>,
    /// The object's namespace.
    namespace: Option<Arc<Value>>,
    /// The LimitRanges of a pod's namespace.
    limit_ranges: Vec<Arc<Value>>,
    /// The pods of a namespace that is changed itself.
    pods: Vec<Arc<Value>>,
}

impl Beside {
    fn of(api: &Api, target: &Target, name: &str) -> Self {
        let resized = (target.subresource.as_deref() == Some("resize")).then(|| api.store.get(&target.key(name)));
        let node = resized.flatten().and_then(|pod| {
            let node = pod["spec"]["nodeName"].as_str()?;
            api.store.get(&Key::new(Resource::Nodes, "", node))
        });
        let namespace = target.namespace.as_deref();
        Self {
            classes: priority_classes(api, target.resource),
            node,
            namespace: namespace.and_then(|name| api.store.get(&Key::new(Resource::Namespaces, "", name))),
            limit_ranges: limit_ranges(api, target),
            pods: match target.resource {
                Resource::Namespaces => api.store.list(Resource::Pods, Some(name)).0,
                _ => Vec::new(),
            },
        }
    }
}

/// Checks what the client knew of the object, and what it may change of it. Returns what to warn of.
fn admit(api: &Api, target: &Target, beside: &Beside, old: &Value, new: &mut Value) -> Result<Vec<String>, Status> {
    let name = target.name.as_deref().unwrap_or_default();
    let known = |field: &str| new["metadata"][field].as_str().filter(|text| !text.is_empty());
    if known("resourceVersion").is_some_and(|version| old["metadata"]["resourceVersion"] != version) {
        return Err(Status::stored(&StoreError::Conflict, target.resource, name));
    }
    if let Some(uid) = known("uid").filter(|uid| old["metadata"]["uid"] != *uid) {
        let found = old["metadata"]["uid"].as_str().unwrap_or_default();
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {found}");
        return Err(Status::conflict(target.resource, name, &why));
    }
    // What else it refers to is not looked at.
    let lookup = |key: &Key| {
        beside
            .namespace
            .clone()
            .filter(|_| key.resource == Resource::Namespaces)
    };
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let context = AdmissionContext {
        namespace,
        now: api.clock.now(),
        lookup: &lookup,
        priority_classes: &beside.classes,
        limit_ranges: &beside.limit_ranges,
    };
    let resizing = Resizing {
        node: beside.node.as_deref(),
        of_pods: api.features.has(Feature::InPlacePodLevelResourcesVerticalScaling),
        limit_ranges: &beside.limit_ranges,
    };
    let admitted = match target.subresource.as_deref() {
        Some("status") => admit_status(target.resource, old, new),
        Some("ephemeralcontainers") => admit_ephemeral_containers(old, new, &context),
        Some("resize") => admit_resize(old, new, &resizing),
        _ => admit_update(target.resource, old, new, &context)
            .and_then(|()| admission::check_features(target.resource, new, Some(old), &api.features)),
    };
    admitted.map_err(|rejection| Status::rejected(&rejection, target.resource, name))?;
    Ok(match target.subresource.as_deref() {
        None | Some("ephemeralcontainers") => {
            let own = beside.namespace.as_deref();
            admission::policy_warnings(target.resource, Some(old), new, own, &beside.pods)
        }
        Some(_) => Vec::new(),
    })
}
