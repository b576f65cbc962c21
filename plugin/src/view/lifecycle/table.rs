//! The timeline as a table: when, how it is known, what happened.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::tone;
use crate::pod::age;
use crate::pod::history::History;
use crate::pod::timeline::{Entry, Source};
use crate::view::moment;
use crate::view::sheet;
use crate::view::text::{Line, Tone};
use crate::view::wrap::wrap;

/// Narrower than this, the time of day is left out, and how an entry is known is told in three letters.
pub(super) const SPACIOUS: usize = 72;

/// The table; a terminal's lines are broken between words.
pub fn lines(history: &History, columns: Option<usize>, is_full: bool) -> Vec<Line> {
    let start = history.start();
    let is_spacious = columns.is_none_or(|columns| columns >= SPACIOUS);
    let shows_time = is_spacious && !history.is_simulated;
    let mut header = vec!["AFTER", "KNOWN", "WHAT HAPPENED"];
    if shows_time {
        header.insert(0, "TIME");
    }
    let prefix = |entry: &Entry| {
        let after = Line::new().tone(Tone::Faint, after(entry, start, history.is_whole));
        let mut cells = vec![after, known(entry.source, is_spacious)];
        if shows_time {
            cells.insert(0, when(entry.moment()));
        }
        cells
    };
    let total = history.entries.len();
    let hidden = if is_full || total <= FIRST + LAST {
        0
    } else {
        total - FIRST - LAST
    };
    let shown = |number: usize| hidden == 0 || number < FIRST || number >= FIRST + hidden;
    let entries: Vec<&Entry> = history
        .entries
        .iter()
        .enumerate()
        .filter(|(number, _)| shown(*number))
        .map(|(_, entry)| entry)
        .collect();
    let rows: Vec<Vec<Line>> = entries.iter().map(|entry| prefix(entry)).collect();
    let gaps = 3 * (header.len() - 1) + INDENT;
    let used: usize = (0..header.len() - 1)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].width())
                .max()
                .unwrap_or(0)
                .max(header[column].len())
        })
        .sum();
    let room = columns.map(|columns| columns.saturating_sub(used + gaps).max(12));
    let mut table = Vec::new();
    for (index, (entry, cells)) in entries.iter().zip(rows).enumerate() {
        let blank = vec![Line::new(); cells.len()];
        if hidden > 0 && index == FIRST {
            let mut row = blank.clone();
            row.push(Line::new().tone(Tone::Faint, format!("… {hidden} more; -o wide tells all")));
            table.push(row);
        }
        let words = match room {
            Some(room) => wrap(&entry.what, room),
            None => vec![entry.what.clone()],
        };
        for (number, words) in words.into_iter().enumerate() {
            let mut row = if number == 0 { cells.clone() } else { blank.clone() };
            row.push(Line::new().tone(tone(entry.mood), words));
            table.push(row);
        }
    }
    sheet::table(INDENT, &header, table)
}

const INDENT: usize = 2;
/// Of what is long, so much of its begin and its end is told.
const FIRST: usize = 30;
const LAST: usize = 12;

fn when(at: Option<Timestamp>) -> Line {
    let words = at.map_or("?".to_owned(), moment::clock);
    Line::new().tone(Tone::Faint, words)
}

/// The time since the story began; nothing where nobody knows.
pub(super) fn after(entry: &Entry, start: Option<Timestamp>, is_whole: bool) -> String {
    let words = entry.moment().zip(start).map(|(at, start)| {
        let at = at.max(start);
        if is_whole {
            format!("+{}", age::elapsed(at.duration_since(start)))
        } else {
            // Times in whole seconds stand beside finer ones: what followed must not seem earlier.
            let seconds = SignedDuration::from_secs(at.as_second() - start.as_second());
            format!("+{}", age::elapsed(seconds))
        }
    });
    words.unwrap_or_default()
}

/// How an entry is known, in a word or its first letters.
pub(super) fn known(source: Source, is_spacious: bool) -> Line {
    let word = source.word();
    let tone = match source {
        Source::Recorded | Source::Simulated => Tone::Faint,
        Source::Inferred | Source::Expired => Tone::Warning,
    };
    Line::new().tone(tone, if is_spacious { word } else { &word[..3] })
}
