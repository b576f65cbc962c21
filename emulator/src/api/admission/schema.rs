//! The fields of every kind: a small graph, built once from the schema that k8s-openapi carries.

use std::{collections::HashMap, sync::OnceLock};

use k8s_openapi::api::{coordination, core::v1, node, scheduling};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{api::newer::is_newer, store::Resource};

/// What may stand at a place of an object.
#[derive(Clone, Debug)]
pub(super) enum Type {
    /// An object with known fields.
    Struct(usize),
    /// A list.
    List(Box<Type>),
    /// An object with any keys.
    Map(Box<Type>),
    /// Text.
    String,
    /// Base64.
    Bytes,
    /// 32 bits.
    Int32,
    /// 64 bits.
    Int64,
    /// A floating-point number.
    Double,
    /// true or false.
    Bool,
    /// `500m`, `1Gi`, or a number.
    Quantity,
    /// A number or a name.
    IntOrString,
    /// RFC 3339.
    Time,
    /// Anything.
    Any,
}

/// An object with known fields.
#[derive(Debug)]
pub(super) struct Struct {
    /// As in Go: `PodSpec`.
    pub(super) name: Box<str>,
    fields: Vec<Field>,
}

/// One field of a [`Struct`].
#[derive(Debug)]
pub(super) struct Field {
    /// As in JSON.
    pub(super) name: Box<str>,
    /// What it takes.
    pub(super) kind: Type,
    /// Written even where it is empty.
    pub(super) required: bool,
}

impl Struct {
    /// The field of that name.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by(|field| (*field.name).cmp(name)).ok()?;
        self.fields.get(at)
    }
}

/// Every kind that the API serves, and what they are made of.
pub(super) struct Schema {
    structs: Vec<Struct>,
    roots: [Type; Resource::ALL.len()],
}

impl Schema {
    /// The one schema.
    pub(super) fn get() -> &'static Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(Self::build)
    }

    /// What an object of a kind is made of.
    pub(super) fn root(&self, resource: Resource) -> &Type {
        let at = Resource::ALL
            .iter()
            .position(|&one| one == resource)
            .unwrap_or_default();
        &self.roots[at]
    }

    /// The struct that [`Type::Struct`] names.
    pub(super) fn structure(&self, index: usize) -> Option<&Struct> {
        self.structs.get(index)
    }

    /// The descriptions (a megabyte of them) go again when this returns.
    fn build() -> Self {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let roots = Resource::ALL.map(|resource| {
            let schema = match resource {
                Resource::ConfigMaps => generator.subschema_for::<v1::ConfigMap>(),
                Resource::Events => generator.subschema_for::<v1::Event>(),
                Resource::Leases => generator.subschema_for::<coordination::v1::Lease>(),
                Resource::LimitRanges => generator.subschema_for::<v1::LimitRange>(),
                Resource::Namespaces => generator.subschema_for::<v1::Namespace>(),
                Resource::Nodes => generator.subschema_for::<v1::Node>(),
                Resource::Pods => generator.subschema_for::<v1::Pod>(),
                Resource::PodTemplates => generator.subschema_for::<v1::PodTemplate>(),
                Resource::PriorityClasses => generator.subschema_for::<scheduling::v1::PriorityClass>(),
                Resource::ResourceQuotas => generator.subschema_for::<v1::ResourceQuota>(),
                Resource::RuntimeClasses => generator.subschema_for::<node::v1::RuntimeClass>(),
                Resource::Secrets => generator.subschema_for::<v1::Secret>(),
                Resource::ServiceAccounts => generator.subschema_for::<v1::ServiceAccount>(),
            };
            schema.to_value()
        });
        let definitions = generator.definitions();
        let indices: HashMap<&str, usize> = definitions
            .iter()
            .filter(|(_, definition)| definition["properties"].is_object())
            .enumerate()
            .map(|(index, (name, _))| (name.as_str(), index))
            .collect();
        let structs = definitions
            .iter()
            .filter_map(|(name, definition)| {
                let required: Vec<&str> = definition["required"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let mut fields: Vec<Field> = definition["properties"]
                    .as_object()?
                    .iter()
                    .filter(|(field, _)| !is_newer(last_segment(name), field))
                    .map(|(field, schema)| Field {
                        name: field.as_str().into(),
                        kind: kind(schema, &indices),
                        required: required.contains(&field.as_str()),
                    })
                    .collect();
                fields.sort_by(|a, b| a.name.cmp(&b.name));
                Some(Struct {
                    name: last_segment(name).into(),
                    fields,
                })
            })
            .collect();
        Self {
            structs,
            roots: roots.map(|root| kind(&root, &indices)),
        }
    }
}

fn kind(schema: &Value, indices: &HashMap<&str, usize>) -> Type {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.trim_start_matches("#/$defs/");
        return match (last_segment(name), indices.get(name)) {
            (_, Some(&index)) => Type::Struct(index),
            ("Quantity", None) => Type::Quantity,
            ("IntOrString", None) => Type::IntOrString,
            ("Time" | "MicroTime", None) => Type::Time,
            _ => Type::Any,
        };
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("byte")) => Type::Bytes,
        (Some("string"), Some("date-time")) => Type::Time,
        (Some("string"), _) => Type::String,
        (Some("boolean"), _) => Type::Bool,
        (Some("integer"), Some("int64")) => Type::Int64,
        (Some("integer"), _) => Type::Int32,
        (Some("number"), _) => Type::Double,
        (Some("array"), _) => Type::List(Box::new(kind(&schema["items"], indices))),
        (Some("object"), _) if schema["additionalProperties"].is_object() => {
            Type::Map(Box::new(kind(&schema["additionalProperties"], indices)))
        }
        _ => Type::Any,
    }
}

fn last_segment(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_leads_to_its_containers_ports() {
        let schema = Schema::get();
        let step = |kind: &Type, name: &str| {
            let mut kind = kind;
            if let Type::List(item) = kind {
                kind = item;
            }
            let Type::Struct(index) = kind else {
                panic!("{name} is looked for in {kind:?}")
            };
            schema.structure(*index).unwrap().field(name).unwrap().kind.clone()
        };
        let mut kind = schema.root(Resource::Pods).clone();
        for name in ["spec", "containers", "ports", "containerPort"] {
            kind = step(&kind, name);
        }
        assert!(matches!(kind, Type::Int32));
    }
}
