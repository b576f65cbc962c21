//! Sets of fields, and their form in `fieldsV1`.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

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

    /// Whether the field, or one inside it, is in the set.
    pub(super) fn holds(&self, path: &Path) -> bool {
        // What a path contains follows it at once in the order.
        let next = self.0.range::<Path, _>(path..).next();
        next.is_some_and(|next| next.starts_with(path))
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

/// A list, by its address and the names of its keys.
type KeyedList = (*const Value, String);

/// An object whose list items are found by their keys without a search for each.
pub(super) struct Index<'a> {
    object: &'a Value,
    /// The index of the item of each step, for each list.
    lists: RefCell<HashMap<KeyedList, HashMap<Step, usize>>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(object: &'a Value) -> Self {
        Self {
            object,
            lists: RefCell::default(),
        }
    }

    /// The value at a path; null where there is none.
    pub(super) fn value_at(&self, path: &[Step]) -> &'a Value {
        path.iter()
            .fold(self.object, |value, step| match step.strip_prefix("f:") {
                Some(field) => &value[field],
                None => self.item(value, step).unwrap_or(&Value::Null),
            })
    }

    /// Whether the field holds a value of its own, and is not just there for what is inside it.
    pub(super) fn is_leaf(&self, path: &[Step]) -> bool {
        let value = self.value_at(path);
        let is_item = path.last().is_some_and(|step| step.starts_with("k:"));
        let name = path.last().and_then(|step| step.strip_prefix("f:")).unwrap_or_default();
        !is_item && (!value.is_object() || is_atomic_object(name))
    }

    fn item(&self, value: &'a Value, step: &str) -> Option<&'a Value> {
        let list = value.as_array()?;
        if step.starts_with("v:") {
            return self.find(list, String::new(), step, |item| format!("v:{item}"));
        }
        let wanted: Map<String, Value> = serde_json::from_str(step.strip_prefix("k:")?).ok()?;
        let keys: Vec<&str> = wanted.keys().map(String::as_str).collect();
        self.find(list, keys.join(","), step, |item| key_step(&keys, item))
    }

    fn find(&self, list: &'a [Value], keys: String, step: &str, step_of: impl Fn(&Value) -> Step) -> Option<&'a Value> {
        let mut lists = self.lists.borrow_mut();
        let places = lists.entry((list.as_ptr(), keys)).or_insert_with(|| {
            let mut places = HashMap::new();
            for (at, item) in list.iter().enumerate() {
                places.entry(step_of(item)).or_insert(at);
            }
            places
        });
        list.get(*places.get(step)?)
    }
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
        assert_eq!(Index::new(&pod).value_at(&path), &json!(1));
        assert_eq!(
            shown(&path),
            ".spec.containers[name=\"c\"].ports[containerPort=80,protocol=\"TCP\"].hostPort"
        );
    }
}
