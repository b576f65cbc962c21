//! Fields of a Pod as lines of a terminal.

use super::sheet::Sheet;
use super::text::{Line, Tone};
use super::wrap::hang;
use crate::findings::message::say;
use crate::knowledge::behaviour::{self, Behaviour, Fact};
use crate::knowledge::field::{Field, Member};
use crate::knowledge::language::Language;

/// One field of a Pod, in the columns of a terminal.
pub fn field(field: &Field, language: Language, columns: Option<usize>) -> Vec<Line> {
    let path = if field.path.is_empty() {
        "Pod"
    } else {
        field.path.as_str()
    };
    let required = if field.is_required { "  required" } else { "" };
    let mut lines = vec![
        Line::new()
            .tone(Tone::Heading, path)
            .plain(format!("  <{}>", field.kind))
            .tone(Tone::Warning, required),
        Line::new(),
    ];
    if let Some(behaviour) = behaviour::of(&field.path) {
        lines.extend(behaviour_lines(behaviour, language, columns));
        lines.push(Line::new());
    }
    for paragraph in field.description.lines().filter(|line| !line.trim().is_empty()) {
        lines.extend(wrapped(paragraph, 2, columns));
    }
    if !field.members.is_empty() {
        lines.push(Line::new());
        lines.push(Line::new().tone(Tone::Heading, "Fields:"));
        members(&field.members, 2, columns, &mut lines);
    }
    lines
}

/// What the schema does not say.
fn behaviour_lines(behaviour: &Behaviour, language: Language, columns: Option<usize>) -> Vec<Line> {
    let mut lines = wrapped(behaviour.told(language), 2, columns);
    let mut sheet = Sheet::new();
    let told = |fact: &Option<Fact>| fact.as_ref().map(|fact| fact.told(language).to_owned());
    for (key, value) in [
        ("view.default", told(&behaviour.default)),
        ("view.values", told(&behaviour.values)),
        ("view.since", told(&behaviour.since)),
        ("view.example", behaviour.example.clone()),
    ] {
        sheet.maybe(2, &say(key).in_language(language), value);
    }
    if !sheet.is_empty() {
        lines.push(Line::new());
        lines.extend(sheet.lines(0));
    }
    lines
}

fn members(all: &[Member], indent: usize, columns: Option<usize>, lines: &mut Vec<Line>) {
    let width = all
        .iter()
        .map(|member| member.name.len() + member.kind.len() + 3)
        .max()
        .unwrap_or(0);
    let is_deep = all.iter().any(|member| !member.members.is_empty());
    for member in all {
        let mut line = Line::from(" ".repeat(indent))
            .plain(member.name.as_str())
            .tone(Tone::Faint, format!(" <{}>", member.kind))
            .pad_to(indent + width + 2);
        if member.is_required {
            line = line.tone(Tone::Warning, "required ");
        }
        let summary = if is_deep { "" } else { member.summary.as_str() };
        lines.extend(hang(line, &Line::new().tone(Tone::Faint, summary), columns));
        members(&member.members, indent + 2, columns, lines);
    }
}

/// Text in lines of a readable width.
fn wrapped(text: &str, indent: usize, columns: Option<usize>) -> Vec<Line> {
    const WIDTH: usize = 100;
    let width = columns.map_or(WIDTH, |columns| columns.min(WIDTH));
    let mut lines = vec![Line::from(" ".repeat(indent))];
    for word in text.split_whitespace() {
        let last = lines.pop().unwrap_or_default();
        let is_empty = last.width() <= indent;
        if !is_empty && last.width() + 1 + Line::from(word).width() > width {
            lines.push(last);
            lines.push(Line::from(" ".repeat(indent)).plain(word));
        } else {
            lines.push(last.plain(if is_empty { "" } else { " " }).plain(word));
        }
    }
    lines
}
