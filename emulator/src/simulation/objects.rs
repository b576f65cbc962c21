//! The objects of a simulation: admitted as the API does it, and changed by what is done to the pod.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{SimulationError, scenario::Deed};
use crate::{
    api::admission::{self, AdmissionContext, Document, FieldValidation},
    api::deletion::{self, Outcome},
    features::Features,
    store::{Key, Resource, Store, StoreError},
};

/// The text of a value; the default where it has none.
pub(super) fn text<'a>(value: &'a Value, default: &'a str) -> &'a str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(default)
}

/// Does what the API does to a new object, and stores it with the last changes that are made to it.
pub(super) fn admit(
    store: &Store,
    object: &Value,
    namespace: &str,
    now: Timestamp,
    change: impl FnOnce(&mut Value),
) -> Result<Key, SimulationError> {
    let kind = text(&object["kind"], "");
    let refused = |why: String| SimulationError::Refused(why);
    let resource = Resource::ALL
        .into_iter()
        .find(|resource| resource.kind() == kind)
        .ok_or_else(|| refused(format!("a {kind} can't stand beside a simulated pod")))?;
    let namespace = match resource.namespaced() {
        true => text(&object["metadata"]["namespace"], namespace).to_owned(),
        false => String::new(),
    };
    let document = Document {
        value: object.clone(),
        duplicates: Vec::new(),
    };
    let decoded = admission::decode_document(resource, document, FieldValidation::Strict).map_err(refused)?;
    let mut object = decoded.object;
    without_runtime_class(&mut object);
    let lookup = |key: &Key| store.get(key);
    let context = AdmissionContext {
        namespace: &namespace,
        now,
        lookup: &lookup,
        priority_classes: &store.list(Resource::PriorityClasses, None).0,
        limit_ranges: &store.list(Resource::LimitRanges, Some(&namespace)).0,
    };
    admission::admit_new(resource, &mut object, &context, &Features::default())
        .map_err(|rejection| refused(rejection.to_string()))?;
    change(&mut object);
    let name = text(&object["metadata"]["name"], "").to_owned();
    object["metadata"]["uid"] = crate::uid::new().into();
    object["metadata"]["creationTimestamp"] = json!(crate::api::time::seconds(now));
    let key = Key::new(resource, namespace, name);
    match store.create(key.clone(), object.clone()) {
        Ok(_) => Ok(key),
        // What every namespace has may be given too.
        Err(StoreError::AlreadyExists) => store
            .modify(&key, |there| {
                *there = object;
                Ok::<_, StoreError>(())
            })
            .map(|_| key.clone())
            .map_err(|error| refused(error.to_string())),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Takes away the name of a RuntimeClass, and the overhead that comes with it: it exists in the cluster that the manifest
/// is for, and changes nothing of the verdict or the life.
pub(super) fn without_runtime_class(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
        && spec.shift_remove("runtimeClassName").is_some()
    {
        spec.shift_remove("overhead");
    }
}

pub(super) fn carry_out(store: &Store, key: &Key, deed: &Deed, now: Timestamp) {
    let Some(pod) = store.get(key) else { return };
    let changed = match deed {
        Deed::Delete { grace } => match deletion::delete(Resource::Pods, &pod, *grace, now) {
            Outcome::Unchanged => return,
            Outcome::Marked(marked) => marked,
            Outcome::Removed(_) => {
                drop(store.delete(key, None));
                return;
            }
        },
        Deed::Condition { kind, status } => with_condition(&pod, kind, *status, now),
        Deed::OpenGate { name } => without_gate(&pod, name),
    };
    // The pod is there, and nobody else writes in this moment.
    drop(store.modify(key, |pod| {
        *pod = changed;
        Ok::<_, StoreError>(())
    }));
}

fn with_condition(pod: &Value, kind: &str, status: bool, now: Timestamp) -> Value {
    let mut pod = pod.clone();
    let condition = json!({"type": kind, "status": if status { "True" } else { "False" },
        "lastTransitionTime": crate::api::time::seconds(now)});
    if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
        conditions.retain(|one| one["type"] != kind);
        conditions.push(condition);
    } else {
        pod["status"]["conditions"] = json!([condition]);
    }
    pod
}

fn without_gate(pod: &Value, name: &str) -> Value {
    let mut pod = pod.clone();
    if let Some(gates) = pod["spec"]["schedulingGates"].as_array_mut() {
        gates.retain(|gate| gate["name"] != name);
    }
    if let Some(generation) = pod["metadata"]["generation"].as_i64() {
        pod["metadata"]["generation"] = json!(generation + 1);
    }
    pod
}
