//! What is known, in lines.

use super::sheet::{Sheet, table};
use super::text::{Line, Tone};
use super::wrap::hang;
use crate::findings::message::say;
use crate::knowledge::behaviour::{self, Behaviour, Fact};
use crate::knowledge::detail::Detail;
use crate::knowledge::field::{Field, Member};
use crate::knowledge::language::Language;
use crate::knowledge::{Catalogue, Entry};

/// One entry, with what usually causes it and where to look, in the columns of a terminal.
pub fn entry(entry: &Entry, detail: Option<&Detail>, language: Language, columns: Option<usize>) -> Vec<Line> {
    let mut lines = vec![
        Line::new()
            .tone(Tone::Heading, entry.title.as_str())
            .tone(Tone::Faint, format!("  ({})", group_name(&entry.group, language))),
    ];
    lines.push(Line::new());
    lines.extend(wrapped(&entry.text, 2, columns));
    let mut part = |key, text: &str| {
        if !text.is_empty() {
            lines.push(Line::new());
            lines.push(Line::from("  ").tone(Tone::Heading, say(key).in_language(language)));
            lines.extend(wrapped(text, 4, columns));
        }
    };
    if let Some(detail) = detail {
        part("view.causes", &detail.causes);
        part("view.look", &detail.look);
    }
    part("view.fix", &entry.fix);
    if let Some(detail) = detail {
        part("view.fix", &detail.fix);
    }
    if !entry.also.is_empty() {
        lines.push(Line::new());
        lines.push(Line::new().tone(Tone::Faint, format!("  = {}", entry.also.join(", "))));
    }
    lines
}

/// Everything there is, by its kind.
pub fn index(catalogue: &Catalogue, language: Language) -> Vec<Line> {
    let mut lines = vec![Line::from(
        "kubectl pod explain TOPIC | FIELD.PATH | TYPE/NAME | -l LABELS | -A | -f FILE",
    )];
    let mut groups: Vec<&str> = Vec::new();
    for (_, entry) in catalogue.entries() {
        if !groups.contains(&entry.group.as_str()) {
            groups.push(&entry.group);
        }
    }
    for group in groups {
        lines.push(Line::new());
        lines.push(Line::new().tone(Tone::Heading, format!("{}:", group_name(group, language))));
        let rows = catalogue
            .entries()
            .filter(|(_, entry)| entry.group == group)
            .map(|(name, entry)| vec![Line::from(names(name, entry)), Line::from(first_sentence(&entry.text))])
            .collect();
        // The heading says what the columns are.
        lines.extend(table(2, &["", ""], rows).into_iter().skip(1));
    }
    lines
}

/// The name of an entry, and the one that it has in another script.
fn names(name: &str, entry: &Entry) -> String {
    match entry.also.iter().find(|also| !also.is_ascii()) {
        Some(also) => format!("{name}, {also}"),
        None => name.to_owned(),
    }
}

/// A kind of entries, as the reader calls it.
fn group_name(group: &str, language: Language) -> String {
    let name = match group {
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

fn first_sentence(text: &str) -> String {
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    text[..end].to_owned()
}
