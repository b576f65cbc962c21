//! What may be changed in an object that exists.

mod keep;
mod pod;
mod resize;
mod subresources;

use serde_json::Value;

use self::keep::{copy, copy_within};
pub use self::{
    resize::{Resizing, admit_resize},
    subresources::{admit_ephemeral_containers, admit_status},
};
use super::{
    AdmissionContext, check_policies, defaults,
    field_error::{Errors, Path},
    only_default, priority,
    rejection::Rejection,
    runtime_class, tolerations, validate,
};
use crate::store::Resource;

/// Fields of the metadata that only the server sets.
const SERVERS_OWN: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
];

/// Makes a decoded object ready to be stored in place of `old`.
///
/// # Errors
/// Why the change is refused.
pub fn admit_update(
    resource: Resource,
    old: &Value,
    new: &mut Value,
    context: &AdmissionContext<'_>,
) -> Result<(), Rejection> {
    keep_servers_own(old, new);
    defaults::apply(resource, new);
    match resource {
        Resource::Pods => {
            tolerations::apply(new);
            priority::keep(old, new);
            runtime_class::keep(old, new);
            // Its status has a path of its own.
            copy(old, new, "status");
            if new["spec"] != old["spec"] {
                raise_generation(new);
            }
        }
        Resource::Namespaces | Resource::Nodes => {
            copy(old, new, "status");
            if resource == Resource::Namespaces {
                copy(old, new, "spec");
            }
        }
        Resource::ResourceQuotas => copy(old, new, "status"),
        Resource::PriorityClasses => only_default(new, context)?,
        _ => {}
    }
    metadata_unchanged(resource, old, new)?;
    // A pod that is wrong in itself is told what it may not change as well (`validation.go`, `ValidatePodUpdate`).
    let mut mistakes = validate::mistakes(resource, new)?;
    if resource != Resource::Pods && !mistakes.is_empty() {
        return Rejection::of_fields(resource, new, mistakes);
    }
    let errors = match resource {
        Resource::Pods => pod::changes(old, new),
        Resource::ConfigMaps | Resource::Secrets => stays_immutable(resource, old, new),
        Resource::PriorityClasses => validate::priority_class::changes(old, new),
        Resource::ResourceQuotas => validate::resource_quota::changes(old, new),
        Resource::RuntimeClasses => validate::runtime_class::changes(old, new),
        _ => Errors::default(),
    };
    mistakes.extend(errors.into_inner());
    Rejection::of_fields(resource, new, mistakes)?;
    check_policies(resource, Some(old), new, context)
}

/// What a client says about the server's own fields is not heard, but a wrong `uid` is a conflict of its own.
fn keep_servers_own(old: &Value, new: &mut Value) {
    for field in SERVERS_OWN {
        let given = &new["metadata"][field];
        if field == "uid" && given.as_str().is_some_and(|uid| !uid.is_empty()) {
            continue;
        }
        copy_within(old, new, "metadata", field);
    }
    if new["metadata"]["namespace"].as_str().unwrap_or_default().is_empty() {
        copy_within(old, new, "metadata", "namespace");
    }
}

fn raise_generation(new: &mut Value) {
    let generation = new["metadata"]["generation"].as_i64().unwrap_or_default();
    new["metadata"]["generation"] = (generation + 1).into();
}

fn metadata_unchanged(resource: Resource, old: &Value, new: &Value) -> Result<(), Rejection> {
    let mut errors = Errors::default();
    let path = Path::new("metadata");
    for field in ["name", "namespace", "uid"] {
        let (before, after) = (&old["metadata"][field], &new["metadata"][field]);
        if before != after {
            errors.invalid(&path.child(field), after.clone(), "field is immutable");
        }
    }
    // The name in the answer is the one that was asked for.
    Rejection::of_fields(resource, old, errors.into_inner())
}

fn stays_immutable(resource: Resource, old: &Value, new: &Value) -> Errors {
    let mut errors = Errors::default();
    let root = |field: &str| Path::new(field);
    if old["immutable"] == true {
        if new["immutable"] != true {
            errors.forbidden(&root("immutable"), "field is immutable when `immutable` is set");
        }
        for field in ["data", "binaryData"] {
            if old[field] != new[field] {
                errors.forbidden(&root(field), "field is immutable when `immutable` is set");
            }
        }
    }
    if resource == Resource::Secrets && old["type"] != new["type"] {
        errors.invalid(&root("type"), new["type"].clone(), "field is immutable");
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: Value) -> Value {
        let mut pod = json!({"metadata": {"name": "p", "namespace": "n", "generation": 1}, "spec": spec});
        defaults::apply(Resource::Pods, &mut pod);
        tolerations::apply(&mut pod);
        pod
    }

    fn update(old: &Value, change: impl FnOnce(&mut Value)) -> Result<Value, String> {
        let mut new = old.clone();
        change(&mut new);
        let context = AdmissionContext {
            namespace: "n",
            now: jiff::Timestamp::UNIX_EPOCH,
            lookup: &|_| None,
            priority_classes: &[],
            limit_ranges: &[],
        };
        admit_update(Resource::Pods, old, &mut new, &context)
            .map(|()| new)
            .map_err(|error| error.to_string())
    }

    fn simple() -> Value {
        pod(json!({"containers": [{"name": "a", "image": "b:1"}]}))
    }

    #[test]
    fn an_image_may_change_and_raises_the_generation() {
        let new = update(&simple(), |pod| pod["spec"]["containers"][0]["image"] = "b:2".into()).unwrap();
        assert_eq!(new["metadata"]["generation"], 2);
    }

    #[test]
    fn labels_change_without_a_new_generation() {
        let new = update(&simple(), |pod| pod["metadata"]["labels"] = json!({"a": "b"})).unwrap();
        assert_eq!(new["metadata"]["generation"], 1);
    }

    #[test]
    fn a_command_may_not_change() {
        let error = update(&simple(), |pod| pod["spec"]["containers"][0]["command"] = json!(["x"])).unwrap_err();
        assert!(
            error.starts_with("Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"),
            "{error}"
        );
    }

    #[test]
    fn what_is_wrong_in_itself_is_told_with_what_may_not_change() {
        let refused = update(&simple(), |pod| pod["spec"]["activeDeadlineSeconds"] = json!(-1)).unwrap_err();
        for from in [1, 0] {
            let range = format!("spec.activeDeadlineSeconds: Invalid value: -1: must be between {from} and 2147483647");
            assert!(refused.contains(&range), "{refused}");
        }
    }

    #[test]
    fn gates_can_only_go() {
        let gated = pod(json!({"containers": [{"name": "a", "image": "b:1"}], "schedulingGates": [{"name": "x.y/g"}]}));
        assert!(update(&gated, |pod| pod["spec"]["schedulingGates"] = json!([])).is_ok());
        let error = update(&gated, |pod| {
            pod["spec"]["schedulingGates"] = json!([{"name": "x.y/h"}])
        })
        .unwrap_err();
        assert!(
            error.contains("only deletion is allowed, but found new scheduling gate 'x.y/h'"),
            "{error}"
        );
    }

    #[test]
    fn the_name_stays() {
        let error = update(&simple(), |pod| pod["metadata"]["name"] = "q".into()).unwrap_err();
        assert_eq!(
            error,
            "Pod \"p\" is invalid: metadata.name: Invalid value: \"q\": field is immutable"
        );
    }
}
