//! What a template takes out of the answer for programs.

use serde_json::{Value, json};

use super::go_template::Unfilled;
use crate::cli::output::Template;
use crate::view::describe::record::API_VERSION;

/// What a template takes out of objects while they come: of each, a table of columns keeps its row alone; an expression may
/// ask for anything, and gets the whole.
#[derive(Debug)]
pub struct Templated<'a> {
    template: &'a Template,
    has_headers: bool,
    kind: &'static str,
    is_list: bool,
    rows: Vec<Vec<String>>,
    items: Vec<Value>,
}

impl<'a> Templated<'a> {
    /// Without objects yet; several of them are a list of `kind`.
    pub fn new(template: &'a Template, has_headers: bool, kind: &'static str) -> Self {
        Self {
            template,
            has_headers,
            kind,
            is_list: false,
            rows: Vec::new(),
            items: Vec::new(),
        }
    }

    /// One alone is a list too.
    #[must_use]
    pub fn always_a_list(self) -> Self {
        Self { is_list: true, ..self }
    }

    /// Takes an object in.
    pub fn add(&mut self, item: Value) {
        match self.template {
            Template::CustomColumns(columns) => self.rows.push(columns.row(&item)),
            _ => self.items.push(item),
        }
    }

    /// What the template makes of them; a list has one more field, where there is one.
    ///
    /// # Errors
    /// What the template asks for that they do not have.
    pub fn end(mut self, more: Option<(&str, Value)>) -> Result<String, Unfilled> {
        let value = match self.items.len() {
            1 if !self.is_list => self.items.remove(0),
            _ => {
                let mut list = json!({"apiVersion": API_VERSION, "kind": self.kind, "items": self.items});
                if let Some((name, value)) = more {
                    list[name] = value;
                }
                list
            }
        };
        Ok(match self.template {
            Template::Go(template) => template.render(&value)?,
            Template::JsonPath(path) => path.render(&value),
            Template::JsonPathAsJson(path) => super::json(&path.found(&value)),
            Template::CustomColumns(columns) => columns.table(self.rows, self.has_headers),
        })
    }
}
