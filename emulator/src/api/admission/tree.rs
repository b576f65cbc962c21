//! Steps through an object's tree that end quietly where there is nothing.

use serde_json::{Map, Value};

/// The object at a field, where there is one.
pub(super) fn object<'a>(value: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    value.get_mut(field).filter(|inner| inner.is_object())
}

/// The object at a field, made where it is missing.
pub(super) fn object_or_new<'a>(value: &'a mut Value, field: &str) -> &'a mut Value {
    let inner = &mut value[field];
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    inner
}

/// The items of the list at a field.
pub(super) fn items<'a>(value: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    value
        .get_mut(field)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter(|item| item.is_object())
}

/// Sets a field that is missing, null or an empty text.
pub(super) fn default(value: &mut Value, field: &str, with: impl Into<Value>) {
    let inner = &mut value[field];
    if inner.is_null() || inner.as_str() == Some("") {
        *inner = with.into();
    }
}

/// Adds an item to the list at a field, which is made where it is missing.
pub(super) fn push(value: &mut Value, field: &str, item: Value) {
    match &mut value[field] {
        Value::Array(items) => items.push(item),
        other => *other = Value::Array(vec![item]),
    }
}
