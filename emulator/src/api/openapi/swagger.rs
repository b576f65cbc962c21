//! Swagger 2.0 as a protobuf message, in the form that Kubernetes' clients in Go read (`openapi.v2.Document`).

use serde_json::{Map, Value};

use super::{
    paths::{WRITE_PARAMETERS, of, served},
    protobuf::Message,
};

/// The whole document.
pub(super) fn document(version: &str, definitions: &Map<String, Value>) -> Vec<u8> {
    let mut info = Message::default();
    info.text(1, "Kubernetes").text(2, version);
    let mut schemas = Message::default();
    for (name, definition) in definitions {
        schemas.message(1, &named(name, &schema(definition)));
    }
    let mut document = Message::default();
    document
        .text(1, "2.0")
        .message(2, &info)
        .message(8, &paths())
        .message(9, &schemas);
    document.into_bytes()
}

/// `NamedSchema`, `NamedPathItem`, `NamedAny`: a name, and what is called so.
fn named(name: &str, value: &Message) -> Message {
    let mut named = Message::default();
    named.text(1, name).message(2, value);
    named
}

fn schema(value: &Value) -> Message {
    let text = |field: &str| value[field].as_str().unwrap_or_default();
    let mut schema = Message::default();
    schema
        .text(1, text("$ref"))
        .text(2, text("format"))
        .text(4, text("description"));
    for required in value["required"].as_array().into_iter().flatten() {
        schema.text(19, required.as_str().unwrap_or_default());
    }
    if value["additionalProperties"].is_object() {
        let mut item = Message::default();
        item.message(1, &self::schema(&value["additionalProperties"]));
        schema.message(21, &item);
    }
    if !text("type").is_empty() {
        let mut kind = Message::default();
        kind.text(1, text("type"));
        schema.message(22, &kind);
    }
    if value["items"].is_object() {
        let mut items = Message::default();
        items.message(1, &self::schema(&value["items"]));
        schema.message(23, &items);
    }
    if let Some(fields) = value["properties"].as_object() {
        let mut properties = Message::default();
        for (name, field) in fields {
            properties.message(1, &named(name, &self::schema(field)));
        }
        schema.message(25, &properties);
    }
    for (name, extension) in value.as_object().into_iter().flatten() {
        if name.starts_with("x-") {
            schema.message(31, &named(name, &any(extension)));
        }
    }
    schema
}

/// An extension is carried as YAML, of which JSON is a part.
fn any(value: &Value) -> Message {
    let mut any = Message::default();
    any.text(2, &value.to_string());
    any
}

/// The patches of each kind: by them clients learn what the server can do.
fn paths() -> Message {
    let mut paths = Message::default();
    for (resource, group) in served() {
        let mut patch = Message::default();
        for name in WRITE_PARAMETERS {
            let mut query = Message::default();
            query.text(2, "query").text(4, name).text(6, "string");
            // Parameter, of those that are no body, in the query.
            let mut inner = query;
            for step in [3, 2, 1] {
                let mut outer = Message::default();
                outer.message(step, &inner);
                inner = outer;
            }
            patch.message(8, &inner);
        }
        let kind = serde_json::json!({"group": group, "kind": resource.kind(), "version": "v1"});
        patch.message(13, &named("x-kubernetes-group-version-kind", &any(&kind)));
        let mut item = Message::default();
        item.message(8, &patch);
        let (_, one) = of(resource, group);
        paths.message(2, &named(&one, &item));
    }
    paths
}
