//! A pod's life in lines: what happened, how long the stages took, what comes next.

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::describe::record::API_VERSION;
use super::moment;
use super::sheet::table;
use super::text::{Line, Tone};
use crate::pod::event::Event;
use crate::pod::next::{self, Next};
use crate::pod::stages::{self, Stage};
use crate::pod::timeline::{self, Entry, Mood, Source};
use crate::pod::{Facts, age};

/// The whole story, as far as it goes.
pub fn lines(facts: &Facts, events: &[Event]) -> Vec<Line> {
    let mut lines = vec![headline(facts)];
    if facts.is_manifest() {
        lines.push(Line::from("  this is a manifest: nothing has happened yet"));
        return lines;
    }
    let start = facts.created();
    let rows = timeline::of(facts, events)
        .iter()
        .map(|entry| vec![when(entry.at), after(entry.at, start), what(entry)])
        .collect();
    lines.extend(table(2, &["TIME", "AFTER", "WHAT HAPPENED"], rows));
    lines.extend(stage_lines(facts, events));
    lines.extend(next_lines(facts));
    lines
}

/// The end of a live view: how long the stages took, and what comes next, if anything does.
pub fn summary(facts: &Facts, events: &[Event], goes_on: bool) -> Vec<Line> {
    let mut lines = stage_lines(facts, events);
    if goes_on {
        lines.extend(next_lines(facts));
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

/// One entry for a live view: its time, the time since the pod was created, and what happened.
pub fn live_line(entry: &Entry, seen: Timestamp, start: Option<Timestamp>) -> Line {
    let elapsed = start
        .map(|start| seen.duration_since(start).as_secs_f64().max(0.0))
        .unwrap_or_default();
    Line::new()
        .tone(
            Tone::Faint,
            format!("{}  {:>9}  ", moment::clock(seen), format!("+{elapsed:.3}s")),
        )
        .join(what(entry))
}

fn what(entry: &Entry) -> Line {
    let tone = match entry.mood {
        Mood::Good => Tone::Good,
        Mood::Neutral => Tone::Plain,
        Mood::Bad => Tone::Bad,
    };
    let line = Line::new().tone(tone, entry.what.as_str());
    match entry.source {
        Source::Recorded => line,
        Source::Inferred => line.tone(Tone::Faint, "  (inferred)"),
        Source::Expired => line.tone(Tone::Faint, "  (expired)"),
    }
}

fn when(at: Option<Timestamp>) -> Line {
    match at {
        Some(at) => Line::new().tone(Tone::Faint, moment::clock(at)),
        None => Line::new().tone(Tone::Faint, "?"),
    }
}

fn after(at: Option<Timestamp>, start: Option<Timestamp>) -> Line {
    let words = at
        .zip(start)
        .map(|(at, start)| format!("+{}", age::between(start, at.max(start))));
    Line::new().tone(Tone::Faint, words.unwrap_or_default())
}

fn stage_lines(facts: &Facts, events: &[Event]) -> Vec<Line> {
    let stages = stages::of(facts, events);
    if stages.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::new(), Line::new().tone(Tone::Heading, "Stages:")];
    let rows = stages.iter().map(|stage| stage_row(facts, stage)).collect();
    lines.extend(table(2, &["STAGE", "TOOK"], rows));
    lines
}

fn stage_row(facts: &Facts, stage: &Stage) -> Vec<Line> {
    let mut took = Line::from(stage.words(facts.now));
    if stage.to.is_none() {
        took = took.tone(Tone::Warning, " so far");
    }
    vec![Line::from(stage.name.as_str()), took]
}

/// What comes next.
pub fn next_lines(facts: &Facts) -> Vec<Line> {
    let mut lines = vec![Line::new(), Line::new().tone(Tone::Heading, "Next:")];
    lines.extend(next::of(facts).iter().map(|next| next_line(next, facts.now).indent(2)));
    lines
}

fn next_line(next: &Next, now: Timestamp) -> Line {
    let time = match next.at {
        Some(at) if at > now => format!("in {} ({}): ", age::between(now, at), moment::clock(at)),
        Some(at) => format!("due since {} ({}): ", age::between(at, now), moment::clock(at)),
        None => String::new(),
    };
    Line::new().tone(Tone::Warning, time).plain(next.what.as_str())
}

/// The story for programs, in the schema's version `kubectl-pod/v1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleRecord {
    api_version: &'static str,
    kind: &'static str,
    name: String,
    namespace: String,
    as_of: Timestamp,
    status: String,
    phase: String,
    timeline: Vec<Entry>,
    stages: Vec<StageRecord>,
    next: Vec<Next>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StageRecord {
    #[serde(flatten)]
    stage: Stage,
    /// Absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<i64>,
}

impl LifecycleRecord {
    /// Writes the story down.
    pub fn of(facts: &Facts, events: &[Event]) -> Self {
        Self {
            api_version: API_VERSION,
            kind: "PodLifecycle",
            name: facts.name.clone(),
            namespace: facts.namespace.clone(),
            as_of: facts.now,
            status: facts.computed.status.clone(),
            phase: facts.phase.clone(),
            timeline: timeline::of(facts, events),
            stages: stages::of(facts, events)
                .into_iter()
                .map(|stage| StageRecord {
                    milliseconds: stage
                        .to
                        .and_then(|to| i64::try_from(to.duration_since(stage.from).as_millis()).ok()),
                    stage,
                })
                .collect(),
            next: next::of(facts),
        }
    }
}
