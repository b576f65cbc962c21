//! Saved events of both APIs: `v1`, and `events.k8s.io/v1` with other names for the same things.

use k8s_openapi::api::core::v1::Event;
use serde_json::Value;

use super::document::Document;
use super::problem::Problem;
use super::source::Source;

/// What `events.k8s.io/v1` calls otherwise.
const RENAMED: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedCount", "count"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
];

/// Reads an event, whichever API it was saved from.
///
/// # Errors
/// What the type does not take.
pub fn of(document: &Document, source: &Source) -> Result<Event, Problem> {
    let mut value = document.value.clone();
    if let Value::Object(members) = &mut value {
        for (new, old) in RENAMED {
            if let Some(member) = members.shift_remove(new) {
                members.entry(old).or_insert(member);
            }
        }
        members.insert("apiVersion".to_owned(), "v1".into());
        members.entry("involvedObject").or_insert_with(|| serde_json::json!({}));
        members.entry("metadata").or_insert_with(|| serde_json::json!({}));
    }
    serde_json::from_value(value)
        .map_err(|error| Problem::new(source, format!("{}: {error}", document.kind)).at(document.node.place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::documents;

    #[test]
    fn both_apis_tell_the_same() {
        let text = "apiVersion: events.k8s.io/v1\nkind: Event\nmetadata: {name: e, uid: u}\nregarding: {kind: Pod, name: web}\n\
                    note: said\nreason: Pulled\ndeprecatedCount: 3\neventTime: null\n\
                    deprecatedLastTimestamp: \"2026-01-01T00:00:00Z\"\n";
        let source = Source {
            name: "events.yaml".into(),
            text: text.into(),
        };
        let event = of(&documents(&source).unwrap()[0], &source).unwrap();
        assert_eq!(event.involved_object.name.as_deref(), Some("web"));
        assert_eq!((event.message.as_deref(), event.count), (Some("said"), Some(3)));
        assert!(event.last_timestamp.is_some());
    }
}
