//! Which numbers the fields of each message have.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Bytes,
    Bool,
    Number,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// JSON, as text.
    Json,
    Message(&'static str),
}

/// How often a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Many,
    /// By names.
    Map,
    /// Its own fields stand in its place.
    Inline,
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    number: u64,
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) kind: Kind,
}

type Messages = HashMap<&'static str, Vec<Field>>;

/// The field of that number.
pub(super) fn field(message: &str, number: u64) -> Option<Field> {
    let fields = messages().get(message)?;
    fields.iter().find(|field| field.number == number).copied()
}

/// Whether there is such a message.
pub(super) fn name_of(message: &str) -> Option<&'static str> {
    messages().get_key_value(message).map(|(name, _)| *name)
}

fn messages() -> &'static Messages {
    static MESSAGES: OnceLock<Messages> = OnceLock::new();
    MESSAGES.get_or_init(|| parse(include_str!("fields.txt")))
}

fn parse(text: &'static str) -> Messages {
    let mut messages = Messages::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if !line.starts_with(' ') {
            current = line;
            messages.insert(current, Vec::new());
        } else if let (Some(field), Some(fields)) = (parse_field(line), messages.get_mut(current)) {
            fields.push(field);
        }
    }
    messages
}

fn parse_field(line: &'static str) -> Option<Field> {
    let words: Vec<&'static str> = line.split_whitespace().collect();
    let (number, name, shape, kind) = match words.as_slice() {
        [number, "-", kind] => (number, "", Shape::Inline, kind),
        [number, name, kind] => (number, *name, Shape::One, kind),
        [number, name, "repeated", kind] => (number, *name, Shape::Many, kind),
        [number, name, "map", kind] => (number, *name, Shape::Map, kind),
        _ => return None,
    };
    let kind = match *kind {
        "string" => Kind::Text,
        "bytes" => Kind::Bytes,
        "bool" => Kind::Bool,
        "int" => Kind::Number,
        "time" => Kind::Time,
        "microtime" => Kind::MicroTime,
        "quantity" => Kind::Quantity,
        "intorstring" => Kind::IntOrString,
        "raw" => Kind::Json,
        message => Kind::Message(message),
    };
    Some(Field {
        number: number.parse().ok()?,
        name,
        shape,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read_and_every_message_is_there() {
        let lines = include_str!("fields.txt")
            .lines()
            .filter(|line| line.starts_with(' '))
            .count();
        let fields: Vec<Field> = messages().values().flatten().copied().collect();
        assert_eq!(fields.len(), lines);
        for field in fields {
            if let Kind::Message(name) = field.kind {
                assert!(name_of(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn every_field_of_the_served_kinds_has_a_number() {
        let names = |message: &'static str| -> Vec<&'static str> {
            let (mut names, mut left) = (Vec::new(), vec![message]);
            while let Some(message) = left.pop() {
                for field in &messages()[message] {
                    match (field.shape, field.kind) {
                        (Shape::Inline, Kind::Message(inner)) => left.push(inner),
                        _ => names.push(field.name),
                    }
                }
            }
            names
        };
        let mut missing = Vec::new();
        for document in ["api/v1", "apis/coordination.k8s.io/v1", "apis/scheduling.k8s.io/v1"] {
            let document = crate::api::openapi::v3_document(document).unwrap();
            for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
                let name = name.rsplit('.').next().unwrap();
                let Some(message) = name_of(name).filter(|_| schema["properties"].is_object()) else {
                    continue;
                };
                let known = names(message);
                let fields = schema["properties"].as_object().unwrap().keys();
                let fields = fields.filter(|field| !matches!(field.as_str(), "apiVersion" | "kind"));
                missing.extend(
                    fields
                        .filter(|field| !known.contains(&field.as_str()))
                        .map(|field| format!("{name}.{field}")),
                );
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn a_pods_fields_are_found() {
        assert_eq!(field("Pod", 2).unwrap().name, "spec");
        assert_eq!(field("PodSpec", 7).unwrap().shape, Shape::Map);
        assert_eq!(field("Volume", 2).unwrap().shape, Shape::Inline);
        assert!(field("Pod", 99).is_none());
    }
}
