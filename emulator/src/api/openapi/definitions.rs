//! The schemas of all kinds, from the types that k8s-openapi carries, in the form of one of two dialects.

use k8s_openapi::{
    api::{coordination, core::v1, events, node, scheduling},
    apimachinery::pkg::apis::meta,
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    api::event_form::EVENTS_GROUP,
    api::merge_keys::{Items, items},
    api::newer::is_newer,
    api::openapi::paths::served,
    store::Resource,
};

/// The kinds of the core.
fn core(generator: &mut SchemaGenerator) {
    generator.subschema_for::<v1::ConfigMap>();
    generator.subschema_for::<v1::Event>();
    generator.subschema_for::<v1::LimitRange>();
    generator.subschema_for::<v1::Namespace>();
    generator.subschema_for::<v1::Node>();
    generator.subschema_for::<v1::Pod>();
    generator.subschema_for::<v1::PodTemplate>();
    generator.subschema_for::<v1::ResourceQuota>();
    generator.subschema_for::<v1::Secret>();
    generator.subschema_for::<v1::ServiceAccount>();
}

/// How a schema is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.
    V3,
}

impl Dialect {
    fn reference(self, name: &str) -> String {
        match self {
            Self::V2 => format!("#/definitions/{name}"),
            Self::V3 => format!("#/components/schemas/{name}"),
        }
    }
}

/// Every schema of a group, or of all, by its name. Made anew for each request: it is large, and asked for once by each client.
pub(super) fn definitions(dialect: Dialect, group: Option<&str>) -> Map<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let wanted = |one: &str| group.is_none_or(|group| group == one);
    if wanted(EVENTS_GROUP) {
        generator.subschema_for::<events::v1::Event>();
    }
    if wanted("coordination.k8s.io") {
        generator.subschema_for::<coordination::v1::Lease>();
    }
    if wanted("node.k8s.io") {
        generator.subschema_for::<node::v1::RuntimeClass>();
    }
    if wanted("scheduling.k8s.io") {
        generator.subschema_for::<scheduling::v1::PriorityClass>();
    }
    if wanted("") {
        core(&mut generator);
    }
    generator.subschema_for::<meta::v1::DeleteOptions>();
    generator.subschema_for::<meta::v1::Status>();
    let mut definitions = generator.take_definitions(false);
    for (name, schema) in &mut definitions {
        leave_out_newer(name, schema);
        translate(schema, dialect);
        scalar(name, schema, dialect);
        let kind = served().find(|(resource, group)| *name == definition_of(*resource, group));
        if let Some((resource, group)) = kind {
            // The types insist on it, the server does not: it makes what is missing.
            if let Some(required) = schema["required"].as_array_mut() {
                required.retain(|field| field != "metadata");
            }
            schema["x-kubernetes-group-version-kind"] =
                json!([{"group": group, "kind": resource.kind(), "version": "v1"}]);
        }
        mark_lists(schema);
    }
    definitions
}

/// The name of a kind's schema.
fn definition_of(resource: Resource, group: &str) -> String {
    let package = match group {
        "" => "core",
        group => group.trim_end_matches(".k8s.io"),
    };
    format!("io.k8s.api.{package}.v1.{}", resource.kind())
}

/// Takes out what the server does not know yet.
fn leave_out_newer(name: &str, schema: &mut Value) {
    let structure = name.rsplit('.').next().unwrap_or(name);
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|field, _| !is_newer(structure, field));
    }
}

/// What can be written in more ways than one.
fn scalar(name: &str, schema: &mut Value, dialect: Dialect) {
    if schema["x-kubernetes-int-or-string"] != true {
        return;
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.shift_remove("x-kubernetes-int-or-string");
    }
    let is_quantity = name.ends_with(".Quantity");
    if !is_quantity {
        schema["format"] = "int-or-string".into();
    }
    match dialect {
        Dialect::V2 => schema["type"] = "string".into(),
        Dialect::V3 if is_quantity => schema["oneOf"] = json!([{"type": "string"}, {"type": "number"}]),
        Dialect::V3 => schema["oneOf"] = json!([{"type": "integer"}, {"type": "string"}]),
    }
}

/// References in the dialect's form.
fn translate(value: &mut Value, dialect: Dialect) {
    match value {
        Value::Object(map) => {
            for inner in map.values_mut() {
                translate(inner, dialect);
            }
            let name = map
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix("#/$defs/"))
                .map(|name| dialect.reference(name));
            let Some(reference) = name else { return };
            // In OpenAPI 3.0 nothing may stand beside a reference.
            if dialect == Dialect::V3 && map.len() > 1 {
                map.shift_remove("$ref");
                map.insert("allOf".into(), json!([{ "$ref": reference }]));
            } else {
                map.insert("$ref".into(), reference.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| translate(item, dialect)),
        _ => {}
    }
}

/// What tells the items of the schema's lists apart.
fn mark_lists(schema: &mut Value) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (name, property) in properties
        .iter_mut()
        .filter(|(_, property)| property["type"] == "array")
    {
        match items(name) {
            Items::Keyed(keys) => {
                property["x-kubernetes-list-type"] = "map".into();
                property["x-kubernetes-list-map-keys"] = keys.into();
                // A strategic merge patch knows one key, and replaces the list of claims as a whole.
                if let Some(key) = keys.first().filter(|_| name != "claims") {
                    property["x-kubernetes-patch-merge-key"] = (*key).into();
                    let replaces_item = matches!(name.as_str(), "volumes" | "resourceClaims");
                    let strategy = if replaces_item { "merge,retainKeys" } else { "merge" };
                    property["x-kubernetes-patch-strategy"] = strategy.into();
                }
            }
            Items::Set => {
                property["x-kubernetes-list-type"] = "set".into();
                property["x-kubernetes-patch-strategy"] = "merge".into();
            }
            Items::Atomic => property["x-kubernetes-list-type"] = "atomic".into(),
        }
    }
}
