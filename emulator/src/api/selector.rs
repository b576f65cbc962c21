//! Which objects of a collection are meant: label and field selectors.

use serde_json::Value;

use super::event_form::core_path;
use super::label_selector::{self, Requirement};
use crate::store::Resource;

/// What an object has to fulfil.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    ///
    /// # Errors
    /// The server's words.
    pub(super) fn parse(resource: Resource, new_events: bool, labels: &str, fields: &str) -> Result<Self, String> {
        let labels = label_selector::parse(labels)?;
        let mut wanted = Vec::new();
        for term in field_terms(fields) {
            let (path, equal, value) =
                split_term(term).ok_or_else(|| format!("invalid selector: '{fields}'; can't understand '{term}'"))?;
            let path = known_path(resource, new_events, path)?;
            wanted.push((path, equal, unescaped(value)?));
        }
        Ok(Self { labels, fields: wanted })
    }

    /// Whether every object is meant.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The object of that name alone.
    pub(super) fn named(name: &str) -> Self {
        Self {
            labels: Vec::new(),
            fields: vec![("metadata.name".to_owned(), true, name.to_owned())],
        }
    }

    /// Whether the object is meant.
    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels
            .iter()
            .all(|requirement| requirement.matches(labels[&requirement.key].as_str()))
            && self
                .fields
                .iter()
                .all(|(path, equal, value)| (field(object, path) == *value) == *equal)
    }
}

/// The terms of a field selector: a comma that a backslash escapes is part of a value.
fn field_terms(selector: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, character) in selector.char_indices() {
        match character {
            ',' if !escaped => {
                terms.push(&selector[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        escaped = character == '\\' && !escaped;
    }
    terms.push(&selector[start..]);
    terms.retain(|term| !term.is_empty());
    terms
}

/// A term's field, whether it has to be equal, and the value: its first operator decides.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    term.char_indices().find_map(|(at, _)| {
        let operators = [("!=", false), ("==", true), ("=", true)];
        operators.into_iter().find_map(|(operator, equal)| {
            let value = term[at..].strip_prefix(operator)?;
            Some((&term[..at], equal, value))
        })
    })
}

/// A value without its escapes (`apimachinery/pkg/fields/selector.go`, `UnescapeValue`).
fn unescaped(value: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => text.push(escaped),
                Some(other) => return Err(format!("invalid field selector: invalid escape sequence: \\{other}")),
                None => return Err("invalid field selector: invalid escape sequence: \\".to_owned()),
            },
            ',' | '=' => {
                let code = u32::from(character); // The server says it as a number.
                return Err(format!("invalid field selector: unescaped character in value: {code}"));
            }
            other => text.push(other),
        }
    }
    Ok(text)
}

/// The path of a field by which objects of a kind are selected, as the core calls it.
///
/// # Errors
/// The server's words for another field.
fn known_path(resource: Resource, new_events: bool, path: &str) -> Result<String, String> {
    let fields = selectable(resource);
    let known = match (new_events, path) {
        // The newer group has no name for the source (`pkg/apis/events/v1/conversion.go`).
        (true, "deprecatedSource") => None,
        (true, path) => Some(core_path(path)),
        // Clients from before the field was renamed.
        (false, "spec.host") if resource == Resource::Pods => Some("spec.nodeName".to_owned()),
        (false, "name") if resource == Resource::Namespaces => Some("metadata.name".to_owned()),
        (false, path) => Some(path.to_owned()),
    };
    let of_metadata = |path: &str| {
        path == "metadata.name" || (path == "metadata.namespace" && (resource.namespaced() || fields.is_empty()))
    };
    match known.filter(|path| fields.contains(&path.as_str()) || of_metadata(path)) {
        Some(path) => Ok(path),
        None if fields.is_empty() => Err(format!(
            "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )),
        None => Err(format!("field label not supported: {path}")),
    }
}

/// The fields that each kind can be selected by.
fn selectable(resource: Resource) -> &'static [&'static str] {
    match resource {
        Resource::Pods => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        Resource::Events => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        Resource::Namespaces => &["status.phase"],
        Resource::Nodes => &["spec.unschedulable"],
        Resource::Secrets => &["type"],
        Resource::ConfigMaps
        | Resource::Leases
        | Resource::LimitRanges
        | Resource::PodTemplates
        | Resource::PriorityClasses
        | Resource::ResourceQuotas
        | Resource::RuntimeClasses
        | Resource::ServiceAccounts => &[],
    }
}

fn field(object: &Value, path: &str) -> String {
    let path = match path {
        "source" if object["source"]["component"].as_str().is_none_or(str::is_empty) => "reportingComponent",
        "source" => "source.component",
        other => other,
    };
    let value = path.split('.').fold(object, |value, part| &value[part]);
    match value {
        Value::String(text) => text.clone(),
        Value::Null if matches!(path, "spec.unschedulable" | "spec.hostNetwork") => "false".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_those_of_the_kind() {
        let pod = json!({"metadata": {"name": "a"}, "status": {"phase": "Running"}});
        let matches = |fields: &str| {
            Selector::parse(Resource::Pods, false, "", fields)
                .unwrap()
                .matches(&pod)
        };
        assert!(matches("status.phase=Running,metadata.name!=b") && matches("spec.nodeName="));
        assert!(!matches("status.phase!=Running"));
        let refused = Selector::parse(Resource::Pods, false, "", "spec.foo=1").unwrap_err();
        assert_eq!(refused, "field label not supported: spec.foo");
    }

    fn selects(new_events: bool, event: &Value, fields: &str) -> bool {
        let selector = Selector::parse(Resource::Events, new_events, "", fields);
        selector.unwrap_or_else(|why| panic!("{fields}: {why}")).matches(event)
    }

    #[test]
    fn events_are_selected_in_both_groups() {
        let event = json!({
            "metadata": {"name": "e", "namespace": "n"}, "reason": "Pulled", "type": "Normal",
            "involvedObject": {
                "kind": "Pod", "namespace": "n", "name": "p", "uid": "u", "apiVersion": "v1", "resourceVersion": "5",
                "fieldPath": "spec.containers{c}",
            },
            "source": {"component": "kubelet"}, "reportingComponent": "kubelet",
        });
        let object = [
            ("kind", "Pod"),
            ("namespace", "n"),
            ("name", "p"),
            ("uid", "u"),
            ("apiVersion", "v1"),
            ("resourceVersion", "5"),
            ("fieldPath", "spec.containers{c}"),
        ];
        for (field, value) in object {
            for (new_events, name) in [(false, "involvedObject"), (true, "regarding")] {
                assert!(
                    selects(new_events, &event, &format!("{name}.{field}={value}")),
                    "{name}.{field}"
                );
                assert!(
                    !selects(new_events, &event, &format!("{name}.{field}=x")),
                    "{name}.{field}"
                );
            }
        }
        for fields in [
            "reason=Pulled",
            "type!=Warning",
            "metadata.name=e",
            "metadata.namespace==n",
        ] {
            assert!(
                selects(false, &event, fields) && selects(true, &event, fields),
                "{fields}"
            );
        }
        assert!(selects(false, &event, "reportingComponent=kubelet,source=kubelet"));
        assert!(selects(true, &event, "reportingController=kubelet"));
        for (new_events, field) in [
            (false, "reportingController"),
            (false, "regarding.name"),
            (true, "reportingComponent"),
            (true, "involvedObject.name"),
            (true, "source"),
            (true, "deprecatedSource"),
        ] {
            let refused = Selector::parse(Resource::Events, new_events, "", &format!("{field}=x"));
            assert_eq!(refused.unwrap_err(), format!("field label not supported: {field}"));
        }
    }

    #[test]
    fn event_without_source_is_selected_by_its_controller() {
        for source in [json!({}), json!({"component": ""}), Value::Null] {
            let event = json!({"source": source, "reportingComponent": "my-controller"});
            assert!(selects(false, &event, "source=my-controller"), "{source}");
        }
        let event = json!({"source": {"component": "kubelet"}, "reportingComponent": "other"});
        assert!(selects(false, &event, "source=kubelet,reportingComponent=other"));
    }

    #[test]
    fn field_values_are_unescaped() {
        let parse = |fields: &str| Selector::parse(Resource::Pods, false, "", fields);
        let pod = json!({"metadata": {"name": "a,b=c\\d"}, "spec": {"nodeName": "n"}});
        assert!(parse(r"metadata.name=a\,b\=c\\d,,spec.host=n").unwrap().matches(&pod));
        for (fields, words) in [
            (
                "status.phase",
                "invalid selector: 'status.phase'; can't understand 'status.phase'",
            ),
            (
                "status.phase=a=b",
                "invalid field selector: unescaped character in value: 61",
            ),
            (
                r"status.phase=a\b",
                r"invalid field selector: invalid escape sequence: \b",
            ),
        ] {
            assert_eq!(parse(fields).unwrap_err(), words);
        }
    }

    #[test]
    fn kinds_without_fields_are_selected_by_their_metadata() {
        let parse = |resource, fields: &str| Selector::parse(resource, false, "", fields).err();
        assert_eq!(parse(Resource::ConfigMaps, "metadata.namespace=n"), None);
        assert_eq!(
            parse(Resource::ConfigMaps, "data=x").unwrap(),
            "\"data\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
        assert_eq!(
            parse(Resource::Nodes, "metadata.namespace=n").unwrap(),
            "field label not supported: metadata.namespace"
        );
    }
}
