//! Fields that stay as they were.

use serde_json::Value;

use crate::api::admission::tree;

pub(super) fn drop_null(value: &mut Value, field: &str) {
    if let Some(map) = value.as_object_mut()
        && map.get(field).is_some_and(Value::is_null)
    {
        map.shift_remove(field);
    }
}

pub(super) fn copy(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => to[field] = value.clone(),
        None => {
            if let Some(map) = to.as_object_mut() {
                map.shift_remove(field);
            }
        }
    }
}

pub(super) fn copy_within(from: &Value, to: &mut Value, outer: &str, field: &str) {
    if let Some(from) = from.get(outer) {
        copy(from, tree::object_or_new(to, outer), field);
    }
}
