//! Events by their true times, the newest last.

use crate::findings::reading::Reading;
use crate::pod::event::Event;
use crate::pod::{Facts, age};
use crate::view::describe::container::title;
use crate::view::sheet::table;
use crate::view::text::{Line, Tone};

/// The section about events.
pub fn lines(reading: &Reading, limit: Option<usize>) -> Vec<Line> {
    let (facts, events) = (&reading.facts, &reading.events);
    if let Some(error) = &reading.events_error {
        return vec![
            title("Events:")
                .plain(" ")
                .tone(Tone::Warning, format!("could not be fetched: {error}")),
        ];
    }
    if facts.is_manifest() {
        return Vec::new();
    }
    if events.is_empty() {
        return vec![
            title("Events:")
                .plain("  <none>")
                .tone(Tone::Faint, "  (they are kept for an hour)"),
        ];
    }
    let hidden = limit.map_or(0, |limit| events.len().saturating_sub(limit));
    let mut heading = title("Events:");
    if hidden > 0 {
        let plural = if hidden == 1 { "" } else { "s" };
        heading = heading.tone(Tone::Faint, format!("  ({hidden} older one{plural} not shown)"));
    }
    let rows = events.iter().skip(hidden).map(|event| row(facts, event)).collect();
    let mut lines = vec![heading];
    lines.extend(table(2, &["Type", "Reason", "Age", "From", "Message"], rows));
    lines
}

fn row(facts: &Facts, event: &Event) -> Vec<Line> {
    let tone = if event.is_warning() { Tone::Warning } else { Tone::Plain };
    let message = event.message.replace('\n', " ");
    let message = match event.field_path.as_str() {
        "" => message,
        path => format!("{path}: {message}"),
    };
    vec![
        Line::new().tone(tone, event.kind.as_str()),
        Line::from(event.reason.as_str()),
        Line::from(ages(facts, event)),
        Line::from(event.source.as_str()),
        Line::from(message),
    ]
}

/// `3s (x3 over 17s)`.
fn ages(facts: &Facts, event: &Event) -> String {
    let since = |time: Option<k8s_openapi::jiff::Timestamp>| {
        time.map_or_else(
            || "<unknown>".to_owned(),
            |time| age::between(time.min(facts.now), facts.now),
        )
    };
    if event.count > 1 {
        format!("{} (x{} over {})", since(event.last), event.count, since(event.first))
    } else {
        since(event.last.or(event.first))
    }
}
