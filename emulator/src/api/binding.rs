//! `pods/binding`: what a scheduler of one's own puts a pod onto the node with
//! (`pkg/registry/core/pod/storage/storage.go`, `BindingREST`).

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;

use super::Api;
use super::admission::{FieldError, Kind, Rejection};
use super::condition::Condition;
use super::part::{Part, done};
use super::request::Asked;
use super::status::Status;
use super::target::Target;
use super::write::Refused;
use crate::store::Resource;

const SCHEDULED: Condition = Condition {
    kind: "PodScheduled",
    reason: "",
    message: "",
};

/// The namespace of a path of bindings: the older way to bind, where the body alone names the pod.
pub(super) fn collection(path: &str) -> Option<&str> {
    let namespace = path.strip_prefix("/api/v1/namespaces/")?.strip_suffix("/bindings")?;
    (!namespace.contains('/')).then_some(namespace)
}

/// `POST …/bindings`.
pub(super) fn bind_named(api: &Api, target: &Target, asked: &Asked) -> Result<Response<Body>, Status> {
    let binding = Part::BINDING.read(&asked.body)?;
    let name = binding["metadata"]["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(Status::bad_request("name is required"));
    }
    bind(api, target, name, asked)
}

/// `POST …/pods/NAME/binding`.
pub(super) fn bind(api: &Api, target: &Target, name: &str, asked: &Asked) -> Result<Response<Body>, Status> {
    let binding = Part::BINDING.read(&asked.body)?;
    let given = binding["metadata"]["name"].as_str().unwrap_or_default();
    if !given.is_empty() && given != name {
        return Err(Status::bad_request("name in URL does not match name in Binding object"));
    }
    let node = node_of(&binding, name).map_err(|rejection| Status::rejected(&rejection, Resource::Pods, name))?;
    let pod = Target {
        subresource: None,
        ..target.clone()
    };
    let key = pod.key(name);
    if asked.is_dry_run()? {
        let found = api
            .store
            .get(&key)
            .ok_or_else(|| Status::not_found(Resource::Pods, name))?;
        refusal(&found, &binding).map_or(Ok(()), |why| Err(conflict(name, &why)))?;
        return Ok(done());
    }
    let bound = api.store.modify::<Refused>(&key, |object| {
        if let Some(why) = refusal(object, &binding) {
            return Err(conflict(name, &why).into());
        }
        object["spec"]["nodeName"] = node.into();
        for (key, value) in binding["metadata"]["annotations"].as_object().into_iter().flatten() {
            object["metadata"]["annotations"][key] = value.clone();
        }
        SCHEDULED.set(object, api.clock.now());
        Ok(())
    });
    bound.map_err(|refused| refused.status(&pod, name))?;
    Ok(done())
}

/// The node that the binding names.
fn node_of<'a>(binding: &'a Value, name: &str) -> Result<&'a str, Rejection> {
    let target = &binding["target"];
    let text = |field: &str| target[field].as_str().unwrap_or_default();
    let mut errors = Vec::new();
    if !matches!(text("kind"), "" | "Node") {
        errors.push(FieldError {
            path: "target.kind".into(),
            kind: Kind::NotSupported,
            value: target["kind"].clone(),
            detail: "supported values: \"Node\", \"<empty>\"".into(),
        });
    }
    if text("name").is_empty() {
        errors.push(FieldError {
            path: "target.name".into(),
            kind: Kind::Required,
            value: Value::Null,
            detail: String::new(),
        });
    }
    if errors.is_empty() {
        return Ok(target["name"].as_str().unwrap_or_default());
    }
    Err(Rejection::Invalid {
        kind: "Binding",
        name: name.to_owned(),
        errors,
    })
}

/// Why the pod can't be bound.
fn refusal(pod: &Value, binding: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&pod["metadata"]["name"]);
    for (word, field) in [("UID", "uid"), ("ResourceVersion", "resourceVersion")] {
        let (wanted, found) = (text(&binding["metadata"][field]), text(&pod["metadata"][field]));
        if !wanted.is_empty() && wanted != found {
            return Some(format!(
                "Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {found}"
            ));
        }
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return Some(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let node = text(&pod["spec"]["nodeName"]);
    if !node.is_empty() {
        return Some(format!("pod {name} is already assigned to node \"{node}\""));
    }
    let gated = pod["spec"]["schedulingGates"]
        .as_array()
        .is_some_and(|gates| !gates.is_empty());
    gated.then(|| format!("pod {name} has non-empty .spec.schedulingGates"))
}

fn conflict(name: &str, why: &str) -> Status {
    Status::conflict_on("pods/binding", name, why)
}
