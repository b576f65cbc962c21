//! What is wrong with a file, and where.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::source::Source;

/// A place in a text, both numbers from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One thing that is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub struct Problem {
    /// What, in one sentence without a full stop.
    pub message: String,
    /// The path of the field, such as `spec.containers[0].image`; empty where it is not about one.
    pub field: String,
    /// Where.
    pub place: Option<Place>,
    /// How to mend it.
    pub help: Option<String>,
    /// What it was found in.
    source_text: Option<Source>,
}

impl Problem {
    /// A problem with a source.
    pub fn new(source: &Source, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            field: String::new(),
            place: None,
            help: None,
            source_text: Some(source.clone()),
        }
    }

    /// A problem before any text was read.
    pub fn elsewhere(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            field: String::new(),
            place: None,
            help: None,
            source_text: None,
        }
    }

    /// Adds its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = (place.line > 0).then_some(place);
        self
    }

    /// Adds its field.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.field = path.into();
        self
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The name of the source, where there is one.
    pub fn source_name(&self) -> Option<&str> {
        self.source_text.as_ref().map(|source| source.name.as_str())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(source) = &self.source_text else {
            return formatter.write_str(&self.message);
        };
        let Some(place) = self.place else {
            write!(formatter, "{}: {}", source.name, self.message)?;
            return match &self.help {
                Some(help) => write!(formatter, "\n  = help: {help}"),
                None => Ok(()),
            };
        };
        let span = span(&source.text, place);
        let label = if self.field.is_empty() {
            None
        } else {
            Some(self.field.as_str())
        };
        let annotation = match label {
            Some(label) => AnnotationKind::Primary.span(span).label(label),
            None => AnnotationKind::Primary.span(span),
        };
        let snippet = Snippet::source(source.text.as_str())
            .path(source.name.as_str())
            .annotation(annotation);
        let mut group = Level::ERROR.primary_title(self.message.as_str()).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let rendered = Renderer::plain().render(&[group]);
        formatter.write_str(rendered.trim_start_matches("error: "))
    }
}

/// The bytes from a place to the end of the word there.
fn span(text: &str, place: Place) -> std::ops::Range<usize> {
    let line_start: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
    let line = text[line_start..].lines().next().unwrap_or_default();
    let start = line_start
        + line
            .chars()
            .take(place.column.saturating_sub(1))
            .map(char::len_utf8)
            .sum::<usize>();
    let rest = &text[start.min(line_start + line.len())..line_start + line.len()];
    let word = rest.find([':', ' ', ',', '}', ']', '#']).unwrap_or(rest.len());
    let start = start.min(text.len());
    start..(start + word.max(usize::from(!rest.is_empty()))).min(text.len())
}
