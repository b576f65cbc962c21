//! Who owns which field (`metadata.managedFields`), and server-side apply, which rests on it.

mod apply;
mod fields;
pub(in crate::api) mod keys;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) use self::apply::{apply, settle};
use self::fields::{FieldSet, Index};
use super::time::seconds;

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    /// By applying a configuration: what it leaves out next time goes.
    Apply,
    /// By writing.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: Operation,
    pub(super) subresource: String,
}

impl Manager {
    /// One that writes.
    pub(super) fn updates(name: &str, subresource: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            operation: Operation::Update,
            subresource: subresource.unwrap_or_default().to_owned(),
        }
    }

    /// One that applies.
    pub(super) fn applies(name: &str, subresource: Option<&str>) -> Self {
        Self {
            operation: Operation::Apply,
            ..Self::updates(name, subresource)
        }
    }
}

#[derive(Clone, Debug)]
struct Owned {
    time: Option<String>,
    fields: FieldSet,
}

/// All managers of one object.
#[derive(Clone, Debug, Default)]
struct Managers(BTreeMap<Manager, Owned>);

impl Managers {
    fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self(
            entries
                .map(|entry| {
                    let operation = if entry["operation"] == "Apply" {
                        Operation::Apply
                    } else {
                        Operation::Update
                    };
                    let manager = Manager {
                        name: text(&entry["manager"]),
                        operation,
                        subresource: text(&entry["subresource"]),
                    };
                    let time = entry["time"].as_str().map(str::to_owned);
                    (
                        manager,
                        Owned {
                            time,
                            fields: FieldSet::from_json(&entry["fieldsV1"]),
                        },
                    )
                })
                .collect(),
        )
    }

    fn forget_what_is_gone(&mut self, object: &Value) {
        let object = Index::new(object);
        for owned in self.0.values_mut() {
            owned.fields = owned.fields.filter(|path| !object.value_at(path).is_null());
        }
    }

    fn write(self, object: &mut Value) {
        let version = object["apiVersion"].as_str().unwrap_or("v1").to_owned();
        let entries: Vec<Value> = self
            .0
            .into_iter()
            .filter(|(_, owned)| !owned.fields.is_empty())
            .map(|(manager, owned)| {
                let mut entry = json!({
                    "manager": manager.name,
                    "operation": manager.operation.name(),
                    "apiVersion": version,
                    "time": owned.time,
                    "fieldsType": "FieldsV1",
                    "fieldsV1": owned.fields.to_json(),
                });
                if !manager.subresource.is_empty() {
                    entry["subresource"] = manager.subresource.into();
                }
                entry
            })
            .collect();
        if entries.is_empty() {
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.shift_remove("managedFields");
            }
        } else {
            object["metadata"]["managedFields"] = Value::Array(entries);
        }
    }
}

/// Takes from the managers what admission took from the new object.
pub(super) fn forget_what_is_gone(object: &mut Value) {
    let mut managers = Managers::of(object);
    managers.forget_what_is_gone(object);
    managers.write(object);
}

/// Notes that `manager` made `new` of `old`, which is null for a new object.
pub(super) fn note_update(old: &Value, new: &mut Value, manager: &Manager, now: Timestamp) {
    let mut managers = Managers::of(old);
    let before = FieldSet::of(old);
    let after = FieldSet::of(new);
    let (old_fields, new_fields) = (Index::new(old), Index::new(new));
    let differs =
        |path: &fields::Path| new_fields.is_leaf(path) && old_fields.value_at(path) != new_fields.value_at(path);
    let changed = after.filter(|path| !before.contains(path) || differs(path));
    let mut any = !changed.is_empty();
    for owned in managers.0.values_mut() {
        let kept = owned
            .fields
            // An object that its owner has left empty is there still when others have written into it.
            .filter(|path| !new_fields.value_at(path).is_null() && !changed.contains(path));
        any |= kept != owned.fields;
        owned.fields = kept;
    }
    if any && !changed.is_empty() {
        let owned = managers.0.entry(manager.clone()).or_insert_with(|| Owned {
            time: None,
            fields: FieldSet::default(),
        });
        owned.fields.add(&changed);
        owned.time = Some(seconds(now));
    }
    managers.write(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_owns_what_it_changed() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut first = json!({"metadata": {"name": "a", "labels": {"x": "1", "y": "1"}}});
        note_update(&Value::Null, &mut first, &Manager::updates("one", None), now);
        let mut second = first.clone();
        second["metadata"]["labels"]["y"] = json!("2");
        note_update(&first, &mut second, &Manager::updates("two", None), now);
        let owned: Vec<(&str, &Value)> = second["metadata"]["managedFields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                (
                    entry["manager"].as_str().unwrap(),
                    &entry["fieldsV1"]["f:metadata"]["f:labels"],
                )
            })
            .collect();
        assert_eq!(owned[0], ("one", &json!({"f:x": {}, ".": {}})));
        assert_eq!(owned[1], ("two", &json!({"f:y": {}})));
    }

    #[test]
    fn writing_the_same_again_changes_nothing() {
        let mut first = json!({"metadata": {"labels": {"x": "1"}}});
        note_update(
            &Value::Null,
            &mut first,
            &Manager::updates("one", None),
            "2026-01-01T00:00:00Z".parse().unwrap(),
        );
        let mut second = first.clone();
        note_update(
            &first,
            &mut second,
            &Manager::updates("two", None),
            "2027-01-01T00:00:00Z".parse().unwrap(),
        );
        assert_eq!(second, first);
    }

    #[test]
    fn nobody_owns_what_was_not_taken_up() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut new = json!({"metadata": {"labels": {"x": "1"}}, "status": {"phase": "Running"}});
        note_update(&Value::Null, &mut new, &Manager::updates("one", None), now);
        new.as_object_mut().unwrap().shift_remove("status");
        forget_what_is_gone(&mut new);
        let fields = &new["metadata"]["managedFields"][0]["fieldsV1"];
        assert_eq!(*fields, json!({"f:metadata": {"f:labels": {".": {}, "f:x": {}}}}));
    }

    #[test]
    fn who_applies_an_empty_object_keeps_it_when_the_same_is_written_again() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let container = |resources: Value| json!({"spec": {"containers": [{"name": "c", "resources": resources}]}});
        let mut live = container(json!({"limits": {"cpu": "1"}}));
        note_update(&Value::Null, &mut live, &Manager::updates("one", None), now);
        let applied = apply(&live, &container(json!({})), &Manager::applies("two", None), false, now).unwrap();
        let mut again = applied.clone();
        note_update(&applied, &mut again, &Manager::updates("one", None), now);
        assert_eq!(again, applied);
    }
}
