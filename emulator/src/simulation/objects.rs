//! The objects of a simulation: admitted as the API does it, and changed by what is done to the pod.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{SimulationError, scenario::Deed};
use crate::{
    api::admission::{AdmissionContext, Rejection, admit_create},
    api::deletion::{self, Outcome},
    store::{Key, Resource, Store, StoreError},
};

/// The text of a value; the default where it has none.
pub(super) fn text<'a>(value: &'a Value, default: &'a str) -> &'a str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(default)
}

/// Does what the API does to a new object, and stores it.
pub(super) fn admit(store: &Store, object: &Value, namespace: &str, now: Timestamp) -> Result<Key, SimulationError> {
    let kind = text(&object["kind"], "");
    let refused = |why: String| SimulationError::Refused(why);
    let resource = Resource::ALL
        .into_iter()
        .find(|resource| resource.kind() == kind)
        .ok_or_else(|| refused(format!("a {kind} can't stand beside a simulated pod")))?;
    let namespace = text(&object["metadata"]["namespace"], namespace).to_owned();
    let mut object = object.clone();
    let lookup = |key: &Key| store.get(key);
    let context = AdmissionContext {
        namespace: &namespace,
        now,
        lookup: &lookup,
        priority_classes: &store.list(Resource::PriorityClasses, None).0,
        limit_ranges: &store.list(Resource::LimitRanges, Some(&namespace)).0,
    };
    admit_create(resource, &mut object, &context).map_err(|rejection| refused(words(&rejection)))?;
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

fn words(rejection: &Rejection) -> String {
    match rejection {
        Rejection::BadRequest(why) | Rejection::NotFound(why) | Rejection::Internal(why) => why.clone(),
        Rejection::Forbidden { name, why, .. } => format!("pods {name:?} is forbidden: {why}"),
        Rejection::Invalid { kind, name, errors } => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            match errors.as_slice() {
                [error] => format!("{kind} {name:?} is invalid: {error}"),
                several => format!("{kind} {name:?} is invalid: [{}]", several.join(", ")),
            }
        }
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
