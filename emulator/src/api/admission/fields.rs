//! The fields of an object, against those of its kind: types checked, unknown ones found, empty ones left out.

use std::collections::HashSet;

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Number, Value};

use super::{
    go_words::wrong_type,
    omit,
    quantity::{Quantity, QuantityError},
    schema::{Schema, Type},
};
use crate::store::Resource;

/// The most unknown fields that one answer lists, as in Kubernetes.
pub(super) const MOST_ERRORS: usize = 100;

/// A value of a wrong type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// The path of the field: `spec.containers[0].ports`.
    pub path: String,
    /// The server's words.
    pub message: String,
}

/// Checks an object against the fields of its kind, and takes out what is unknown or empty.
///
/// Returns the path of each unknown field.
///
/// # Errors
/// The first value of a wrong type.
pub fn check(resource: Resource, object: &mut Value) -> Result<Vec<String>, WrongType> {
    let schema = Schema::get();
    let mut walk = Walk {
        schema,
        path: String::new(),
        names: Vec::new(),
        holder: "",
        unknown: Vec::new(),
    };
    match walk.visit(object, schema.root(resource), "") {
        Ok(()) => Ok(walk.unknown),
        Err(message) => Err(WrongType {
            path: walk.path,
            message,
        }),
    }
}

struct Walk {
    schema: &'static Schema,
    /// `spec.containers[0].ports`.
    path: String,
    /// `spec`, `containers`, `ports`: without indices, as Go names a field.
    names: Vec<&'static str>,
    /// The struct that has the field.
    holder: &'static str,
    unknown: Vec<String>,
}

impl Walk {
    fn visit(&mut self, value: &mut Value, kind: &'static Type, go_name: &'static str) -> Result<(), String> {
        match (kind, &mut *value) {
            (Type::Any, _) | (_, Value::Null) => Ok(()),
            (Type::Struct(_), Value::Object(_)) => self.visit_struct(value, kind),
            (Type::List(item), Value::Array(items)) => {
                let length = self.path.len();
                for (index, one) in items.iter_mut().enumerate() {
                    if one.is_null() {
                        *one = zero(item);
                    }
                    self.path.push_str(&format!("[{index}]"));
                    self.visit(one, item, "")?;
                    self.path.truncate(length);
                }
                Ok(())
            }
            (Type::Map(item), Value::Object(entries)) => {
                let length = self.path.len();
                for (key, one) in entries.iter_mut() {
                    if one.is_null() {
                        *one = zero(item);
                    }
                    self.path.push('.');
                    self.path.push_str(key);
                    self.visit(one, item, "")?;
                    self.path.truncate(length);
                }
                Ok(())
            }
            (Type::String, Value::String(_)) | (Type::Bool, Value::Bool(_)) | (Type::Double, Value::Number(_)) => {
                Ok(())
            }
            (Type::Bytes, Value::String(text)) => check_base64(text),
            (Type::Time, Value::String(text)) => text.parse::<Timestamp>().map(|_| ()).map_err(|_| {
                format!("parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\"")
            }),
            (Type::Int32, Value::Number(number)) if fits(number, i64::from(i32::MIN), i64::from(i32::MAX)) => Ok(()),
            (Type::Int64, Value::Number(number)) if fits(number, i64::MIN, i64::MAX) => Ok(()),
            (Type::IntOrString, Value::String(_)) => Ok(()),
            (Type::IntOrString, Value::Number(number)) if fits(number, i64::from(i32::MIN), i64::from(i32::MAX)) => {
                Ok(())
            }
            (Type::Quantity, Value::String(_) | Value::Number(_)) => {
                let text = match &*value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let amount: Quantity = text.parse().map_err(|error| format!("{error}"))?;
                *value = Value::String(amount.to_string());
                Ok(())
            }
            (Type::Quantity, _) => Err(QuantityError::Format.to_string()),
            (_, other) => Err(wrong_type(self.schema, self.holder, &self.names, other, kind, go_name)),
        }
    }

    fn visit_struct(&mut self, value: &mut Value, kind: &'static Type) -> Result<(), String> {
        let (Type::Struct(index), Value::Object(map)) = (kind, value) else {
            return Ok(());
        };
        let Some(structure) = self.schema.structure(*index) else {
            return Ok(());
        };
        let length = self.path.len();
        let outer = std::mem::replace(&mut self.holder, &structure.name);
        let keys: Vec<String> = map.keys().cloned().collect();
        let mut dropped = HashSet::new();
        for key in keys {
            let Some(field) = structure.field(&key) else {
                if self.unknown.len() < MOST_ERRORS {
                    let dot = if length > 0 { "." } else { "" };
                    self.unknown.push(format!("{}{dot}{key}", &self.path[..length]));
                }
                dropped.insert(key);
                continue;
            };
            let Some(inner) = map.get_mut(&key) else { continue };
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            self.names.push(&field.name);
            self.visit(inner, &field.kind, &field.name)?;
            self.names.pop();
            self.path.truncate(length);
            if omit::is_left_out(&structure.name, field, inner) {
                dropped.insert(key);
            }
        }
        if !dropped.is_empty() {
            map.retain(|key, _| !dropped.contains(key));
        }
        self.holder = outer;
        Ok(())
    }
}

fn fits(number: &Number, least: i64, most: i64) -> bool {
    number.as_i64().is_some_and(|number| (least..=most).contains(&number))
}

fn zero(kind: &Type) -> Value {
    match kind {
        Type::Struct(_) | Type::Map(_) => Value::Object(Default::default()),
        Type::List(_) => Value::Array(Vec::new()),
        Type::String | Type::Bytes => "".into(),
        Type::Quantity => "0".into(),
        Type::Bool => false.into(),
        Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => 0.into(),
        Type::Time | Type::Any => Value::Null,
    }
}

fn check_base64(text: &str) -> Result<(), String> {
    use base64::DecodeError;
    // Line breaks are let through, as in Go.
    let bare: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let at = match base64::engine::general_purpose::STANDARD.decode(&bare) {
        Ok(_) => return Ok(()),
        Err(DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _)) => at,
        Err(_) => bare.len(),
    };
    Err(format!("illegal base64 data at input byte {at}"))
}
