//! A list for programs that is written while its items come: memory holds one of them.

use serde_json::{Value, json};

use super::{json as to_json, yaml as to_yaml};
use crate::view::describe::record::API_VERSION;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// As JSON.
    Json,
    /// As YAML.
    Yaml,
}

/// Items of a list: one alone is written as itself, several as a list of `kind`.
#[derive(Debug)]
pub struct Items {
    notation: Notation,
    kind: &'static str,
    /// Whether one alone is a list too.
    is_list: bool,
    first: Option<Value>,
    count: usize,
}

impl Items {
    /// None yet.
    pub fn new(notation: Notation, kind: &'static str) -> Self {
        Self {
            notation,
            kind,
            is_list: false,
            first: None,
            count: 0,
        }
    }

    /// One alone is a list too.
    #[must_use]
    pub fn always_a_list(self) -> Self {
        Self { is_list: true, ..self }
    }

    /// Takes an item in, and returns what can be written now.
    pub fn add(&mut self, item: Value) -> String {
        self.count += 1;
        match (self.count, self.first.take()) {
            (1, _) if self.is_list => format!("{}{}", self.head(), self.item(&item, true)),
            (1, _) => {
                self.first = Some(item);
                String::new()
            }
            (_, Some(first)) => format!("{}{}{}", self.head(), self.item(&first, true), self.item(&item, false)),
            (_, None) => self.item(&item, false),
        }
    }

    /// What is left to be written; a list gets another field at its end, where there is one.
    pub fn end(self, more: Option<(&str, Value)>) -> String {
        match (self.count, &self.first) {
            (1, Some(item)) => match self.notation {
                Notation::Json => to_json(item),
                Notation::Yaml => to_yaml(item),
            },
            (0, _) => {
                let mut list = json!({"apiVersion": API_VERSION, "kind": self.kind, "items": []});
                if let (Some((name, value)), Some(list)) = (more, list.as_object_mut()) {
                    list.insert(name.to_owned(), value);
                }
                match self.notation {
                    Notation::Json => to_json(&list),
                    Notation::Yaml => to_yaml(&list),
                }
            }
            _ => match (self.notation, more) {
                (Notation::Json, None) => "\n    ]\n}\n".to_owned(),
                (Notation::Json, Some((name, value))) => {
                    format!("\n    ],\n    {name:?}: {}\n}}\n", indented(&to_json(&value), 4).trim())
                }
                (Notation::Yaml, None) => String::new(),
                (Notation::Yaml, Some((name, value))) => to_yaml(&json!({name: value})),
            },
        }
    }

    fn head(&self) -> String {
        match self.notation {
            Notation::Json => format!(
                "{{\n    \"apiVersion\": {API_VERSION:?},\n    \"kind\": {:?},\n    \"items\": [",
                self.kind
            ),
            Notation::Yaml => format!("apiVersion: {API_VERSION}\nkind: {}\nitems:\n", self.kind),
        }
    }

    fn item(&self, item: &Value, is_first: bool) -> String {
        match self.notation {
            Notation::Json => {
                let comma = if is_first { "" } else { "," };
                format!("{comma}\n{}", indented(to_json(item).trim_end(), 8))
            }
            Notation::Yaml => to_yaml(&[item]),
        }
    }
}

/// Every line moved to the right: no text of JSON goes over several lines.
fn indented(text: &str, by: usize) -> String {
    let lines = text.split('\n').map(|line| match line {
        "" => String::new(),
        line => format!("{:by$}{line}", ""),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(notation: Notation, items: &[Value], more: Option<(&str, Value)>) -> String {
        let mut list = Items::new(notation, "PodDescriptionList");
        let mut text: String = items.iter().map(|item| list.add(item.clone())).collect();
        text.push_str(&list.end(more));
        text
    }

    #[test]
    fn a_list_that_is_written_piece_by_piece_is_the_one_that_is_written_at_once() {
        let items = [
            json!({"name": "a", "labels": {"x": "y"}, "events": [{"message": "one\ntwo\n\n  three: \"x\"\n"}], "none": []}),
            json!({"name": "b", "empty": {}, "note": "# no: comment", "deep": [[1, 2], [{"a": null}]]}),
            json!({"name": "c", "message": "  begins with blanks\n and goes on"}),
        ];
        for count in [0, 2, 3] {
            for more in [
                None,
                Some(("percentiles", json!([{"stage": "all"}]))),
                Some(("percentiles", json!([]))),
            ] {
                let mut whole =
                    json!({"apiVersion": API_VERSION, "kind": "PodDescriptionList", "items": items[..count]});
                if let Some((name, value)) = &more {
                    whole[*name] = value.clone();
                }
                let json = written(Notation::Json, &items[..count], more.clone());
                assert_eq!(json, to_json(&whole));
                let yaml = written(Notation::Yaml, &items[..count], more.clone());
                assert_eq!(yaml, to_yaml(&whole));
                assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), whole);
            }
        }
    }

    #[test]
    fn one_alone_is_no_list() {
        let item = json!({"name": "a"});
        let alone = written(
            Notation::Json,
            std::slice::from_ref(&item),
            Some(("percentiles", json!([]))),
        );
        assert_eq!(alone, to_json(&item));
    }
}
