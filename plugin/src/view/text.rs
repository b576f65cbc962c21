//! Text before it is printed: lines of spans, each with a tone. Colour is decided by the printer, meaning is in the words.

use unicode_width::UnicodeWidthStr;

/// What a span of text conveys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// A heading, or the subject of a line.
    Heading,
    /// As it should be.
    Good,
    /// Deserves a look.
    Warning,
    /// Broken.
    Bad,
    /// Of little interest: units, punctuation, what was inferred.
    Faint,
}

/// A part of a line in one tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it conveys.
    pub tone: Tone,
    /// The words, not yet cleaned.
    pub text: String,
}

/// One line, built span by span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    spans: Vec<Span>,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text without a tone.
    #[must_use]
    pub fn plain(self, text: impl Into<String>) -> Self {
        self.tone(Tone::Plain, text)
    }

    /// Adds text in a tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.spans.push(Span {
            tone,
            text: text.into(),
        });
        self
    }

    /// Adds blanks until the line is `column` wide; adds none where it already is wider.
    #[must_use]
    pub fn pad_to(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width());
        self.plain(" ".repeat(missing))
    }

    /// Adds all spans of another line.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.spans.extend(other.spans);
        self
    }

    /// The line moved to the right.
    #[must_use]
    pub fn indent(self, columns: usize) -> Self {
        Self::from(" ".repeat(columns).as_str()).join(self)
    }

    /// Its width on a terminal.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| span.text.width()).sum()
    }

    /// Its parts.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Its words, without tones.
    pub fn words(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new().plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new().plain(text)
    }
}
