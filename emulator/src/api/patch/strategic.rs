//! Strategic merge patch: like a merge patch, but lists whose items have a key are merged item by item.
//!
//! Directives: `$patch: replace | delete | merge`, `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`, `$retainKeys`.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::api::merge_keys::{Items, items};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Merges `patch` into `object`.
///
/// # Errors
/// What is wrong with the patch.
pub(super) fn merge(object: &mut Value, patch: &Value) -> Result<(), String> {
    let Some(patch) = patch.as_object() else {
        return Err(
            "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}".into(),
        );
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    if let Value::Object(object) = object {
        merge_object(object, patch)?;
    }
    Ok(())
}

fn merge_object(object: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), String> {
    match patch.get(PATCH).and_then(Value::as_str) {
        Some("replace") => {
            *object = without_directives(patch);
            return Ok(());
        }
        Some("delete") => {
            object.clear();
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(format!("unknown patch type: {other}")),
    }
    if let Some(kept) = patch.get(RETAIN_KEYS).and_then(Value::as_array) {
        let kept: HashSet<&str> = kept.iter().filter_map(Value::as_str).collect();
        object.retain(|field, _| kept.contains(field.as_str()));
    }
    let removed: HashSet<&str> = patch
        .iter()
        .filter(|(_, value)| removes(value))
        .map(|(name, _)| name.as_str())
        .collect();
    if !removed.is_empty() {
        object.retain(|field, _| !removed.contains(field.as_str()));
    }
    for (name, value) in patch {
        if let Some(field) = name.strip_prefix(DELETE_FROM) {
            if let (Some(list), Some(gone)) = (object.get_mut(field).and_then(Value::as_array_mut), value.as_array()) {
                let gone: HashSet<String> = gone.iter().map(Value::to_string).collect();
                list.retain(|item| !gone.contains(&item.to_string()));
            }
        } else if name.starts_with('$') || removes(value) {
            // Directives of the whole object and removals were seen to above, the order comes last.
        } else {
            merge_field(object, name, value)?;
        }
    }
    for (name, order) in patch {
        if let (Some(field), Some(order)) = (name.strip_prefix(ORDER), order.as_array())
            && let Some(list) = object.get_mut(field).and_then(Value::as_array_mut)
        {
            reorder(field, list, order);
        }
    }
    Ok(())
}

/// Whether a field's patch takes the field away.
fn removes(value: &Value) -> bool {
    value.is_null() || value[PATCH] == "delete"
}

fn merge_field(object: &mut Map<String, Value>, name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Object(patch) => match object.get_mut(name) {
            Some(Value::Object(inner)) => merge_object(inner, patch)?,
            _ => {
                let mut inner = Map::new();
                merge_object(&mut inner, patch)?;
                object.insert(name.to_owned(), Value::Object(inner));
            }
        },
        Value::Array(patch) => {
            let mut list = object.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
            merge_list(name, &mut list, patch)?;
            object.insert(name.to_owned(), Value::Array(list));
        }
        other => {
            object.insert(name.to_owned(), other.clone());
        }
    }
    Ok(())
}

fn merge_list(name: &str, list: &mut Vec<Value>, patch: &[Value]) -> Result<(), String> {
    match items(name) {
        Items::Atomic => *list = patch.to_vec(),
        Items::Set => {
            let mut known: HashSet<String> = list.iter().map(Value::to_string).collect();
            list.extend(patch.iter().filter(|item| known.insert(item.to_string())).cloned());
        }
        Items::Keyed(keys) => {
            let Some(key) = keys.first() else { return Ok(()) };
            if patch.iter().any(|item| item[PATCH] == "replace") {
                let given = patch.iter().filter(|item| item[PATCH].is_null());
                *list = given.cloned().collect();
                return Ok(());
            }
            *list = merged_items(std::mem::take(list), patch, key)?;
        }
    }
    Ok(())
}

/// The items of a list with those of a patch merged in by their key.
fn merged_items(list: Vec<Value>, patch: &[Value], key: &str) -> Result<Vec<Value>, String> {
    let mut items: Vec<Option<Value>> = list.into_iter().map(Some).collect();
    // Where a list has several items of one key, the first is the one that is merged with.
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        let id = item.as_ref().map(|item| item[key].to_string()).unwrap_or_default();
        places.entry(id).or_default().push(at);
    }
    for item in patch {
        if item[key].is_null() {
            return Err(format!("map: {item} does not contain declared merge key: {key}"));
        }
        let id = item[key].to_string();
        if item[PATCH] == "delete" {
            for at in places.remove(&id).unwrap_or_default() {
                items[at] = None;
            }
            continue;
        }
        let found = places.get(&id).and_then(|places| places.first()).copied();
        if let Some(old) = found.and_then(|at| items[at].as_mut()) {
            merge(old, item)?;
            continue;
        }
        let mut new = Value::Object(Map::new());
        merge(&mut new, item)?;
        places.insert(id, vec![items.len()]);
        items.push(Some(new));
    }
    Ok(items.into_iter().flatten().collect())
}

/// Puts the items that `order` names into its order; the others keep their places behind the item they followed.
fn reorder(name: &str, list: &mut Vec<Value>, order: &[Value]) {
    let id = |item: &Value| match items(name) {
        Items::Keyed([key, ..]) => item[*key].to_string(),
        _ => item.to_string(),
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, one) in order.iter().enumerate() {
        places.entry(id(one)).or_insert(at);
    }
    let mut last = 0;
    let mut placed: Vec<(usize, Value)> = Vec::with_capacity(list.len());
    for item in list.drain(..) {
        last = places.get(&id(&item)).map_or(last, |at| at + 1);
        placed.push((last, item));
    }
    placed.sort_by_key(|(at, _)| *at);
    list.extend(placed.into_iter().map(|(_, item)| item));
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    patch
        .iter()
        .filter(|(name, _)| !name.starts_with('$'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(mut object: Value, patch: Value) -> Value {
        merge(&mut object, &patch).unwrap();
        object
    }

    #[test]
    fn lists_are_merged_by_their_key() {
        let pod = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]});
        let patch = json!({"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]});
        let expected = json!({"containers": [
            {"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c", "image": "3"},
        ]});
        assert_eq!(merged(pod, patch), expected);
    }

    #[test]
    fn items_go_by_directive_and_lists_without_keys_are_replaced() {
        let pod = json!({"containers": [{"name": "a"}, {"name": "b"}], "tolerations": [{"key": "x"}], "finalizers": ["p", "q"]});
        let patch = json!({
            "containers": [{"$patch": "delete", "name": "a"}],
            "tolerations": [{"key": "y"}],
            "$deleteFromPrimitiveList/finalizers": ["p"],
            "finalizers": ["r"],
        });
        let expected = json!({"containers": [{"name": "b"}], "tolerations": [{"key": "y"}], "finalizers": ["q", "r"]});
        assert_eq!(merged(pod, patch), expected);
    }

    #[test]
    fn an_order_is_kept_and_nulls_remove() {
        let pod = json!({"env": [{"name": "a"}, {"name": "b"}], "labels": {"x": "1", "y": "2"}});
        let patch = json!({
            "$setElementOrder/env": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
            "env": [{"name": "c"}],
            "labels": {"x": null},
        });
        let expected = json!({"env": [{"name": "b"}, {"name": "c"}, {"name": "a"}], "labels": {"y": "2"}});
        assert_eq!(merged(pod, patch), expected);
    }

    #[test]
    fn an_object_can_be_replaced_or_keep_some_fields() {
        let volume = json!({"volumes": [{"name": "v", "emptyDir": {}}], "labels": {"x": "1"}});
        let patch = json!({
            "volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}],
            "labels": {"$patch": "replace", "y": "2"},
        });
        let expected = json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}], "labels": {"y": "2"}});
        assert_eq!(merged(volume, patch), expected);
    }

    #[test]
    fn item_that_was_deleted_can_be_added_again() {
        let pod = json!({"env": [{"name": "a", "value": "1"}, {"name": "b"}, {"name": "a", "value": "2"}]});
        let patch = json!({"env": [{"$patch": "delete", "name": "a"}, {"name": "a", "value": "3"}]});
        assert_eq!(
            merged(pod, patch),
            json!({"env": [{"name": "b"}, {"name": "a", "value": "3"}]})
        );
    }

    #[test]
    fn an_item_without_its_key_is_refused() {
        let mut pod = json!({});
        assert!(
            merge(&mut pod, &json!({"containers": [{"image": "x"}]}))
                .unwrap_err()
                .contains("merge key: name")
        );
    }
}
