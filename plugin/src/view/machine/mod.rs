//! JSON and YAML, for programs; and what templates take out of them.

pub mod columns;
pub mod jsonpath;
mod path;

use serde::Serialize;
use serde_json::Value;

use crate::cli::output::Template;

/// What a template takes out of a value; the objects of a list are those of its `items`.
pub fn templated(template: &Template, value: &Value, has_headers: bool) -> String {
    match template {
        Template::JsonPath(path) => path.render(value),
        Template::JsonPathAsJson(path) => json(&path.found(value)),
        Template::CustomColumns(columns) => {
            let items = value.get("items").and_then(Value::as_array);
            let objects = items.map_or_else(|| vec![value], |items| items.iter().collect());
            columns.render(&objects, has_headers)
        }
    }
}

/// A value as JSON, in kubectl's indentation.
pub fn json<T: Serialize>(value: &T) -> String {
    let mut buffer = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut buffer, formatter);
    // Our own records have text for keys and go into memory: there is nothing that could fail.
    let _ = value.serialize(&mut serializer);
    let mut text = String::from_utf8(buffer).unwrap_or_default();
    text.push('\n');
    text
}

/// A value as YAML.
pub fn yaml<T: Serialize>(value: &T) -> String {
    // Through JSON's model, so that both outputs name and order everything alike.
    let value = serde_json::to_value(value).unwrap_or_default();
    serde_saphyr::to_string(&value).unwrap_or_default()
}
