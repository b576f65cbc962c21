//! Sets of fields, and their form in `fieldsV1`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::api::merge_keys::{Items, default_of, is_atomic_object, items};

/// One step of a path, as it is written: `f:name`, `k:{"name":"a"}`, `v:"a"`.
pub(super) type Step = String;
/// The way to a field.
pub(super) type Path = Vec<Step>;

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet(BTreeSet<Path>);

/// Fields that nobody owns: they say which object it is, or are the server's.
const UNOWNED: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "selfLink",
];

impl FieldSet {
    /// Every field that is set in an object.
    pub(super) fn of(object: &Value) -> Self {
        let mut set = Self::default();
        for (name, value) in object.as_object().into_iter().flatten() {
            match name.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        if !UNOWNED.contains(&name.as_str()) {
                            set.visit(&mut vec!["f:metadata".into(), format!("f:{name}")], name, value);
                        }
                    }
                }
                _ => set.visit(&mut vec![format!("f:{name}")], name, value),
            }
        }
        set
    }

    fn visit(&mut self, path: &mut Path, name: &str, value: &Value) {
        match value {
            Value::Object(fields) if !is_atomic_object(name) => {
                if fields.is_empty() || is_free(path) {
                    self.0.insert(path.clone());
                }
                for (name, value) in fields {
                    path.push(format!("f:{name}"));
                    self.visit(path, name, value);
                    path.pop();
                }
            }
            Value::Array(list) => match items(name) {
                Items::Atomic => {
                    self.0.insert(path.clone());
                }
                Items::Set => {
                    for item in list {
                        path.push(format!("v:{item}"));
                        self.0.insert(path.clone());
                        path.pop();
                    }
                }
                Items::Keyed(keys) => {
                    for item in list {
                        path.push(key_step(keys, item));
                        self.0.insert(path.clone());
                        for (name, value) in item.as_object().into_iter().flatten() {
                            path.push(format!("f:{name}"));
                            self.visit(path, name, value);
                            path.pop();
                        }
                        path.pop();
                    }
                }
            },
            Value::Null => {}
            _ => {
                self.0.insert(path.clone());
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.0.contains(path)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Path> {
        self.0.iter()
    }

    pub(super) fn filter(&self, keep: impl Fn(&Path) -> bool) -> Self {
        Self(self.0.iter().filter(|path| keep(path)).cloned().collect())
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// Reads `fieldsV1`.
    pub(super) fn from_json(value: &Value) -> Self {
        fn read(value: &Value, path: &mut Path, set: &mut BTreeSet<Path>) {
            let fields = value.as_object();
            if !path.is_empty() && fields.is_none_or(Map::is_empty) {
                set.insert(path.clone());
            }
            for (step, inner) in fields.into_iter().flatten() {
                if step == "." {
                    set.insert(path.clone());
                } else {
                    path.push(step.clone());
                    read(inner, path, set);
                    path.pop();
                }
            }
        }
        let mut set = BTreeSet::new();
        read(value, &mut Vec::new(), &mut set);
        Self(set)
    }

    /// Writes `fieldsV1`.
    pub(super) fn to_json(&self) -> Value {
        let mut root = json!({});
        for path in &self.0 {
            let mut place = &mut root;
            for step in path {
                place = &mut place[step.as_str()];
                if place.is_null() {
                    *place = json!({});
                }
            }
            let has_more = self
                .0
                .range(path.clone()..)
                .nth(1)
                .is_some_and(|next| next.starts_with(path));
            if has_more {
                place["."] = json!({});
            }
        }
        root
    }
}

/// Whether an object's keys are chosen by users, so that the object itself is owned too.
fn is_free(path: &Path) -> bool {
    matches!(
        path.last().map(String::as_str),
        Some(
            "f:labels"
                | "f:annotations"
                | "f:data"
                | "f:binaryData"
                | "f:stringData"
                | "f:limits"
                | "f:requests"
                | "f:hard"
                | "f:used"
                | "f:podFixed"
        )
    )
}

/// The step to an item of a list.
pub(super) fn key_step(keys: &[&str], item: &Value) -> Step {
    let fields: Map<String, Value> = keys
        .iter()
        .filter_map(|key| match &item[*key] {
            Value::Null => default_of(key).map(|value| ((*key).to_owned(), json!(value))),
            value => Some(((*key).to_owned(), value.clone())),
        })
        .collect();
    format!("k:{}", Value::Object(fields))
}

/// Which item of a list a step leads to.
pub(super) fn position(list: &[Value], step: &str) -> Option<usize> {
    if let Some(value) = step.strip_prefix("v:") {
        let wanted: Value = serde_json::from_str(value).ok()?;
        return list.iter().position(|item| *item == wanted);
    }
    let wanted: Map<String, Value> = serde_json::from_str(step.strip_prefix("k:")?).ok()?;
    list.iter().position(|item| {
        wanted.iter().all(|(key, value)| match &item[key] {
            Value::Null => default_of(key).is_some_and(|default| value == default),
            found => found == value,
        })
    })
}

/// What stands at a path; null where nothing does.
pub(super) fn value_at<'a>(object: &'a Value, path: &[Step]) -> &'a Value {
    path.iter().fold(object, |value, step| match step.strip_prefix("f:") {
        Some(field) => &value[field],
        None => value
            .as_array()
            .and_then(|list| list.get(position(list, step)?))
            .unwrap_or(&Value::Null),
    })
}

/// Whether the field holds a value of its own, and is not just there for what is inside it.
pub(super) fn is_leaf(object: &Value, path: &[Step]) -> bool {
    let value = value_at(object, path);
    let is_item = path.last().is_some_and(|step| step.starts_with("k:"));
    let name = path.last().and_then(|step| step.strip_prefix("f:")).unwrap_or_default();
    !is_item && (!value.is_object() || is_atomic_object(name))
}

/// The path as a conflict names it: `.spec.containers[name="a"].image`.
pub(super) fn shown(path: &[Step]) -> String {
    path.iter()
        .map(|step| match step.split_once(':') {
            Some(("f", field)) => format!(".{field}"),
            Some(("k", keys)) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            Some((_, value)) => format!("[={value}]"),
            None => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_comes_back_the_same() {
        let pod = json!({
            "metadata": {"name": "a", "labels": {"x": "1"}, "finalizers": ["f"]},
            "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}], "tolerations": []},
        });
        let set = FieldSet::of(&pod);
        assert_eq!(FieldSet::from_json(&set.to_json()), set);
        let json = set.to_json();
        assert_eq!(
            json["f:spec"]["f:containers"]["k:{\"name\":\"c\"}"]["f:image"],
            json!({})
        );
        assert_eq!(json["f:metadata"]["f:finalizers"], json!({"v:\"f\"": {}}));
        assert!(json["f:metadata"]["f:name"].is_null());
    }

    #[test]
    fn paths_lead_to_values() {
        let pod = json!({"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 1}]}]}});
        let path = [
            "f:spec",
            "f:containers",
            "k:{\"name\":\"c\"}",
            "f:ports",
            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}",
            "f:hostPort",
        ];
        let path: Vec<String> = path.map(str::to_owned).to_vec();
        assert_eq!(value_at(&pod, &path), &json!(1));
        assert_eq!(
            shown(&path),
            ".spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"].hostPort"
        );
    }
}
