//! Pages of the handbook as lines of a terminal.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::sheet::table;
use super::text::{Line, Tone};
use super::wrap::hang;
use crate::findings::message::say;
use crate::knowledge::handbook::{Hit, PAGES, Page};
use crate::knowledge::language::Language;

/// Lines of prose are at most this wide, on terminals of any width.
const PROSE_WIDTH: usize = 92;

/// One page; `body` is its Markdown, with what it leaves open filled in.
pub fn page(page: &Page, title: &str, body: &str, language: Language, columns: Option<usize>) -> Vec<Line> {
    let mut about = kind_name(page.kind, language);
    if !page.since.is_empty() {
        about = format!(
            "{about} · {} {}",
            say("view.since-release").in_language(language),
            page.since
        );
    }
    let mut lines = vec![
        Line::new()
            .tone(Tone::Heading, title)
            .tone(Tone::Faint, format!("  ({about})")),
        Line::new(),
    ];
    let width = columns.map_or(PROSE_WIDTH, |columns| columns.min(PROSE_WIDTH));
    lines.extend(markdown(body, width));
    let mut close = |key, text: String| {
        lines.push(Line::new());
        let label = Line::new()
            .tone(Tone::Heading, say(key).in_language(language))
            .plain(" ");
        lines.extend(hang(label, &Line::from(text), Some(width)));
    };
    if !page.aliases().is_empty() {
        close("view.also", page.aliases().join(", "));
    }
    if !page.see.is_empty() {
        close("view.see", page.see.join(", "));
    }
    if !page.source.is_empty() {
        close("view.source", page.source.to_owned());
    }
    lines
}

/// All pages, by what they are about.
pub fn index(language: Language) -> Vec<Line> {
    let mut lines = vec![
        Line::from("kubectl pod explain TOPIC | FIELD.PATH | TYPE/NAME | -l LABELS | -A | -f FILE"),
        Line::from("kubectl pod explain --search WORDS"),
    ];
    let mut kinds: Vec<&str> = Vec::new();
    for page in PAGES {
        if !kinds.contains(&page.kind) {
            kinds.push(page.kind);
        }
    }
    for kind in kinds {
        lines.push(Line::new());
        lines.push(Line::new().tone(Tone::Heading, format!("{}:", kind_name(kind, language))));
        let rows = PAGES.iter().filter(|page| page.kind == kind);
        let rows = rows.map(|page| {
            vec![
                Line::from(names(page)),
                Line::from(first_sentence(&page.text(language).summary())),
            ]
        });
        // The heading says what the columns are.
        lines.extend(table(2, &["", ""], rows.collect()).into_iter().skip(1));
    }
    lines
}

/// The pages that a search found, each with the line that shows it.
pub fn hits(found: &[Hit], columns: Option<usize>) -> Vec<Line> {
    let width = found.iter().map(|hit| hit.page.name().len()).max().unwrap_or(0);
    found
        .iter()
        .flat_map(|hit| {
            let label = Line::new().tone(Tone::Heading, hit.page.name()).pad_to(width + 2);
            hang(label, &Line::from(hit.line.replace('`', "")), columns)
        })
        .collect()
}

/// The name of a page, and the one that it has in another script.
fn names(page: &Page) -> String {
    match page.text(Language::Korean).names.first() {
        Some(korean) => format!("{}, {korean}", page.name()),
        None => page.name().to_owned(),
    }
}

/// What a page is about, as the reader calls it.
fn kind_name(kind: &str, language: Language) -> String {
    let name = match kind {
        "concept" => say("group.concept"),
        "phase" => say("group.phase"),
        "condition" => say("group.condition"),
        "reason" => say("group.reason"),
        "exit code" => say("group.exit-code"),
        "status" => say("group.status"),
        "scheduler message" => say("group.scheduler-message"),
        "event" => say("group.event"),
        other => return other.to_owned(),
    };
    name.in_language(language)
}

fn first_sentence(text: &str) -> String {
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    text[..end].replace('`', "")
}

/// Markdown in lines of a width; code blocks, which hold pictures and commands, keep theirs.
fn markdown(text: &str, width: usize) -> Vec<Line> {
    let mut writer = Writer {
        lines: Vec::new(),
        block: None,
        indent: 0,
        lists: Vec::new(),
        tone: Tone::Plain,
        is_tight: false,
        width,
    };
    Parser::new(text).for_each(|event| writer.event(event));
    writer.lines
}

/// Lines that are being written.
struct Writer {
    lines: Vec<Line>,
    /// The label and the text of the block that is open.
    block: Option<(Line, Line)>,
    indent: usize,
    /// The number of the next item of each open list; none where items have no numbers.
    lists: Vec<Option<u64>>,
    tone: Tone,
    /// Whether the next block follows its forerunner without an empty line.
    is_tight: bool,
    width: usize,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.tone == Tone::Faint => {
                for line in text.lines() {
                    self.lines.push(Line::from(" ".repeat(self.indent + 2)).plain(line));
                }
            }
            Event::Text(text) => self.add(self.tone, &text),
            Event::Code(text) => self.add(Tone::Heading, &text),
            Event::SoftBreak | Event::HardBreak => self.add(self.tone, " "),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { .. } => {
                self.flush();
                self.indent = 0;
                self.is_tight = false;
                self.open(Line::new());
                self.tone = Tone::Heading;
            }
            Tag::Paragraph if self.block.is_none() => self.open(Line::from(" ".repeat(self.indent))),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.flush();
                self.gap();
                self.tone = Tone::Faint;
            }
            Tag::List(first) => {
                self.flush();
                self.lists.push(*first);
            }
            Tag::Item => {
                let label = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.open(Line::from(format!("{}{label}", " ".repeat(self.indent))));
                self.is_tight = true;
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.flush();
                self.tone = Tone::Plain;
                self.indent = 2;
                self.is_tight = true;
            }
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::CodeBlock => {
                self.tone = Tone::Plain;
                self.is_tight = false;
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.is_tight = false;
            }
            _ => {}
        }
    }

    fn add(&mut self, tone: Tone, text: &str) {
        if let Some((_, line)) = &mut self.block {
            *line = std::mem::take(line).tone(tone, text);
        }
    }

    /// Begins a block, below an empty line unless it belongs to what is above it.
    fn open(&mut self, label: Line) {
        self.flush();
        self.gap();
        self.block = Some((label, Line::new()));
    }

    fn gap(&mut self) {
        if !self.lines.is_empty() && !self.is_tight {
            self.lines.push(Line::new());
        }
        self.is_tight = false;
    }

    fn flush(&mut self) {
        if let Some((label, line)) = self.block.take() {
            self.lines.extend(hang(label, &line, Some(self.width)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, width: usize) -> Vec<String> {
        markdown(text, width).iter().map(Line::words).collect()
    }

    #[test]
    fn markdown_is_wrapped_and_pictures_are_kept() {
        let text = "One two three four\nfive `code x`.\n\n```text\na ──▶ b\n```\n\n## What happens\n\n1. First thing that is long enough.\n2. Second.\n\nAfter.";
        assert_eq!(
            shown(text, 30),
            [
                "One two three four five code",
                "x.",
                "",
                "  a ──▶ b",
                "",
                "What happens",
                "  1. First thing that is long",
                "     enough.",
                "  2. Second.",
                "",
                "  After.",
            ]
        );
    }

    #[test]
    fn pictures_fit_into_76_columns() {
        for page in PAGES {
            for language in [Language::English, Language::Korean] {
                let mut is_picture = false;
                for line in page.text(language).body().lines() {
                    if line.starts_with("```") {
                        is_picture = !is_picture;
                    } else if is_picture && line.contains(['─', '│', '█']) {
                        assert!(Line::from(line).width() <= 76, "{} {language:?}: {line}", page.file);
                    }
                }
                assert!(!is_picture, "{} {language:?}: a code block is not closed", page.file);
            }
        }
    }
}
