//! RuntimeClasses (`pkg/apis/node/validation`).

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use serde_json::{Value, json};

use super::{metadata, resources, scheduling};
use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// Checks a class.
pub(super) fn check(class: &Value, errors: &mut Errors) {
    let handler = class["handler"].as_str().unwrap_or_default();
    errors.invalid_each(&Path::new("handler"), handler, names::dns_label(handler));
    let overhead = json!({"limits": class["overhead"]["podFixed"]});
    if let Ok(overhead) = serde_json::from_value::<ResourceRequirements>(overhead) {
        resources::check(&overhead, false, &Path::new("overhead"), errors);
    }
    let (scheduling, path) = (&class["scheduling"], Path::new("scheduling"));
    metadata::labels(&scheduling["nodeSelector"], &path.child("nodeSelector"), errors);
    let path = path.child("tolerations");
    let tolerations: Vec<Toleration> = serde_json::from_value(scheduling["tolerations"].clone()).unwrap_or_default();
    // The server names the field twice here.
    scheduling::tolerations(&tolerations, &path.child("tolerations"), errors);
    let key = |one: &Toleration| {
        (
            one.key.clone(),
            one.operator.clone(),
            one.value.clone(),
            one.effect.clone(),
        )
    };
    for (index, toleration) in tolerations.iter().enumerate() {
        if tolerations[..index].iter().any(|other| key(other) == key(toleration)) {
            errors.duplicate(&path.index(index), scheduling["tolerations"][index].clone());
        }
    }
}

/// What of a class may not change.
pub(in crate::api::admission) fn changes(old: &Value, new: &Value) -> Errors {
    let mut errors = Errors::default();
    if old["handler"] != new["handler"] {
        errors.invalid(&Path::new("handler"), new["handler"].clone(), "field is immutable");
    }
    errors
}
