//! Items of a list that is told apart by keys need theirs.

use serde_json::Value;

use crate::api::merge_keys::{Items, default_of, items};

/// What the server says of the first item that lacks a key; nothing where each has its own
/// (`structured-merge-diff/typed/helpers.go`, whose sentence it is).
pub(in crate::api) fn missing(configuration: &Value) -> Option<String> {
    search(configuration, "")
}

fn search(object: &Value, path: &str) -> Option<String> {
    object.as_object()?.iter().find_map(|(name, value)| {
        let path = format!("{path}.{name}");
        let (Some(list), Items::Keyed(keys)) = (value.as_array(), items(name)) else {
            return search(value, &path);
        };
        list.iter().enumerate().find_map(|(number, item)| {
            let lacks = |key: &&&str| item[**key].is_null() && default(name, key).is_none();
            match keys.iter().find(lacks) {
                Some(key) => Some(format!(
                    "{path}: element {number}: associative list with keys has an element that omits key field {key:?} \
                     (and doesn't have default value)"
                )),
                None => search(item, &path),
            }
        })
    })
}

/// What stands for the key of an item that leaves it out; a reference by name alone may be empty (`LocalObjectReference`).
fn default(list: &str, key: &str) -> Option<&'static str> {
    match list {
        "imagePullSecrets" => Some(""),
        _ => default_of(key),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_without_its_key_is_named_with_its_place() {
        let status = json!({"status": {"conditions": [{"type": "a"}, {"status": "True"}]}});
        assert_eq!(
            missing(&status).as_deref(),
            Some(
                ".status.conditions: element 1: associative list with keys has an element that omits key field \"type\" \
                 (and doesn't have default value)"
            )
        );
        let mounts = json!({"spec": {"containers": [{"name": "c", "volumeMounts": [{"name": "v"}]}]}});
        assert!(
            missing(&mounts)
                .unwrap()
                .starts_with(".spec.containers.volumeMounts: element 0: ")
        );
    }

    #[test]
    fn a_key_with_a_default_may_be_left_out() {
        let ports =
            json!({"spec": {"imagePullSecrets": [{}], "containers": [{"name": "c", "ports": [{"containerPort": 1}]}]}});
        assert_eq!(missing(&ports), None);
    }
}
