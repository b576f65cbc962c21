//! Events as `events.k8s.io/v1` shows them: the same objects as the core's, with other names for some fields
//! (`pkg/apis/events/v1/conversion.go`).

use serde_json::Value;

/// The newer group of events.
pub(super) const EVENTS_GROUP: &str = "events.k8s.io";
/// The newer `apiVersion` of events.
pub(super) const EVENTS_VERSION: &str = "events.k8s.io/v1";

/// Names in the core, and in `events.k8s.io`.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// From either form to the other. A name that belongs to neither, or to the form that comes out, stays wrong and is
/// found so.
pub(super) fn exchanged(event: &Value) -> Value {
    let Some(fields) = event.as_object() else {
        return event.clone();
    };
    let renamed = fields.iter().map(|(field, value)| {
        let value = match value.as_str() {
            Some("v1") if field == "apiVersion" => EVENTS_VERSION.into(),
            Some(EVENTS_VERSION) if field == "apiVersion" => "v1".into(),
            _ => value.clone(),
        };
        (exchange(field).to_owned(), value)
    });
    Value::Object(renamed.collect())
}

/// A field selector's path in the core's form.
pub(super) fn core_path(path: &str) -> String {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    match (exchange(first), rest) {
        (first, "") => first.to_owned(),
        (first, rest) => format!("{first}.{rest}"),
    }
}

/// The other name of a field; fields of one name keep it.
fn exchange(name: &str) -> &str {
    let found = NAMES.iter().find_map(|(core, new)| match name {
        _ if name == *core => Some(*new),
        _ if name == *new => Some(*core),
        _ => None,
    });
    found.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let core = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {"name": "p"},
            "message": "m", "reason": "r", "count": 2,
        });
        let new = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}, "regarding": {"name": "p"},
            "note": "m", "reason": "r", "deprecatedCount": 2,
        });
        assert_eq!(exchanged(&core), new);
        assert_eq!(exchanged(&new), core);
        assert_eq!(core_path("regarding.name"), "involvedObject.name");
        assert_eq!(core_path("metadata.name"), "metadata.name");
    }

    #[test]
    fn what_belongs_to_the_other_form_stays_wrong() {
        for (given, found) in [
            (
                json!({"apiVersion": "events.k8s.io/v2"}),
                json!({"apiVersion": "events.k8s.io/v2"}),
            ),
            (json!({"message": "m"}), json!({"note": "m"})),
            (json!({"apiVersion": "v1"}), json!({"apiVersion": "events.k8s.io/v1"})),
        ] {
            assert_eq!(exchanged(&given), found);
        }
    }
}
