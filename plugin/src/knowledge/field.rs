//! The fields of a Pod, from the schema that comes with Kubernetes' types: no cluster is asked.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value};

use crate::cli::usage::nearest;

/// A field, or a part of the Pod that has fields.
pub struct Field {
    /// Its path, as in `spec.containers.image`.
    pub path: String,
    /// Its type, as in `[]Container`.
    pub kind: String,
    /// Whether an object without it is refused.
    pub is_required: bool,
    /// What it is.
    pub description: String,
    /// What it consists of: each member's name, type, and whether it is required.
    pub members: Vec<Member>,
}

/// A member of a field.
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Whether it has to be there.
    pub is_required: bool,
    /// The first sentence about it.
    pub summary: String,
    /// Its own members, where all were asked for.
    pub members: Vec<Member>,
}

/// A path that leads nowhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {name:?} does not exist in {parent}")]
pub struct NoSuchField {
    /// The part that does not exist.
    pub name: String,
    /// What it was looked for in.
    pub parent: String,
    /// The nearest one that exists.
    pub suggestion: Option<String>,
}

/// Explains a path: `spec.containers[].image`, `.metadata.name`, `pod.spec`.
///
/// # Errors
/// The first part of the path that does not exist.
pub fn explain(path: &str, is_recursive: bool) -> Result<Field, NoSuchField> {
    let root = schemars::SchemaGenerator::default()
        .into_root_schema_for::<Pod>()
        .to_value();
    let schema = Schema {
        definitions: root.get("$defs").and_then(Value::as_object),
    };
    let mut at = &root;
    let mut description = text(&root, "description");
    let mut kind = "Pod".to_owned();
    let mut is_required = false;
    let mut walked: Vec<&str> = Vec::new();
    for name in parts(path) {
        let inner = schema.inner(at);
        let properties = inner.get("properties").and_then(Value::as_object);
        // Below a map such as labels, every key is a field.
        let of_map = inner.get("additionalProperties").filter(|schema| schema.is_object());
        let Some(property) = properties.and_then(|all| all.get(name)).or(of_map) else {
            return Err(NoSuchField {
                name: name.to_owned(),
                parent: if walked.is_empty() {
                    "Pod".to_owned()
                } else {
                    walked.join(".")
                },
                suggestion: properties
                    .and_then(|all| nearest(name, all.keys().map(String::as_str)))
                    .map(|name| [walked.as_slice(), &[name]].concat().join(".")),
            });
        };
        is_required = requires(inner, name);
        description = match text(property, "description") {
            own if own.is_empty() => text(schema.inner(property), "description"),
            own => own,
        };
        kind = schema.kind(property);
        at = property;
        walked.push(name);
    }
    Ok(Field {
        path: walked.join("."),
        kind,
        is_required,
        description,
        members: schema.members(at, is_recursive, 0),
    })
}

/// The parts of a path, without what people put around them.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_start_matches('.');
    let path = path
        .strip_prefix("pod.")
        .or_else(|| path.strip_prefix("pods."))
        .unwrap_or(path);
    path.split('.')
        .map(|part| part.split('[').next().unwrap_or(part))
        .filter(|part| !part.is_empty())
}

fn text(schema: &Value, name: &str) -> String {
    schema.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn requires(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|other| other == name))
}

/// Deeper than this, a Pod only repeats itself.
const DEEPEST: usize = 8;

struct Schema<'a> {
    definitions: Option<&'a Map<String, Value>>,
}

impl<'a> Schema<'a> {
    /// What a schema refers to, or what its items are.
    fn inner(&self, schema: &'a Value) -> &'a Value {
        let target = self.definition(schema).map_or(schema, |(_, target)| target);
        match target.get("items") {
            Some(items) => self.inner(items),
            None => target,
        }
    }

    fn definition(&self, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
        let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
        Some((name, self.definitions?.get(name)?))
    }

    fn kind(&self, schema: &'a Value) -> String {
        if let Some((name, target)) = self.definition(schema) {
            let short = name.rsplit('.').next().unwrap_or(name);
            return match target.get("type").and_then(Value::as_str) {
                Some("string") => format!("string ({short})"),
                _ => short.to_owned(),
            };
        }
        if let Some(items) = schema.get("items") {
            return format!("[]{}", self.kind(items));
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            return format!("map[string]{}", self.kind(values));
        }
        text(schema, "type")
    }

    fn members(&self, schema: &'a Value, is_recursive: bool, depth: usize) -> Vec<Member> {
        let inner = self.inner(schema);
        let properties = inner.get("properties").and_then(Value::as_object).into_iter().flatten();
        properties
            .map(|(name, property)| {
                let own = text(property, "description");
                let about = if own.is_empty() {
                    text(self.inner(property), "description")
                } else {
                    own
                };
                Member {
                    name: name.clone(),
                    kind: self.kind(property),
                    is_required: requires(inner, name),
                    summary: first_sentence(&about),
                    members: if is_recursive && depth < DEEPEST {
                        self.members(property, true, depth + 1)
                    } else {
                        Vec::new()
                    },
                }
            })
            .collect()
    }
}

fn first_sentence(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let end = line.find(". ").map_or(line.len(), |end| end + 1);
    line[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_field_is_found_however_its_path_is_written() {
        for path in [
            "spec.containers.image",
            ".spec.containers[].image",
            "pod.spec.containers[0].image",
        ] {
            let field = explain(path, false).unwrap();
            assert_eq!(field.path, "spec.containers.image");
            assert_eq!(field.kind, "string");
        }
        assert_eq!(explain("spec.containers", false).unwrap().kind, "[]Container");
        assert!(
            explain("spec", false)
                .unwrap()
                .members
                .iter()
                .any(|member| member.name == "containers" && member.is_required)
        );
        assert_eq!(explain("metadata.labels.app", false).unwrap().kind, "string");
    }

    #[test]
    fn a_typing_mistake_is_answered_with_the_nearest_field() {
        let error = explain("spec.contianers", false).err().unwrap();
        assert_eq!(error.to_string(), "field \"contianers\" does not exist in spec");
        assert_eq!(error.suggestion.as_deref(), Some("spec.containers"));
    }
}
