//! `-o` of lifecycle: the forms that a story can have.

use crate::cli::output::{self, Template};

/// The forms of the story.
#[derive(Clone, Debug, Default)]
pub enum Form {
    /// For people; several pods in one table.
    #[default]
    Text,
    /// For people; several pods with all their stories.
    Wide,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
    /// `pod/NAME`, one a line.
    Name,
    /// The chart as a picture.
    Svg,
    /// One web page, to attach to an incident.
    Html,
    /// What a template takes out of the story for programs.
    Template(Template),
}

impl Form {
    /// Reads the value of `-o`.
    ///
    /// # Errors
    /// What is wrong with it, in kubectl's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" | "" => Ok(Self::Text),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "name" => Ok(Self::Name),
            "svg" => Ok(Self::Svg),
            "html" => Ok(Self::Html),
            other => match Template::parse(other) {
                Some(template) => template.map(Self::Template),
                None => Err(output::no_form(
                    other,
                    &["text", "wide", "json", "yaml", "name", "svg", "html"],
                )),
            },
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Wide => "wide",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Name => "name",
            Self::Svg => "svg",
            Self::Html => "html",
            Self::Template(Template::Go(_)) => "go-template",
            Self::Template(Template::JsonPath(_)) => "jsonpath",
            Self::Template(Template::JsonPathAsJson(_)) => "jsonpath-as-json",
            Self::Template(_) => "custom-columns",
        }
    }

    /// Whether the story is told at its end alone.
    pub fn is_document(&self) -> bool {
        !matches!(self, Self::Text | Self::Wide)
    }
}
