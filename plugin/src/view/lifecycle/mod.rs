//! A pod's life in lines: what happened, a chart of it, and what comes next.

pub mod chart;
pub mod html;
pub mod live;
pub mod record;
pub mod several;
pub mod svg;
pub mod table;

use k8s_openapi::jiff::Timestamp;

use super::moment;
use super::text::{Line, Tone};
use crate::findings::message::say;
use crate::knowledge::language::Language;
use crate::pod::event::Event;
use crate::pod::history::History;
use crate::pod::next::{self, Next};
use crate::pod::timeline::{Entry, Mood};
use crate::pod::{self, Facts, age};

/// The width of a chart where nobody says how wide it may be.
pub const PIPE_COLUMNS: usize = 100;

/// The whole story, as far as it goes; `columns` are those of a terminal, if there is one.
///
/// Where much has happened, only `is_full` tells all of it.
pub fn lines(history: &History, columns: Option<usize>, is_full: bool) -> Vec<Line> {
    let facts = &history.facts;
    let mut lines = vec![headline_of(history)];
    if facts.is_manifest() {
        lines.push(Line::from("  this is a manifest: nothing has happened yet"));
        lines.push(Line::from(
            "  --simulate tells the life that it would have, --emulate lets it live",
        ));
        return lines;
    }
    lines.extend(table::lines(history, columns, is_full));
    lines.extend(summary(
        history,
        columns,
        history.gone.is_none() && !history.is_simulated,
    ));
    lines
}

/// The end of a live view: the chart, and what comes next, if anything does.
pub fn summary(history: &History, columns: Option<usize>, goes_on: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(chart) = pod::chart::of(history) {
        lines.push(Line::new());
        lines.extend(chart::lines(&chart, columns.unwrap_or(PIPE_COLUMNS)));
    }
    if goes_on {
        lines.push(Line::new());
        lines.push(Line::new().tone(Tone::Heading, say("next.heading").to_string()));
        let next = next::with_events(&history.facts, &history.events);
        let english = Language::English;
        lines.extend(
            next.iter()
                .flat_map(|next| next_line(next, history.now(), columns, english)),
        );
    }
    lines
}

/// Which pod, and how it is.
pub fn headline(facts: &Facts) -> Line {
    let computed = &facts.computed;
    let mut line = Line::new().tone(Tone::Heading, format!("{}/{}", facts.namespace, facts.name));
    if facts.is_manifest() {
        return line;
    }
    line = line.plain(format!("  {}", computed.status));
    line = line.tone(Tone::Faint, format!("  {}/{} ready", computed.ready, computed.total));
    match facts.created() {
        // In a file where nothing is newer, nobody knows how old the pod was.
        Some(created) if facts.is_saved && created >= facts.now => {
            line.tone(Tone::Faint, format!(", created {}", moment::date(created)))
        }
        Some(created) if facts.is_saved => {
            let ago = age::between(created, facts.now);
            line.tone(
                Tone::Faint,
                format!(", created {} ({ago} before this snapshot)", moment::date(created)),
            )
        }
        Some(created) => {
            let ago = age::between(created, facts.now);
            line.tone(
                Tone::Faint,
                format!(", created {} ({ago} before)", moment::date(created)),
            )
        }
        None => line,
    }
}

/// Which pod, and what has become of it.
pub fn headline_of(history: &History) -> Line {
    let facts = &history.facts;
    let name = || Line::new().tone(Tone::Heading, format!("{}/{}", facts.namespace, facts.name));
    let lasted = |to: Timestamp| history.start().map(|start| age::elapsed(to.duration_since(start)));
    match history.gone {
        Some(gone) if history.is_simulated => name().plain("  simulated").tone(
            Tone::Faint,
            format!(", deleted after {}", lasted(gone).unwrap_or_default()),
        ),
        Some(gone) => name().plain("  deleted").tone(
            Tone::Faint,
            format!(" {}, after {}", moment::date(gone), lasted(gone).unwrap_or_default()),
        ),
        None if history.is_simulated => name()
            .plain(format!("  {}", facts.computed.status))
            .tone(
                Tone::Faint,
                format!("  {}/{} ready", facts.computed.ready, facts.computed.total),
            )
            .tone(
                Tone::Faint,
                format!(", simulated for {}", lasted(history.now()).unwrap_or_default()),
            ),
        None => headline(facts),
    }
}

/// What a simulation took for granted, and what it answers.
pub fn answer_lines(assumed: &[String], answers: &[String], columns: Option<usize>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (title, sentences, tone) in [("Assumed:", assumed, Tone::Faint), ("Answers:", answers, Tone::Plain)] {
        lines.push(Line::new());
        lines.push(Line::new().tone(Tone::Heading, title));
        for sentence in sentences {
            let wrapped = match columns {
                Some(columns) => super::wrap::wrap(sentence, columns.saturating_sub(4)),
                None => vec![sentence.clone()],
            };
            lines.extend(wrapped.into_iter().enumerate().map(|(number, words)| {
                let indent = if number == 0 { "  " } else { "    " };
                Line::from(indent).tone(tone, words)
            }));
        }
    }
    lines
}

/// One entry for a live view: its time, the time since the pod was created, how it is known, and what happened; `pod` names
/// the pod, where there are several. On a terminal, it is broken between words.
pub fn live_lines(entry: &Entry, start: Option<Timestamp>, pod: Option<String>, columns: Option<usize>) -> Vec<Line> {
    let moment = entry.moment();
    let elapsed = moment.zip(start).map(|(at, start)| {
        let elapsed = at.duration_since(start).as_secs_f64().max(0.0);
        // What is recorded in whole seconds is not known better than that.
        match at.subsec_nanosecond() {
            0 => format!("+{elapsed:.0}s    "),
            _ => format!("+{elapsed:.3}s"),
        }
    });
    let time = moment.map_or("?".to_owned(), moment::clock);
    let is_spacious = columns.is_none_or(|columns| columns >= table::SPACIOUS);
    let prefix = pod
        .map(|pod| Line::new().tone(Tone::Heading, format!("{pod}  ")))
        .unwrap_or_default()
        .tone(Tone::Faint, format!("{time:<12}  {:>9}  ", elapsed.unwrap_or_default()));
    let known = prefix.width() + if is_spacious { 10 } else { 5 };
    let prefix = prefix.join(table::known(entry.source, is_spacious)).pad_to(known);
    let room = columns.map(|columns| columns.saturating_sub(prefix.width()));
    let Some(room) = room.filter(|room| *room >= super::wrap::LEAST_ROOM) else {
        return vec![prefix.tone(tone(entry.mood), entry.what.as_str())];
    };
    let indent = Line::from(" ".repeat(prefix.width()));
    super::wrap::wrap(&entry.what, room)
        .into_iter()
        .enumerate()
        .map(|(number, words)| {
            let left = if number == 0 { prefix.clone() } else { indent.clone() };
            left.tone(tone(entry.mood), words)
        })
        .collect()
}

fn tone(mood: Mood) -> Tone {
    match mood {
        Mood::Good => Tone::Good,
        Mood::Neutral => Tone::Plain,
        Mood::Bad => Tone::Bad,
    }
}

/// What comes next.
pub fn next_lines(facts: &Facts, events: &[Event], language: Language, columns: Option<usize>) -> Vec<Line> {
    let heading = Line::new().tone(Tone::Heading, say("next.heading").in_language(language));
    let next = next::of(facts, events);
    let told = next
        .iter()
        .flat_map(|next| next_line(next, facts.now, columns, language));
    let mut lines = vec![Line::new(), heading];
    lines.extend(told);
    lines
}

fn next_line(next: &Next, now: Timestamp, columns: Option<usize>, language: Language) -> Vec<Line> {
    let time = match next.at {
        Some(at) => {
            let (words, length) = match at > now {
                true => (say("next.in"), age::between(now, at)),
                false => (say("next.overdue"), age::between(at, now)),
            };
            words
                .with("time", length)
                .with("clock", moment::clock(at))
                .in_language(language)
        }
        None => String::new(),
    };
    let text = format!("{time}{}", next.what.in_language(language));
    let wrapped = match columns {
        Some(columns) => super::wrap::wrap(&text, columns.saturating_sub(4)),
        None => vec![text],
    };
    wrapped
        .into_iter()
        .enumerate()
        .map(|(number, text)| match number {
            0 if text.starts_with(&time) => Line::from("  ")
                .tone(Tone::Warning, time.clone())
                .plain(&text[time.len()..]),
            0 => Line::from("  ").plain(text),
            _ => Line::from("    ").plain(text),
        })
        .collect()
}
