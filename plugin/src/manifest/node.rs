//! A YAML document as a tree that remembers where each key and value stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::json::as_yaml;
use super::problem::{Place, Problem};
use super::source::Source;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value begins.
    pub place: Place,
    /// What it is.
    pub content: Content,
}

/// A key of a mapping and its place.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it stands.
    pub place: Place,
    /// Its name.
    pub name: String,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Content {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Map(Vec<(Key, Node)>),
}

impl Node {
    /// The value behind a key of a mapping.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(members) => members.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Where a field of the document stands, or else the nearest one around it that is there.
    pub fn place_of(&self, path: &str) -> Place {
        let mut node = self;
        let mut place = self.place;
        for part in path.split('.') {
            let (name, index) = match part.split_once('[') {
                Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
                None => (part, None),
            };
            let Content::Map(members) = &node.content else {
                return place;
            };
            let Some((key, member)) = members.iter().find(|(key, _)| key.name == name) else {
                return place;
            };
            place = key.place;
            node = member;
            if let (Some(index), Content::List(items)) = (index, &member.content) {
                let Some(item) = items.get(index) else {
                    return place;
                };
                place = item.place;
                node = item;
            }
        }
        place
    }

    /// The value as text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value without its places.
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Map(members) => members
                .iter()
                .map(|(key, node)| (key.name.clone(), node.value()))
                .collect(),
        }
    }

    /// What kind of value it is, for a sentence.
    pub fn what(&self) -> &'static str {
        match self.content {
            Content::Null => "nothing",
            Content::Bool(_) => "a boolean",
            Content::Number(_) => "a number",
            Content::Text(_) => "a string",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }
}

/// Reads all documents of a source; empty ones are left out.
///
/// # Errors
/// The first place that is no YAML.
pub fn parse(source: &Source) -> Result<Vec<Node>, Problem> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        duplicate_keys: DuplicateKeyPolicy::Error,
    };
    let text = as_yaml(&source.text);
    let nodes: Vec<Node> = serde_saphyr::from_multiple_with_options(&text, options).map_err(|error| {
        let place = error.location().map(|location| place(&location)).unwrap_or_default();
        let text = error.without_snippet().to_string();
        let message = text.lines().next().unwrap_or("it cannot be read");
        // How to tell the library to take it is of no use to who wrote the file.
        let message = message.split(", set ").next().unwrap_or(message).to_owned();
        let problem = Problem::new(source, format!("no valid YAML: {}", without_place(&message))).at(place);
        match source.text.lines().nth(place.line.saturating_sub(1)) {
            Some(line) if line.contains('\t') => problem.help("YAML is indented with blanks, never with tabs"),
            _ => problem,
        }
    })?;
    Ok(nodes
        .into_iter()
        .filter(|node| !matches!(node.content, Content::Null))
        .collect())
}

/// The message without the place that the parser put into it: the snippet shows that.
fn without_place(message: &str) -> String {
    let end = message.find(" at line ").unwrap_or(message.len());
    let begin = match message.strip_prefix("error: ") {
        Some(_) => "error: ".len(),
        None => 0,
    };
    message[begin..end.max(begin)].trim().trim_end_matches(':').to_owned()
}

fn place(location: &serde_saphyr::Location) -> Place {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Place {
        line: number(location.line()),
        column: number(location.column()),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self {
            place: place(&spanned.referenced),
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Content;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a YAML value")
            }
            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::Null)
            }
            fn visit_none<E>(self) -> Result<Content, E> {
                Ok(Content::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
                Content::deserialize(deserializer)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
                Ok(Content::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
                Ok(Content::Number(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
                Ok(Content::Number(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
                Ok(Number::from_f64(value).map_or(Content::Null, Content::Number))
            }
            fn visit_str<E>(self, value: &str) -> Result<Content, E> {
                Ok(Content::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Content, E> {
                Ok(Content::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Content::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Content, A::Error> {
                let mut map = Vec::new();
                while let Some(key) = members.next_key::<Spanned<String>>()? {
                    let key = Key {
                        place: place(&key.referenced),
                        name: key.value,
                    };
                    map.push((key, members.next_value()?));
                }
                Ok(Content::Map(map))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}
