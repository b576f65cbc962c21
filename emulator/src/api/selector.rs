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
        for part in fields.split(',').filter(|part| !part.is_empty()) {
            let (path, equal, value) = match part.split_once("!=") {
                Some((path, value)) => (path, false, value),
                None => match part.split_once("==").or_else(|| part.split_once('=')) {
                    Some((path, value)) => (path, true, value),
                    None => return Err(format!("invalid selector: '{fields}'; can't understand '{part}'")),
                },
            };
            let own = path;
            let path = if new_events { core_path(path) } else { path.to_owned() };
            let path = path.as_str();
            if !selectable(resource).contains(&path) && !matches!(path, "metadata.name" | "metadata.namespace") {
                return Err(format!("field label not supported: {own}"));
            }
            wanted.push((path.to_owned(), equal, value.to_owned()));
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
}
