//! What a chart of a pod's life shows: a row for each stage, each container, and the probes that failed.

mod container;
mod probes;

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::history::History;
use super::stages;

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Its left edge.
    pub from: Timestamp,
    /// Its right edge: the present, or the end of the story.
    pub to: Timestamp,
    /// Its rows, from the top.
    pub rows: Vec<Row>,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is about.
    pub label: String,
    /// What it comes to, in a few words.
    pub note: String,
    /// Whether it is about a stage.
    pub is_stage: bool,
    /// What went on.
    pub spans: Vec<Span>,
    /// What happened.
    pub marks: Vec<Mark>,
}

/// Something that goes on for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// What it is.
    pub look: Look,
}

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Look {
    /// A stage.
    Stage,
    /// A container waits for its first start.
    Waiting,
    /// A container runs, and is not ready.
    Unready,
    /// A container runs.
    Running,
    /// A container waits to be started again.
    BackOff,
    /// Nobody kept what was.
    Unknown,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What.
    pub sign: Sign,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// A run ended with exit code 0.
    Well,
    /// It ended otherwise.
    Badly,
    /// A probe failed.
    Failure,
}

impl Chart {
    /// Every moment that something begins, ends or happens at.
    pub fn moments(&self) -> impl Iterator<Item = Timestamp> + '_ {
        let spans = self
            .rows
            .iter()
            .flat_map(|row| &row.spans)
            .flat_map(|span| [span.from, span.to]);
        let marks = self.rows.iter().flat_map(|row| &row.marks).map(|mark| mark.at);
        [self.from, self.to].into_iter().chain(spans).chain(marks)
    }
}

/// Draws up the chart; nothing where nothing has begun.
pub fn of(history: &History) -> Option<Chart> {
    let from = history.start()?;
    let newest = history.entries.iter().filter_map(|entry| entry.moment()).max();
    // What is over has its end for an edge; what goes on, the present.
    let end = history.gone.or(if history.facts.is_over() { newest } else { None });
    let to = end.unwrap_or(history.now()).max(newest.unwrap_or(from)).max(from);
    let mut rows: Vec<Row> = stages::of(history)
        .into_iter()
        // An init container has a row of its own, with all its runs.
        .filter(|stage| !stage.name.starts_with("init "))
        .map(|stage| Row {
            note: match stage.to {
                Some(_) => stage.words(history.now()),
                None => format!("{} so far", stage.words(history.now())),
            },
            is_stage: true,
            spans: vec![Span {
                from: stage.from.max(from),
                to: stage.to.unwrap_or(to).max(stage.from.max(from)),
                look: Look::Stage,
            }],
            marks: Vec::new(),
            label: stage.name,
        })
        .collect();
    for container in &history.facts.containers {
        rows.push(container::row(history, container, from, to));
        rows.extend(probes::failures(history, container));
    }
    Some(Chart { from, to, rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::saved;

    fn row(name: &str, label: &str) -> Row {
        let chart = of(&saved::history(name)).unwrap();
        let found = chart
            .rows
            .iter()
            .find(|row| row.label == label && !row.is_stage)
            .cloned();
        found.unwrap_or_else(|| panic!("{label}: {chart:?}"))
    }

    fn looks(row: &Row) -> Vec<Look> {
        row.spans.iter().map(|span| span.look).collect()
    }

    #[test]
    fn init_containers_run_one_after_the_other() {
        let first = row("seed-init", "init init-myservice");
        let second = row("seed-init", "init init-mydb");
        assert_eq!(looks(&first), [Look::Waiting, Look::Running]);
        assert_eq!(first.marks.len(), 1);
        assert!(first.spans[1].to <= second.spans[1].from);
    }

    #[test]
    fn of_a_crash_loop_the_first_end_is_unknown() {
        let app = row("crashloop", "app");
        assert!(looks(&app).contains(&Look::Unknown), "{app:?}");
        assert_eq!(app.marks.iter().filter(|mark| mark.sign == Sign::Badly).count(), 2);
        assert_eq!(app.note, "exit 1, 0s, 2 restarts");
    }

    #[test]
    fn failures_of_probes_have_a_row_of_their_own() {
        let probes = row("liveness-http", "  probes");
        assert_eq!(probes.marks.len(), 2);
        assert_eq!(probes.note, "liveness 2x");
    }

    #[test]
    fn a_container_waits_for_its_startup_probe_before_it_is_ready() {
        assert_eq!(
            looks(&row("startup-gates", "app")),
            [Look::Waiting, Look::Unready, Look::Running]
        );
    }
}
