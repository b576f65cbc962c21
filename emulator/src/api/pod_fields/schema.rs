//! The fields of a Pod by their paths: `spec.containers[].ports[].hostPort`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::api::openapi;

/// Every field that is no object of known fields itself.
pub(super) fn fields() -> BTreeSet<String> {
    let schemas = openapi::schemas();
    let mut fields = BTreeSet::new();
    for (field, schema) in properties(&schemas["io.k8s.api.core.v1.Pod"]) {
        if !matches!(field.as_str(), "apiVersion" | "kind") {
            walk(&schemas, schema, field, &mut fields);
        }
    }
    assert!(fields.len() > 300, "only {} fields were found", fields.len());
    fields
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn walk(schemas: &Map<String, Value>, schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    let mut schema = schema;
    let mut path = path.to_owned();
    if schema["type"] == "array" {
        schema = &schema["items"];
        if properties(referred(schemas, schema)).next().is_some() {
            path.push_str("[]");
        }
    }
    let schema = referred(schemas, schema);
    let mut below = properties(schema).peekable();
    if below.peek().is_none() {
        fields.insert(path);
        return;
    }
    for (field, inner) in below {
        walk(schemas, inner, &format!("{path}.{field}"), fields);
    }
}

fn referred<'a>(schemas: &'a Map<String, Value>, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|name| name.strip_prefix("#/definitions/"));
    name.map_or(schema, |name| &schemas[name])
}

/// The fields that a pod has, each with the JSON pointer to its value.
pub(super) fn leaves(pod: &Value, fields: &BTreeSet<String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, value) in pod.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "apiVersion" | "kind") {
            collect(value, key.clone(), format!("/{key}"), fields, &mut found);
        }
    }
    found
}

fn collect(value: &Value, path: String, pointer: String, fields: &BTreeSet<String>, found: &mut Vec<(String, String)>) {
    if fields.contains(&path) {
        found.push((path, pointer));
        return;
    }
    match value {
        Value::Object(inner) => {
            for (key, value) in inner {
                collect(
                    value,
                    format!("{path}.{key}"),
                    format!("{pointer}/{key}"),
                    fields,
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect(value, format!("{path}[]"), format!("{pointer}/{index}"), fields, found);
            }
        }
        _ => panic!("{path} is no field"),
    }
}
