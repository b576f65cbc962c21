//! PriorityClasses (`pkg/apis/scheduling/validation`).

use serde_json::Value;

use crate::api::admission::{
    field_error::{Errors, Path},
    priority::SYSTEM_CLASSES,
};

/// The highest priority that users may give.
const HIGHEST: i64 = 1_000_000_000;

/// Checks a class.
pub(super) fn check(class: &Value, errors: &mut Errors) {
    let name = class["metadata"]["name"].as_str().unwrap_or_default();
    let value = class["value"].as_i64().unwrap_or_default();
    let known = SYSTEM_CLASSES.iter().find(|(known, ..)| *known == name);
    if name.starts_with("system-") {
        let why = match known {
            None => Some(format!("{name} is not a known system priority class")),
            Some((_, right, _)) if *right != value => Some(format!("value of {name} PriorityClass must be {right}")),
            Some(_) if class["globalDefault"] == true => {
                Some(format!("globalDefault of {name} PriorityClass must be false"))
            }
            Some(_) => None,
        };
        if let Some(why) = why {
            let words =
                format!("priority class names with 'system-' prefix are reserved for system use only. error: {why}");
            errors.forbidden(&Path::new("metadata").child("name"), words);
        }
    } else if value > HIGHEST {
        let words = format!("maximum allowed value of a user defined priority is {HIGHEST}");
        errors.forbidden(&Path::new("value"), words);
    }
    let policy = class["preemptionPolicy"].as_str().unwrap_or_default();
    if !matches!(policy, "Never" | "PreemptLowerPriority") {
        errors.not_supported(
            &Path::new("preemptionPolicy"),
            policy,
            &["Never", "PreemptLowerPriority"],
        );
    }
}

/// What of a class may not change.
pub(in crate::api::admission) fn changes(old: &Value, new: &Value) -> Errors {
    let mut errors = Errors::default();
    let value = |class: &Value| class["value"].as_i64().unwrap_or_default();
    if value(old) != value(new) {
        errors.forbidden(&Path::new("value"), "may not be changed in an update.");
    }
    if old["preemptionPolicy"] != new["preemptionPolicy"] {
        let path = Path::new("preemptionPolicy");
        errors.invalid(&path, new["preemptionPolicy"].clone(), "field is immutable");
    }
    errors
}
