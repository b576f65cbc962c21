//! A file as kubectl splits it into documents (`k8s.io/apimachinery/pkg/util/yaml`, `decoder.go`).

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::{
    YamlError,
    node::{Content, Place},
    reader::{Parsed, read},
};

/// The line between two documents of YAML.
const SEPARATOR: &str = "---";

/// Reads all documents of a file: JSON objects one behind the other, or YAML; empty ones are left out.
///
/// # Errors
/// The first fault of the syntax.
pub fn documents(text: &str) -> Result<Vec<Parsed>, YamlError> {
    let mut found = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut begin = Place { line: 1, column: 1 };
    if rest.trim_start().starts_with('{') {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let mut end = 0;
        let error = loop {
            match values.next() {
                Some(Ok(_)) => {
                    let json = &rest[end..values.byte_offset()];
                    // Blanks before a value would be indentation.
                    let value = json.trim_start();
                    let blank = &json[..json.len() - value.len()];
                    begin = behind(blank, begin);
                    found.push(read(&as_yaml(value), begin)?);
                    begin = behind(value, begin);
                    end = values.byte_offset();
                }
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        let Some(error) = error else { return Ok(found) };
        // After the second object nothing but JSON is expected.
        if found.len() > 1 {
            // Lines are counted from the begin of the text.
            let place = Place {
                line: error.line(),
                column: error.column().max(1),
            };
            return Err(YamlError::new(without_place(&error), Some(place)));
        }
        rest = &rest[end..];
        let line_end = rest.find('\n').filter(|at| rest[..*at].trim().is_empty());
        if let Some(at) = line_end.filter(|_| end > 0) {
            begin = behind(&rest[..=at], begin);
            rest = &rest[at + 1..];
        }
    }
    for (document, begin) in split(rest, begin)? {
        let parsed = read(&document, begin)?;
        if !matches!(parsed.node.content, Content::Null) {
            found.push(parsed);
        }
    }
    Ok(found)
}

/// The documents of YAML, each with the place at which it begins.
fn split(text: &str, begin: Place) -> Result<Vec<(Cow<'_, str>, Place)>, YamlError> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut first = begin;
    let mut place = begin;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let end = offset + line.len();
        let next = Place {
            line: place.line + 1,
            column: 1,
        };
        if let Some(after) = line.strip_prefix(SEPARATOR) {
            let after = after.trim();
            if !after.is_empty() && !after.starts_with('#') {
                let message = format!("invalid Yaml document separator: {after}");
                return Err(YamlError::new(message, Some(place)));
            }
            documents.push((Cow::Borrowed(&text[start..offset]), first));
            (start, first) = (end, next);
        }
        (offset, place) = (end, next);
    }
    documents.push((Cow::Borrowed(&text[start..]), first));
    Ok(documents)
}

/// The place behind a piece of text that begins at a place.
fn behind(text: &str, begin: Place) -> Place {
    match text.rsplit_once('\n') {
        Some((before, last)) => Place {
            line: begin.line + before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
        },
        None => Place {
            line: begin.line,
            column: begin.column + text.chars().count(),
        },
    }
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Returns JSON as a reader of YAML takes it: all of JSON is YAML but for control characters and noncharacters within
/// strings (RFC 8259, 7; YAML 1.2.2, 5.1). Only the columns behind such a character change.
fn as_yaml(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unprintable) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_unprintable(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether JSON has the character in strings, and YAML does not.
fn is_unprintable(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn values(text: &str) -> Vec<Value> {
        let documents = documents(text).unwrap();
        documents.into_iter().map(|parsed| parsed.node.value()).collect()
    }

    #[test]
    fn documents_are_split_at_lines_of_dashes() {
        let text = "# first\n---\na: 1\n--- # the second\r\nb: 2\r\n---\n---\nc: |\n  x\n";
        assert_eq!(values(text), [json!({"a": 1}), json!({"b": 2}), json!({"c": "x\n"})]);
        let places: Vec<usize> = documents(text)
            .unwrap()
            .iter()
            .map(|parsed| parsed.node.place.line)
            .collect();
        assert_eq!(places, [3, 5, 8]);
        let error = documents("a: 1\n--- b: 2\n").unwrap_err();
        assert_eq!(error.message, "invalid Yaml document separator: b: 2");
        assert_eq!(error.place.unwrap().line, 2);
    }

    #[test]
    fn json_objects_follow_one_another() {
        let text = "{\"a\": \"\u{7f}\u{9b}\u{fffe}\\ud83d\\ude00\"}\n {\"b\":\n2}";
        let read = documents(text).unwrap();
        assert_eq!(
            values(text),
            [json!({"a": "\u{7f}\u{9b}\u{fffe}\u{1f600}"}), json!({"b": 2})]
        );
        assert_eq!(read[1].node.place_of("b"), Place { line: 2, column: 3 });
        // What only looks like JSON is YAML.
        assert_eq!(values("{a: 1}\n---\n{b: 2}\n"), [json!({"a": 1}), json!({"b": 2})]);
        assert_eq!(values("{\"a\": 1}\n---\nb: 2\n"), [json!({"a": 1}), json!({"b": 2})]);
    }

    #[test]
    fn empty_text_has_no_documents() {
        assert!(values("\u{feff}# nothing\n---\n").is_empty());
        assert_eq!(values("\u{feff}a: 1"), [json!({"a": 1})]);
    }
}
