//! Which objects of a collection are meant: label and field selectors.

use serde_json::Value;

use super::event_form::core_path;
use crate::store::Resource;

/// What an object has to fulfil.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

impl Selector {
    /// Reads `labelSelector` and `fieldSelector`.
    ///
    /// # Errors
    /// The server's words.
    pub(super) fn parse(resource: Resource, new_events: bool, labels: &str, fields: &str) -> Result<Self, String> {
        let labels = label_requirements(labels).map_err(|why| format!("unable to parse requirement: {why}"))?;
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

impl Requirement {
    fn matches(&self, label: Option<&str>) -> bool {
        let number = || label.and_then(|label| label.parse::<i64>().ok());
        match &self.operator {
            Operator::In(values) => label.is_some_and(|label| values.iter().any(|value| value == label)),
            Operator::NotIn(values) => label.is_none_or(|label| values.iter().all(|value| value != label)),
            Operator::Exists => label.is_some(),
            Operator::Absent => label.is_none(),
            Operator::Greater(than) => number().is_some_and(|number| number > *than),
            Operator::Less(than) => number().is_some_and(|number| number < *than),
        }
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
        Resource::ConfigMaps | Resource::PriorityClasses | Resource::ServiceAccounts => &[],
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

fn label_requirements(text: &str) -> Result<Vec<Requirement>, String> {
    let mut requirements = Vec::new();
    for part in split_outside_parentheses(text) {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        requirements.push(requirement(part)?);
    }
    Ok(requirements)
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let made = |key: &str, operator| {
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(format!("<nil>: Invalid value: \"{key}\": name part must be non-empty"));
        }
        Ok(Requirement {
            key: key.to_owned(),
            operator,
        })
    };
    if let Some(key) = part.strip_prefix('!').filter(|rest| !rest.contains('=')) {
        return made(key, Operator::Absent);
    }
    if let Some((head, list)) = part.split_once('(') {
        let list = list.strip_suffix(')').ok_or("found '', expected: ',' or ')'")?;
        let values = list.split(',').map(|value| value.trim().to_owned()).collect();
        let mut words = head.split_whitespace();
        let (key, word) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        return match word {
            "in" => made(key, Operator::In(values)),
            "notin" => made(key, Operator::NotIn(values)),
            other => Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return made(key, Operator::NotIn(vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return made(key, Operator::In(vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = part.split_once('>') {
        return made(
            key,
            Operator::Greater(value.trim().parse().map_err(|_| format!("\"{value}\": not a number"))?),
        );
    }
    if let Some((key, value)) = part.split_once('<') {
        return made(
            key,
            Operator::Less(value.trim().parse().map_err(|_| format!("\"{value}\": not a number"))?),
        );
    }
    made(part, Operator::Exists)
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(selector: &str) -> bool {
        let object = json!({"metadata": {"labels": {"app": "web", "n": "5"}}});
        Selector::parse(Resource::Pods, false, selector, "")
            .unwrap()
            .matches(&object)
    }

    #[test]
    fn labels_are_selected_by_every_operator() {
        for selector in [
            "",
            "app",
            "app=web",
            "app==web,n=5",
            "app in (web, db)",
            "x notin (y)",
            "!x",
            "x!=y",
            "n>4",
            "n<6",
        ] {
            assert!(labels(selector), "{selector}");
        }
        for selector in [
            "x",
            "app=db",
            "app!=web",
            "app in (db)",
            "app notin (web,db)",
            "!app",
            "n>5",
        ] {
            assert!(!labels(selector), "{selector}");
        }
        assert!(Selector::parse(Resource::Pods, false, "app in (web", "").is_err());
    }

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
