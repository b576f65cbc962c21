//! A request's body as a tree, with the fields that it names twice.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::yaml;

/// The most duplicates that are kept.
const MAX_DUPLICATES: usize = 100;

/// A body that was read.
#[derive(Debug)]
pub struct Document {
    /// What it says; of a field given twice the last one.
    pub value: Value,
    /// Paths of the fields that are given twice, in the order of the text.
    pub duplicates: Vec<String>,
}

impl Document {
    /// Reads a request's body of a media type.
    ///
    /// # Errors
    /// The words of a BadRequest.
    pub fn read(body: &[u8], content_type: &str) -> Result<Self, String> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/yaml" | "application/apply-patch+yaml" => {
                Self::from_yaml(body).map_err(|error| format!("error converting YAML to JSON: {error}"))
            }
            _ => Self::from_json(body).map_err(|error| format!("couldn't get version/kind; json parse error: {error}")),
        }
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_json(body: &[u8]) -> Result<Self, String> {
        let mut duplicates = Vec::new();
        let mut path = String::new();
        let mut json = serde_json::Deserializer::from_slice(body);
        let value = Tree {
            path: &mut path,
            duplicates: &mut duplicates,
        }
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value))
        .map_err(|error| error.to_string())?;
        Ok(Self { value, duplicates })
    }

    /// Reads one YAML document.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_yaml(body: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
        let parsed = yaml::document(text).map_err(|error| match error.place {
            Some(place) => format!("yaml: line {}: {error}", place.line),
            None => format!("yaml: {error}"),
        })?;
        Ok(Self {
            value: parsed.node.value(),
            // A body of duplicates alone must not cost more memory than its size.
            duplicates: parsed
                .duplicates
                .into_iter()
                .take(MAX_DUPLICATES)
                .map(|one| one.path)
                .collect(),
        })
    }
}

struct Tree<'a> {
    path: &'a mut String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Value, E> {
        Number::from_i128(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let length = self.path.len();
            self.path.push_str(&format!("[{}]", list.len()));
            let item = items.next_element_seed(Tree {
                path: self.path,
                duplicates: self.duplicates,
            })?;
            self.path.truncate(length);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            // A body of duplicates alone must not cost more memory than its size.
            if map.contains_key(&key) && self.duplicates.len() < MAX_DUPLICATES {
                self.duplicates.push(self.path.clone());
            }
            let value = entries
                .next_value_seed(Tree {
                    path: self.path,
                    duplicates: self.duplicates,
                })
                .map_err(A::Error::custom)?;
            self.path.truncate(length);
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn duplicates_are_found_with_their_paths() {
        let document = Document::from_json(br#"{"a":1,"b":[{"c":1,"c":2}],"a":3}"#).unwrap();
        assert_eq!(document.value, json!({"a": 3, "b": [{"c": 2}]}));
        assert_eq!(document.duplicates, ["b[0].c", "a"]);
    }

    #[test]
    fn yaml_gives_the_same_tree() {
        let document = Document::from_yaml(b"a: [1, x, true, null, 1.5]\nb: {c: '1'}\na: 2\n").unwrap();
        assert_eq!(document.value, json!({"a": 2, "b": {"c": "1"}}));
        assert_eq!(document.duplicates, ["a"]);
    }

    #[test]
    fn text_after_the_object_is_an_error() {
        assert!(Document::from_json(b"{} x").is_err());
    }
}
