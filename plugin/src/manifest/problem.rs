//! What is wrong with a file, and where.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

pub use super::node::Place;
use super::source::Source;

/// One thing that is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub struct Problem(Box<Details>);

#[derive(Debug)]
struct Details {
    /// What, in one sentence without a full stop.
    message: String,
    /// The path of the field, such as `spec.containers[0].image`; empty where it is not about one.
    field: String,
    /// Where.
    place: Option<Place>,
    /// How to mend it.
    help: Option<String>,
    /// What it was found in.
    source: Option<Source>,
    /// What else is wrong there.
    others: Vec<Problem>,
}

impl Problem {
    /// A problem with a source.
    pub fn new(source: &Source, message: impl Into<String>) -> Self {
        let mut problem = Self::elsewhere(message);
        problem.0.source = Some(source.clone());
        problem
    }

    /// A problem before any text was read.
    pub fn elsewhere(message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            message: message.into(),
            field: String::new(),
            place: None,
            help: None,
            source: None,
            others: Vec::new(),
        }))
    }

    /// Adds its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = (place.line > 0).then_some(place);
        self
    }

    /// Adds what else is wrong.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = Self>) -> Self {
        self.0.others.extend(others);
        self
    }

    /// Adds its field.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.0.field = path.into();
        self
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_alone(formatter)?;
        self.0
            .others
            .iter()
            .try_for_each(|other| write!(formatter, "\nerror: {other}"))
    }
}

impl Problem {
    fn fmt_alone(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            message,
            field,
            place,
            help,
            source,
            ..
        } = self.0.as_ref();
        let Some(source) = source else {
            return formatter.write_str(message);
        };
        let Some(place) = place else {
            write!(formatter, "{}: {message}", source.name)?;
            return match help {
                Some(help) => write!(formatter, "\n  = help: {help}"),
                None => Ok(()),
            };
        };
        // A line of a Secret may be its value.
        if is_in_secret(&source.text, *place) {
            write!(formatter, "{}:{}:{}: {message}", source.name, place.line, place.column)?;
            return match help {
                Some(help) => write!(formatter, "\n  = help: {help}"),
                None => Ok(()),
            };
        }
        let rendered = snippet(Level::ERROR, message, source, *place, field, help.as_deref());
        formatter.write_str(rendered.trim_start_matches("error: "))
    }
}

/// Whether a place is in a document that holds a Secret, judged by its text: it may not be readable as YAML.
fn is_in_secret(text: &str, place: Place) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let here = place.line.min(lines.len());
    let is_border = |line: &&str| line.starts_with("---");
    let begin = lines[..here].iter().rposition(is_border).unwrap_or(0);
    let rest = &lines[here..];
    let end = here + rest.iter().position(is_border).unwrap_or(rest.len());
    lines[begin..end].iter().any(|line| {
        let bare: String = line
            .chars()
            .filter(|character| !" \"'\t".contains(*character))
            .collect();
        bare.contains("kind:Secret")
    })
}

/// A remark about a place of a source, shown there.
pub fn snippet(
    level: Level<'_>,
    message: &str,
    source: &Source,
    place: Place,
    label: &str,
    help: Option<&str>,
) -> String {
    let span = span(&source.text, place);
    let annotation = match label {
        "" => AnnotationKind::Primary.span(span),
        label => AnnotationKind::Primary.span(span).label(label),
    };
    let snippet = Snippet::source(source.text.as_str())
        .path(source.name.as_str())
        .annotation(annotation);
    let mut group = level.primary_title(message).element(snippet);
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    Renderer::plain().render(&[group])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_secret_is_shown() {
        let source = Source {
            name: "all.yaml".into(),
            text: "kind: Pod\nx: [pod\n---\nkind: \"Secret\"\nstringData:\n  x: [hunter2\n---\nkind: Pod\n".into(),
        };
        let told = |line| Problem::new(&source, "torn").at(Place { line, column: 4 }).to_string();
        assert_eq!(told(6), "all.yaml:6:4: torn");
        assert!(told(2).contains("x: [pod"), "{}", told(2));
    }
}
