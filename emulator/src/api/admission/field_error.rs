//! What is wrong with one field, in the server's words.

use std::{collections::HashSet, fmt};

use serde_json::Value;

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has to be given.
    Required,
    /// It can't have this value.
    Invalid,
    /// It has to be one of a few values.
    NotSupported,
    /// Another has the same value.
    Duplicate,
    /// It names something that is not there.
    NotFound,
    /// It may not be given, or not be changed.
    Forbidden,
    /// It has too many bytes.
    TooLong,
    /// It has too many items.
    TooMany,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// Which field: `spec.containers[0].name`.
    pub path: String,
    /// What kind of mistake.
    pub kind: Kind,
    /// The value that is wrong, where it is said.
    pub value: Value,
    /// Why; may be empty.
    pub detail: String,
}

impl FieldError {
    /// The `reason` of this mistake among a Status' causes.
    pub fn reason(&self) -> &'static str {
        match self.kind {
            Kind::Required => "FieldValueRequired",
            Kind::Invalid => "FieldValueInvalid",
            Kind::NotSupported => "FieldValueNotSupported",
            Kind::Duplicate => "FieldValueDuplicate",
            Kind::NotFound => "FieldValueNotFound",
            Kind::Forbidden => "FieldValueForbidden",
            Kind::TooLong => "FieldValueTooLong",
            Kind::TooMany => "FieldValueTooMany",
        }
    }

    /// The words without the path: the `message` of a Status' cause.
    pub fn body(&self) -> String {
        let head = match self.kind {
            Kind::Required => "Required value".to_owned(),
            Kind::Forbidden => "Forbidden".to_owned(),
            Kind::TooLong => "Too long".to_owned(),
            Kind::Invalid => format!("Invalid value: {}", self.value),
            Kind::NotSupported => format!("Unsupported value: {}", self.value),
            Kind::Duplicate => format!("Duplicate value: {}", self.value),
            Kind::NotFound => format!("Not found: {}", self.value),
            Kind::TooMany => format!("Too many: {}", self.value),
        };
        if self.detail.is_empty() {
            head
        } else {
            format!("{head}: {}", self.detail)
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.body())
    }
}

/// All mistakes as one sentence's end: `a: b`, or `[a: b, c: d]`; the same words once.
pub(super) fn joined(errors: &[FieldError]) -> String {
    let mut seen = HashSet::new();
    let words: Vec<String> = errors
        .iter()
        .map(ToString::to_string)
        .filter(|word| seen.insert(word.clone()))
        .collect();
    match words.as_slice() {
        [one] => one.clone(),
        _ => format!("[{}]", words.join(", ")),
    }
}

/// A place in an object.
#[derive(Clone, Debug)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn new(root: &str) -> Self {
        Self(root.to_owned())
    }

    pub(super) fn child(&self, field: &str) -> Self {
        if self.0.is_empty() {
            return Self(field.to_owned());
        }
        Self(format!("{}.{field}", self.0))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    pub(super) fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

/// Collects mistakes.
#[derive(Debug, Default)]
pub(super) struct Errors(Vec<FieldError>);

impl Errors {
    pub(super) fn into_inner(self) -> Vec<FieldError> {
        self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, path: &Path, kind: Kind, value: Value, detail: impl Into<String>) {
        self.0.push(FieldError {
            path: path.0.clone(),
            kind,
            value,
            detail: detail.into(),
        });
    }

    pub(super) fn required(&mut self, path: &Path, detail: impl Into<String>) {
        self.push(path, Kind::Required, Value::Null, detail);
    }

    pub(super) fn invalid(&mut self, path: &Path, value: impl Into<Value>, detail: impl Into<String>) {
        self.push(path, Kind::Invalid, value.into(), detail);
    }

    /// One mistake for each of the reasons why a value is wrong.
    pub(super) fn invalid_each(&mut self, path: &Path, value: &str, details: impl IntoIterator<Item = String>) {
        for detail in details {
            self.invalid(path, value, detail);
        }
    }

    pub(super) fn not_supported(&mut self, path: &Path, value: &str, supported: &[&str]) {
        let list: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        let detail = format!("supported values: {}", list.join(", "));
        self.push(path, Kind::NotSupported, value.into(), detail);
    }

    pub(super) fn duplicate(&mut self, path: &Path, value: impl Into<Value>) {
        self.push(path, Kind::Duplicate, value.into(), "");
    }

    pub(super) fn not_found(&mut self, path: &Path, value: &str) {
        self.push(path, Kind::NotFound, value.into(), "");
    }

    pub(super) fn forbidden(&mut self, path: &Path, detail: impl Into<String>) {
        self.push(path, Kind::Forbidden, Value::Null, detail);
    }

    pub(super) fn too_long(&mut self, path: &Path, most: usize) {
        self.push(
            path,
            Kind::TooLong,
            Value::Null,
            format!("may not be more than {most} bytes"),
        );
    }

    pub(super) fn too_many(&mut self, path: &Path, count: usize, most: usize) {
        let items = if most == 1 { "item" } else { "items" };
        let detail = format!("must have at most {most} {items}");
        self.push(path, Kind::TooMany, count.into(), detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_read_as_the_server_writes_them() {
        let mut errors = Errors::default();
        let path = Path::new("spec").child("containers").index(0).child("imagePullPolicy");
        errors.not_supported(&path, "x", &["Always", "Never"]);
        errors.required(&Path::new("metadata").child("name"), "");
        let errors = errors.into_inner();
        assert_eq!(
            joined(&errors),
            "[spec.containers[0].imagePullPolicy: Unsupported value: \"x\": supported values: \"Always\", \"Never\", \
             metadata.name: Required value]"
        );
    }
}
