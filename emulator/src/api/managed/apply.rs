//! Server-side apply: the configuration of one manager, merged into what others made of the object.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fields::{FieldSet, Index, Path, key_step, shown};
use super::{Manager, Managers, Operation, Owned};
use crate::api::merge_keys::{Items, is_atomic_object, items};
use crate::api::time::seconds;

/// The fields that others own, by the words for each owner.
pub(in crate::api) type Conflicts = Vec<(String, Vec<String>)>;

/// Applies `configuration` to `live`, which is null where there is no object yet.
///
/// # Errors
/// Who owns fields that would change, unless `force` takes them.
pub(in crate::api) fn apply(
    live: &Value,
    configuration: &Value,
    manager: &Manager,
    force: bool,
    now: Timestamp,
) -> Result<Value, Conflicts> {
    let mut managers = Managers::of(live);
    let wanted = FieldSet::of(configuration);
    let (there, configured) = (Index::new(live), Index::new(configuration));
    let changes = |path: &Path| there.value_at(path) != configured.value_at(path);
    let mut conflicts = Conflicts::new();
    for (other, owned) in managers.0.iter_mut().filter(|(other, _)| *other != manager) {
        let lost = owned
            .fields
            .filter(|path| wanted.contains(path) && configured.is_leaf(path) && changes(path));
        if !lost.is_empty() {
            conflicts.push((words(other, owned), lost.iter().map(|path| shown(path)).collect()));
            owned.fields = owned.fields.filter(|path| !lost.contains(path));
        }
    }
    if !force && !conflicts.is_empty() {
        return Err(conflicts);
    }
    let mut merged = if live.is_null() {
        Value::Object(Map::new())
    } else {
        live.clone()
    };
    merge(&mut merged, configuration);
    let before = managers
        .0
        .get(manager)
        .map(|owned| owned.fields.clone())
        .unwrap_or_default();
    let others: Vec<&FieldSet> = managers
        .0
        .iter()
        .filter(|(other, _)| *other != manager)
        .map(|(_, o)| &o.fields)
        .collect();
    let dropped = before.filter(|path| !wanted.contains(path) && !others.iter().any(|fields| fields.holds(path)));
    remove(&mut merged, &mut Vec::new(), &dropped);
    let time = Some(seconds(now));
    managers.0.insert(manager.clone(), Owned { time, fields: wanted });
    managers.write(&mut merged);
    Ok(merged)
}

/// Settles who owns what of an applied object once it is admitted: nobody owns what admission took away, and the
/// time stays where nothing came of it.
pub(in crate::api) fn settle(live: &Value, admitted: &mut Value, manager: &Manager) {
    let mut managers = Managers::of(admitted);
    managers.forget_what_is_gone(admitted);
    let now = managers.0.get(manager).and_then(|owned| owned.time.clone());
    let mut at = |time: Option<String>, object: &mut Value| {
        if let Some(owned) = managers.0.get_mut(manager) {
            owned.time = time;
        }
        managers.clone().write(object);
    };
    let before = Managers::of(live).0.remove(manager).and_then(|owned| owned.time);
    at(before, admitted);
    if admitted != live {
        at(now, admitted);
    }
}

/// How a conflict names an owner.
fn words(manager: &Manager, owned: &Owned) -> String {
    let mut words = format!("\"{}\"", manager.name);
    if !manager.subresource.is_empty() {
        words.push_str(&format!(" with subresource \"{}\"", manager.subresource));
    }
    if manager.operation == Operation::Update {
        words.push_str(" using v1");
        if let Some(time) = &owned.time {
            words.push_str(&format!(" at {time}"));
        }
    }
    words
}

fn merge(object: &mut Value, configuration: &Value) {
    let Some(fields) = configuration.as_object() else {
        return;
    };
    for (name, value) in fields {
        let old = &mut object[name.as_str()];
        match (value, items(name)) {
            (Value::Object(_), _) if old.is_object() && !is_atomic_object(name) => merge(old, value),
            (Value::Array(new), Items::Keyed(keys)) if old.is_array() => {
                let Some(list) = old.as_array_mut() else { continue };
                let mut places: HashMap<String, usize> = HashMap::new();
                for (at, item) in list.iter().enumerate() {
                    places.entry(key_step(keys, item)).or_insert(at);
                }
                for item in new {
                    let step = key_step(keys, item);
                    match places.get(&step).and_then(|at| list.get_mut(*at)) {
                        Some(there) => merge(there, item),
                        None => {
                            places.insert(step, list.len());
                            list.push(item.clone());
                        }
                    }
                }
            }
            (Value::Array(new), Items::Set) if old.is_array() => {
                let Some(list) = old.as_array_mut() else { continue };
                let known: HashSet<String> = list.iter().map(Value::to_string).collect();
                list.extend(new.iter().filter(|item| !known.contains(&item.to_string())).cloned());
            }
            _ => *old = value.clone(),
        }
    }
}

/// Takes the dropped fields and items out of what is at `path`: the innermost first, so that what contains others goes when
/// nothing is left in it. An item goes with all that is in it.
fn remove(value: &mut Value, path: &mut Path, dropped: &FieldSet) {
    if dropped.is_empty() || (!path.is_empty() && !dropped.holds(path)) {
        return;
    }
    let name = path
        .last()
        .and_then(|step| step.strip_prefix("f:"))
        .unwrap_or_default()
        .to_owned();
    match value {
        Value::Object(fields) => {
            fields.retain(|name, field| {
                path.push(format!("f:{name}"));
                remove(field, path, dropped);
                // Others may still own something inside.
                let is_bare = is_atomic_object(name) || field.as_object().is_none_or(Map::is_empty);
                let goes = is_bare && dropped.contains(path);
                path.pop();
                !goes
            });
        }
        Value::Array(list) => list.retain_mut(|item| {
            let step = match items(&name) {
                Items::Atomic => return true,
                Items::Set => format!("v:{item}"),
                Items::Keyed(keys) => key_step(keys, item),
            };
            path.push(step);
            let goes = dropped.contains(path);
            if !goes {
                remove(item, path, dropped);
            }
            path.pop();
            !goes
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn labels(labels: Value) -> Value {
        json!({"metadata": {"name": "a", "labels": labels}})
    }

    #[test]
    fn what_is_applied_no_more_goes() {
        let one = Manager::applies("one", None);
        let first = apply(&Value::Null, &labels(json!({"x": "1", "y": "1"})), &one, false, now()).unwrap();
        let second = apply(&first, &labels(json!({"x": "1"})), &one, false, now()).unwrap();
        assert_eq!(second["metadata"]["labels"], json!({"x": "1"}));
    }

    #[test]
    fn what_another_applies_too_stays() {
        let (one, two) = (Manager::applies("one", None), Manager::applies("two", None));
        let first = apply(&Value::Null, &labels(json!({"x": "1"})), &one, false, now()).unwrap();
        let both = apply(&first, &labels(json!({"x": "1"})), &two, false, now()).unwrap();
        let left = apply(&both, &labels(json!({})), &one, false, now()).unwrap();
        assert_eq!(left["metadata"]["labels"], json!({"x": "1"}));
    }

    #[test]
    fn another_value_is_a_conflict_unless_it_is_forced() {
        let (one, two) = (Manager::applies("one", None), Manager::applies("two", None));
        let first = apply(&Value::Null, &labels(json!({"x": "1"})), &one, false, now()).unwrap();
        let conflict = apply(&first, &labels(json!({"x": "2"})), &two, false, now()).unwrap_err();
        assert_eq!(
            conflict,
            [("\"one\"".to_owned(), vec![".metadata.labels.x".to_owned()])]
        );
        let forced = apply(&first, &labels(json!({"x": "2"})), &two, true, now()).unwrap();
        assert_eq!(forced["metadata"]["labels"]["x"], "2");
        // The first has lost it: leaving it out changes nothing.
        let after = apply(&forced, &labels(json!({})), &one, false, now()).unwrap();
        assert_eq!(after["metadata"]["labels"]["x"], "2");
    }

    #[test]
    fn applying_the_same_again_changes_nothing() {
        let one = Manager::applies("one", None);
        let configuration = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}});
        let first = apply(&Value::Null, &configuration, &one, false, now()).unwrap();
        let later = "2027-01-01T00:00:00Z".parse().unwrap();
        let mut again = apply(&first, &configuration, &one, false, later).unwrap();
        settle(&first, &mut again, &one);
        assert_eq!(again, first);
    }

    #[test]
    fn what_admission_takes_away_nobody_owns() {
        let one = Manager::applies("one", Some("status"));
        let live = json!({"metadata": {"name": "a"}, "status": {"phase": "Running"}});
        let configuration = json!({"status": {"podIPs": [{"ip": "1.1.1.1"}]}});
        let applied_at = |live: &Value, now| {
            let mut admitted = apply(live, &configuration, &one, false, now).unwrap();
            admitted["status"].as_object_mut().unwrap().shift_remove("podIPs");
            settle(live, &mut admitted, &one);
            admitted
        };
        let first = applied_at(&live, now());
        assert_eq!(first, live);
        assert_eq!(applied_at(&first, "2027-01-01T00:00:00Z".parse().unwrap()), first);
    }

    #[test]
    fn containers_of_several_managers_stand_side_by_side() {
        let (one, two) = (Manager::applies("one", None), Manager::applies("two", None));
        let container = |name: &str| json!({"spec": {"containers": [{"name": name, "image": "i"}]}});
        let first = apply(&Value::Null, &container("a"), &one, false, now()).unwrap();
        let both = apply(&first, &container("b"), &two, false, now()).unwrap();
        assert_eq!(both["spec"]["containers"].as_array().unwrap().len(), 2);
        let empty = json!({"spec": {}});
        let left = apply(&both, &empty, &one, false, now()).unwrap();
        assert_eq!(left["spec"]["containers"], json!([{"name": "b", "image": "i"}]));
    }
}
