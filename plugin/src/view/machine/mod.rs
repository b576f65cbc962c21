//! JSON and YAML, for programs; and what templates take out of them.

pub mod columns;
mod go_functions;
pub mod go_template;
pub mod items;
pub mod jsonpath;
mod path;
pub mod templated;

use serde::Serialize;
use serde_json::Value;

use crate::cli::output::Output;
use go_template::Unfilled;
use items::{Items, Notation};
use templated::Templated;

/// Objects for programs, which are written or kept while they come.
#[derive(Debug)]
pub enum Records<'a> {
    /// As they are.
    Written(Items),
    /// What a template takes out of them.
    Templated(Templated<'a>),
}

impl<'a> Records<'a> {
    /// None yet, in the form that was asked for; several are a list of `kind`. There are none where the answer is for people.
    pub fn of(output: &'a Output, has_headers: bool, kind: &'static str) -> Option<Self> {
        Some(match output {
            Output::Json => Self::Written(Items::new(Notation::Json, kind)),
            Output::Yaml => Self::Written(Items::new(Notation::Yaml, kind)),
            Output::Template(template) => Self::Templated(Templated::new(template, has_headers, kind)),
            Output::Text | Output::Wide | Output::Name => return None,
        })
    }

    /// One alone is a list too.
    #[must_use]
    pub fn always_a_list(self) -> Self {
        match self {
            Self::Written(items) => Self::Written(items.always_a_list()),
            Self::Templated(templated) => Self::Templated(templated.always_a_list()),
        }
    }

    /// Takes an object in, and returns what can be written now.
    pub fn add(&mut self, record: Value) -> String {
        match self {
            Self::Written(items) => items.add(record),
            Self::Templated(templated) => {
                templated.add(record);
                String::new()
            }
        }
    }

    /// What is left to be written; a list gets another field at its end, where there is one.
    ///
    /// # Errors
    /// What the template asks for that they do not have.
    pub fn end(self, more: Option<(&str, Value)>) -> Result<String, Unfilled> {
        match self {
            Self::Written(items) => Ok(items.end(more)),
            Self::Templated(templated) => templated.end(more),
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

/// An object without the fields that say nothing: no value, no text, no items.
pub fn without_empty(value: Value) -> Value {
    let Value::Object(mut members) = value else {
        return value;
    };
    members.retain(|_, member| match member {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    });
    Value::Object(members)
}
