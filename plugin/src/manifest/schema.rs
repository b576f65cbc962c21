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
/// The fields that do not fit, with the nearest ones that exist.
pub fn check(source: &Source, node: &Node, kind: &str, strictness: Strictness) -> Result<Value, Problem> {
    let Some(root) = schema(kind) else {
        return Ok(node.value());
    };
    let mut check = Check {
        source,
        definitions: root.get("$defs").and_then(Value::as_object),
        strictness,
        problems: Vec::new(),
    };
    let value = check.value(node, root, "");
    let mut problems = check.problems.into_iter();
    match problems.next() {
        Some(first) => Err(first.and(problems)),
        None => Ok(value),
    }
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
    /// What does not fit.
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn value(&mut self, node: &Node, schema: &'a Value, path: &str) -> Value {
        let (schema, name) = self.resolve(schema);
        if matches!(node.content, Content::Null) {
            return Value::Null;
        }
        if schema.get("x-kubernetes-int-or-string").is_some() {
            return match &node.content {
                Content::Number(_) | Content::Text(_) => node.value(),
                _ => self.wrong_type(node, "a number or a string", path),
            };
        }
        let is_quantity = name.is_some_and(|name| name.ends_with(".Quantity"));
        match (schema.get("type").and_then(Value::as_str), &node.content) {
            (Some("object"), Content::Map(_)) => self.object(node, schema, path),
            (Some("array"), Content::List(items)) => {
                let item_schema = schema.get("items").unwrap_or(&Value::Null);
                let items = items.iter().enumerate();
                let checked = items.map(|(number, item)| self.value(item, item_schema, &format!("{path}[{number}]")));
                Value::Array(checked.collect())
            }
            // `cpu: 1` and `memory: 0.5` are written without quotes, and mean the text.
            (Some("string"), Content::Number(number)) if is_quantity => Value::String(number.to_string()),
            (Some("string"), Content::Text(_))
            | (Some("boolean"), Content::Bool(_))
            | (Some("number"), Content::Number(_))
            | (None, _) => node.value(),
            (Some("integer"), Content::Number(number)) if !number.is_f64() => node.value(),
            (Some(expected), _) => self.wrong_type(node, in_words(expected), path),
        }
    }

    fn object(&mut self, node: &Node, schema: &'a Value, path: &str) -> Value {
        let Content::Map(members) = &node.content else {
            return node.value();
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
                (Some(schema), _) => self.value(member, schema, &member_path),
                (None, Some(properties)) if self.strictness == Strictness::Strict => {
                    let known = properties.keys().map(String::as_str);
                    let problem = Problem::new(self.source, format!("unknown field {member_path:?}"))
                        .at(key.place)
                        .field(member_path);
                    self.problems.push(match nearest(&key.name, known) {
                        Some(name) => problem.help(format!("did you mean {name}?")),
                        None => problem.help(self.elsewhere(&key.name)),
                    });
                    continue;
                }
                (None, _) => member.value(),
            };
            // `key:` without a value leaves the field to its default.
            if !value.is_null() {
                checked.insert(key.name.clone(), value);
            }
        }
        self.required(node, schema, &checked, path);
        Value::Object(checked)
    }

    fn required(&mut self, node: &Node, schema: &Value, checked: &Map<String, Value>, path: &str) {
        if self.strictness == Strictness::Lenient {
            return;
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let missing = required
            .filter_map(Value::as_str)
            // The object's own metadata may be empty, and is asked about when it is used.
            .filter(|name| !checked.contains_key(*name) && *name != "metadata");
        for name in missing {
            // A value of a wrong type is there, and has been reported.
            if node
                .get(name)
                .is_some_and(|member| !matches!(member.content, Content::Null))
            {
                continue;
            }
            let member_path = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            self.problems.push(
                Problem::new(self.source, format!("{member_path}: Required value"))
                    .at(node.place)
                    .field(path)
                    .help(format!("add {name} here")),
            );
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

    fn resolve(&self, schema: &'a Value) -> (&'a Value, Option<&'a str>) {
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

    fn wrong_type(&mut self, node: &Node, expected: &str, path: &str) -> Value {
        let problem = Problem::new(
            self.source,
            format!("{path}: expected {expected}, found {}", node.what()),
        )
        .at(node.place)
        .field(path);
        self.problems.push(match (&node.content, expected) {
            (Content::Number(number), "a string") => problem.help(format!("put it in quotes: \"{number}\"")),
            (Content::Bool(value), "a string") => problem.help(format!("put it in quotes: \"{value}\"")),
            (_, "a list") => problem.help("each item of a list begins with a dash and a blank"),
            _ => problem,
        });
        Value::Null
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
