//! A document as a tree that keeps the place of each key and value.

use serde_json::{Number, Value};

/// A place in a text, both numbers from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The place at which the value begins.
    pub place: Place,
    /// The value.
    pub content: Content,
}

/// A key of a mapping and its place.
#[derive(Clone, Debug)]
pub struct Key {
    /// The place of the key.
    pub place: Place,
    /// The name.
    pub name: String,
}

/// A value.
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
    /// Returns the value of a key of a mapping.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(members) => members.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Returns the place of a field such as `spec.containers[0].resources.limits[cpu]`, or else of the nearest one
    /// around it that the document has.
    pub fn place_of(&self, path: &str) -> Place {
        let mut node = self;
        let mut place = self.place;
        let mut rest = path;
        while !rest.is_empty() {
            match &node.content {
                Content::Map(members) => {
                    let plain = rest.trim_start_matches(['.', '[']);
                    // A key may contain dots and slashes: the longest one that the path begins with is meant.
                    let fitting = members.iter().filter(|(key, _)| begins_with(plain, &key.name));
                    let Some((key, member)) = fitting.max_by_key(|(key, _)| key.name.len()) else {
                        return place;
                    };
                    place = key.place;
                    node = member;
                    rest = plain[key.name.len()..].trim_start_matches(']');
                }
                Content::List(items) => {
                    let Some((index, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
                        return place;
                    };
                    let Some(item) = index.parse::<usize>().ok().and_then(|index| items.get(index)) else {
                        return place;
                    };
                    place = item.place;
                    node = item;
                    rest = after;
                }
                _ => return place,
            }
        }
        place
    }

    /// Returns the text, if the value is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value without its places.
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

    /// Returns the kind of the value, for a sentence.
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

/// Whether a path begins with this key, as a whole part.
fn begins_with(path: &str, key: &str) -> bool {
    path.strip_prefix(key)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', ']']))
}

#[cfg(test)]
mod tests {
    use super::super::document;

    #[test]
    fn path_with_dotted_key_leads_to_its_line() {
        let text = "metadata:\n  labels:\n    app.kubernetes.io/name: x\nspec:\n  containers:\n  - name: a\n    resources:\n      limits:\n        cpu: 1\n";
        let node = document(text).unwrap().node;
        for (path, line) in [
            ("metadata.labels[app.kubernetes.io/name]", 3),
            ("metadata.labels.app.kubernetes.io/name", 3),
            ("metadata.labels[absent]", 2),
            ("spec.containers[0].resources.limits[cpu]", 9),
            ("spec.containers[0].resources.limits.cpu", 9),
            ("spec.containers[0].imagePullPolicy", 6),
            ("spec.containers[3].name", 5),
            ("", 1),
        ] {
            assert_eq!(node.place_of(path).line, line, "{path}");
        }
    }
}
