//! `-o`: the forms an answer can have.

use std::fs;
use std::io::ErrorKind;

use crate::view::machine::columns::Columns;
use crate::view::machine::go_template::GoTemplate;
use crate::view::machine::jsonpath::JsonPath;

/// The form of the answer.
#[derive(Clone, Debug, Default)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For people, with more in it.
    Wide,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
    /// `pod/NAME`, one a line.
    Name,
    /// What a template takes out of the answer for programs.
    Template(Template),
}

/// What to take out of an answer, as kubectl writes it.
#[derive(Clone, Debug)]
pub enum Template {
    /// Text with expressions in braces.
    JsonPath(JsonPath),
    /// What the expressions find, as one JSON list.
    JsonPathAsJson(JsonPath),
    /// One row for each object.
    CustomColumns(Columns),
    /// A program of Go's.
    Go(GoTemplate),
}

impl Template {
    /// Reads `jsonpath=…`, `custom-columns=…`, `go-template=…` and their kin; nothing where it is none of them.
    ///
    /// # Errors
    /// A template that is not given, whose file cannot be read, or that is none.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (kind, template) = text.split_once('=').unwrap_or((text, ""));
        if !KINDS.contains(&kind) {
            return None;
        }
        Some(Self::read(kind, template))
    }

    fn read(kind: &str, template: &str) -> Result<Self, String> {
        if template.is_empty() {
            return Err(match kind {
                "custom-columns" | "custom-columns-file" => {
                    "custom-columns format specified but no custom columns given"
                }
                _ => "template format specified but no template given",
            }
            .to_owned());
        }
        let text = match kind {
            "jsonpath-file" | "custom-columns-file" | "go-template-file" | "templatefile" => {
                fs::read_to_string(template).map_err(|error| match error.kind() {
                    ErrorKind::NotFound => {
                        format!("error reading --template {template}, open {template}: no such file or directory")
                    }
                    _ => format!("error reading --template {template}, {error}"),
                })?
            }
            _ => template.to_owned(),
        };
        match kind {
            "custom-columns" => Columns::parse(&text).map(Self::CustomColumns),
            "custom-columns-file" => Columns::parse_file(&text).map(Self::CustomColumns),
            "go-template" | "go-template-file" | "template" | "templatefile" => GoTemplate::parse(&text).map(Self::Go),
            "jsonpath-as-json" => JsonPath::parse(&text).map(Self::JsonPathAsJson),
            _ => JsonPath::parse(&text).map(Self::JsonPath),
        }
    }
}

/// The forms of an answer, for the help.
pub const HELP: &str = "The form of the answer: text, wide, json, yaml, name, jsonpath=TEMPLATE, jsonpath-as-json=, \
                        jsonpath-file=, custom-columns=HEADER:PATH,..., custom-columns-file=, go-template=TEMPLATE, \
                        go-template-file=";

/// All kinds of templates.
pub const KINDS: [&str; 9] = [
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "custom-columns",
    "custom-columns-file",
    "go-template",
    "go-template-file",
    "template",
    "templatefile",
];

/// Reads the value of `-o`.
///
/// # Errors
/// What is wrong with it, in kubectl's words.
pub fn parse(text: &str) -> Result<Output, String> {
    match text {
        "text" | "" => Ok(Output::Text),
        "wide" => Ok(Output::Wide),
        "json" => Ok(Output::Json),
        "yaml" => Ok(Output::Yaml),
        "name" => Ok(Output::Name),
        other => match Template::parse(other) {
            Some(template) => template.map(Output::Template),
            None => Err(no_form(other, &["text", "wide", "json", "yaml", "name"])),
        },
    }
}

/// kubectl's sentence for a form that there is not; `forms` are those that there are beside the templates.
pub fn no_form(text: &str, forms: &[&str]) -> String {
    let mut allowed: Vec<&str> = forms.iter().copied().chain(KINDS).collect();
    allowed.sort_unstable();
    format!(
        "unable to match a printer suitable for the output format {text:?}, allowed formats are: {}",
        allowed.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_templates_are_told_apart() {
        assert!(matches!(parse("json"), Ok(Output::Json)));
        assert!(matches!(
            parse("jsonpath={.a[?(@.b=='c')]}"),
            Ok(Output::Template(Template::JsonPath(_)))
        ));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (text, said) in [
            (
                "nonsense",
                "unable to match a printer suitable for the output format \"nonsense\"",
            ),
            ("jsonpath", "template format specified but no template given"),
            ("jsonpath-file=", "template format specified but no template given"),
            ("custom-columns=", "no custom columns given"),
            ("jsonpath={.a", "error parsing jsonpath {.a, unclosed action"),
            ("go-template={{.x", "error parsing template {{.x, template: output:1"),
            ("template=", "template format specified but no template given"),
            ("jsonpath-file=/no/such", "error reading --template /no/such"),
        ] {
            assert!(parse(text).unwrap_err().contains(said), "{text}");
        }
    }
}
