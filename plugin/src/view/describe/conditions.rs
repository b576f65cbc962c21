//! Conditions with their reasons, and gates.

use crate::pod::condition::{Condition, Verdict};
use crate::pod::{Facts, age};
use crate::view::describe::container::title;
use crate::view::sheet::table;
use crate::view::text::{Line, Tone};

/// The tables of gates and conditions.
pub fn lines(facts: &Facts) -> Vec<Line> {
    let mut lines = Vec::new();
    if !facts.conditions.is_empty() {
        lines.push(title("Conditions:"));
        let rows = facts.conditions.iter().map(|condition| row(facts, condition)).collect();
        lines.extend(table(2, &["Type", "Status", "Since", "Reason"], rows));
    }
    let spec = facts.spec();
    let gates: Vec<&str> = spec
        .iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten())
        .map(|gate| gate.condition_type.as_str())
        .collect();
    if !gates.is_empty() {
        lines.push(title("Readiness Gates:"));
        let rows = gates.iter().map(|gate| gate_row(facts, gate)).collect();
        lines.extend(table(2, &["Type", "Status"], rows));
    }
    let scheduling_gates: Vec<&str> = spec
        .iter()
        .flat_map(|spec| spec.scheduling_gates.iter().flatten())
        .map(|gate| gate.name.as_str())
        .collect();
    if !scheduling_gates.is_empty() {
        lines.push(title("Scheduling Gates:"));
        for gate in scheduling_gates {
            let line = Line::from(gate).tone(Tone::Faint, "  (no scheduler looks at the pod until it is removed)");
            lines.push(line.indent(2));
        }
    }
    lines
}

fn row(facts: &Facts, condition: &Condition) -> Vec<Line> {
    let tone = match condition.verdict() {
        Verdict::Good => Tone::Good,
        Verdict::Bad => Tone::Warning,
        Verdict::Open => Tone::Plain,
    };
    let since = condition
        .since
        .map(|time| format!("{} ago", age::between(time, facts.now)));
    let why = match (&condition.reason, &condition.message) {
        (Some(reason), Some(message)) => Line::from(reason.as_str()).plain(": ").plain(message.trim()),
        (Some(reason), None) => Line::from(reason.as_str()),
        (None, Some(message)) => Line::from(message.trim()),
        (None, None) => Line::new(),
    };
    vec![
        Line::from(condition.kind.as_str()),
        Line::new().tone(tone, condition.status.as_str()),
        Line::new().tone(Tone::Faint, since.unwrap_or_default()),
        why,
    ]
}

fn gate_row(facts: &Facts, gate: &str) -> Vec<Line> {
    let status = match facts.condition(gate) {
        None => Line::new()
            .tone(Tone::Warning, "<none>")
            .plain("  nobody has set this condition yet"),
        Some(condition) if condition.is_true() => Line::new().tone(Tone::Good, "True"),
        Some(condition) => Line::new().tone(Tone::Warning, condition.status.as_str()),
    };
    vec![Line::from(gate), status]
}
