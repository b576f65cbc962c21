//! A document against Kubernetes' own schema: fields that do not exist, values of the wrong type, each at its place.

use std::sync::OnceLock;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace, PersistentVolumeClaim, Pod, PodTemplate, ReplicationController, Secret, Service,
    ServiceAccount,
};
use serde_json::{Map, Value};

use super::node::{Content, Node};
use super::problem::Problem;
use super::source::Source;
use crate::cli::usage::nearest;

/// Whether fields that the schema does not know are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// A manifest: an unknown field is a mistake.
    Strict,
    /// A saved object: a newer server may know more than we do.
    Lenient,
}

/// Checks a document of a known kind and returns its value, in the form that the API's types take.
///
/// # Errors
/// The first field that does not fit, with the nearest one that exists.
pub fn check(source: &Source, node: &Node, kind: &str, strictness: Strictness) -> Result<Value, Problem> {
    let Some(root) = schema(kind) else {
        return Ok(node.value());
    };
    let check = Check {
        source,
        definitions: root.get("$defs").and_then(Value::as_object),
        strictness,
    };
    check.value(node, root, "")
}

/// The schema of a kind, made when it is first needed.
fn schema(kind: &str) -> Option<&'static Value> {
    macro_rules! schemas {
        ($($kind:ident),*) => {
            match kind {
                $(stringify!($kind) => {
                    static SCHEMA: OnceLock<Value> = OnceLock::new();
                    Some(SCHEMA.get_or_init(|| {
                        schemars::SchemaGenerator::default().into_root_schema_for::<$kind>().to_value()
                    }))
                })*
                _ => None,
            }
        };
    }
    schemas!(
        Pod,
        ConfigMap,
        Secret,
        ServiceAccount,
        Namespace,
        Service,
        PersistentVolumeClaim,
        Event,
        Deployment,
        ReplicaSet,
        StatefulSet,
        DaemonSet,
        Job,
        CronJob,
        ReplicationController,
        PodTemplate
    )
}

struct Check<'a> {
    source: &'a Source,
    definitions: Option<&'a Map<String, Value>>,
    strictness: Strictness,
}

impl Check<'_> {
    fn value(&self, node: &Node, schema: &Value, path: &str) -> Result<Value, Problem> {
        let (schema, name) = self.resolve(schema);
        if matches!(node.content, Content::Null) {
            return Ok(Value::Null);
        }
        if schema.get("x-kubernetes-int-or-string").is_some() {
            return match &node.content {
                Content::Number(_) | Content::Text(_) => Ok(node.value()),
                _ => Err(self.wrong_type(node, "a number or a string", path)),
            };
        }
        let is_quantity = name.is_some_and(|name| name.ends_with(".Quantity"));
        match (schema.get("type").and_then(Value::as_str), &node.content) {
            (Some("object"), Content::Map(_)) => self.object(node, schema, path),
            (Some("array"), Content::List(items)) => {
                let item_schema = schema.get("items").unwrap_or(&Value::Null);
                let items = items.iter().enumerate();
                let checked: Result<Vec<Value>, Problem> = items
                    .map(|(number, item)| self.value(item, item_schema, &format!("{path}[{number}]")))
                    .collect();
                checked.map(Value::Array)
            }
            // `cpu: 1` and `memory: 0.5` are written without quotes, and mean the text.
            (Some("string"), Content::Number(number)) if is_quantity => Ok(Value::String(number.to_string())),
            (Some("string"), Content::Text(_))
            | (Some("boolean"), Content::Bool(_))
            | (Some("number"), Content::Number(_))
            | (None, _) => Ok(node.value()),
            (Some("integer"), Content::Number(number)) if !number.is_f64() => Ok(node.value()),
            (Some(expected), _) => Err(self.wrong_type(node, in_words(expected), path)),
        }
    }

    fn object(&self, node: &Node, schema: &Value, path: &str) -> Result<Value, Problem> {
        let Content::Map(members) = &node.content else {
            return Ok(node.value());
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let additional = schema.get("additionalProperties").filter(|schema| schema.is_object());
        let mut checked = Map::new();
        for (key, member) in members {
            let member_path = match path {
                "" => key.name.clone(),
                path => format!("{path}.{}", key.name),
            };
            let known = properties
                .and_then(|properties| properties.get(&key.name))
                .or(additional);
            let value = match (known, properties) {
                (Some(schema), _) => self.value(member, schema, &member_path)?,
                (None, Some(properties)) if self.strictness == Strictness::Strict => {
                    let known = properties.keys().map(String::as_str);
                    let problem = Problem::new(self.source, format!("unknown field {member_path:?}"))
                        .at(key.place)
                        .field(member_path);
                    return Err(match nearest(&key.name, known) {
                        Some(name) => problem.help(format!("did you mean {name}?")),
                        None => problem.help(self.elsewhere(&key.name)),
                    });
                }
                (None, _) => member.value(),
            };
            // `key:` without a value leaves the field to its default.
            if !value.is_null() {
                checked.insert(key.name.clone(), value);
            }
        }
        self.required(node, schema, &checked, path)?;
        Ok(Value::Object(checked))
    }

    fn required(&self, node: &Node, schema: &Value, checked: &Map<String, Value>, path: &str) -> Result<(), Problem> {
        if self.strictness == Strictness::Lenient {
            return Ok(());
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let missing = required
            .filter_map(Value::as_str)
            .find(|name| !checked.contains_key(*name));
        match missing {
            // The object's own metadata may be empty, and is asked about when it is used.
            Some("metadata") | None => Ok(()),
            Some(name) => {
                let member_path = if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}.{name}")
                };
                Err(Problem::new(self.source, format!("{member_path}: Required value"))
                    .at(node.place)
                    .field(path)
                    .help(format!("add {name} here")))
            }
        }
    }

    /// Where else in the pod a field of this name belongs: indentation is the usual mistake.
    fn elsewhere(&self, name: &str) -> String {
        let homes: Vec<&str> = self
            .definitions
            .into_iter()
            .flatten()
            .filter(|(_, schema)| {
                schema
                    .get("properties")
                    .is_some_and(|properties| properties.get(name).is_some())
            })
            .filter_map(|(home, _)| home.rsplit('.').next())
            .take(4)
            .collect();
        match homes.as_slice() {
            [] => "no field has this name; kubectl pod explain shows those that exist".to_owned(),
            homes => format!(
                "a field of this name belongs to {}: check the indentation",
                homes.join(", ")
            ),
        }
    }

    fn resolve<'s>(&'s self, schema: &'s Value) -> (&'s Value, Option<&'s str>) {
        let reference = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|path| path.strip_prefix("#/$defs/"));
        match reference {
            Some(name) => {
                let target = self.definitions.and_then(|definitions| definitions.get(name));
                (target.unwrap_or(&Value::Null), Some(name))
            }
            None => (schema, None),
        }
    }

    fn wrong_type(&self, node: &Node, expected: &str, path: &str) -> Problem {
        let problem = Problem::new(
            self.source,
            format!("{path}: expected {expected}, found {}", node.what()),
        )
        .at(node.place)
        .field(path);
        match (&node.content, expected) {
            (Content::Number(number), "a string") => problem.help(format!("put it in quotes: \"{number}\"")),
            (Content::Bool(value), "a string") => problem.help(format!("put it in quotes: \"{value}\"")),
            (_, "a list") => problem.help("each item of a list begins with a dash and a blank"),
            _ => problem,
        }
    }
}

fn in_words(kind: &str) -> &'static str {
    match kind {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a string",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }
}
