//! Several pods: a line for each, and how long each stage took in all of them.

use k8s_openapi::jiff::SignedDuration;

use crate::pod::age;
use crate::pod::history::History;
use crate::pod::percentiles::Lengths;
use crate::view::sheet::table;
use crate::view::text::{Line, Tone};
use crate::view::wrap::cut;

/// The overview.
pub fn lines(histories: &[History], columns: Option<usize>) -> Vec<Line> {
    let mut overview = Overview::new(columns);
    histories.iter().for_each(|history| overview.add(history));
    overview.rows()
}

/// The overview, and how long each stage took in all pods.
pub fn lines_and_stages(histories: &[History], columns: Option<usize>) -> Vec<Line> {
    let mut overview = Overview::new(columns);
    histories.iter().for_each(|history| overview.add(history));
    overview.lines()
}

/// The overview while pods come: of each, its row and the lengths of its stages are kept, and no more.
#[derive(Clone, Debug)]
pub struct Overview {
    columns: Option<usize>,
    rows: Vec<Vec<Line>>,
    lengths: Lengths,
}

impl Overview {
    /// Without pods yet, for a terminal of so many columns.
    pub fn new(columns: Option<usize>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            lengths: Lengths::default(),
        }
    }

    /// Takes a pod in.
    pub fn add(&mut self, history: &History) {
        self.rows.push(row(history, self.columns));
        self.lengths.add(history);
    }

    /// Whether there is no pod in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether there is one pod in it.
    pub fn is_one(&self) -> bool {
        self.rows.len() == 1
    }

    fn rows(self) -> Vec<Line> {
        table(
            0,
            &["POD", "STATUS", "READY", "RESTARTS", "TO READY", "AGE", "LAST"],
            self.rows,
        )
    }

    /// A line for each pod, and how long each stage took in all of them.
    pub fn lines(mut self) -> Vec<Line> {
        let lengths = std::mem::take(&mut self.lengths);
        let mut lines = self.rows();
        lines.extend(spread_lines(lengths));
        lines
    }
}

fn row(history: &History, columns: Option<usize>) -> Vec<Line> {
    let facts = &history.facts;
    let computed = &facts.computed;
    let to_ready = match (history.start(), history.first_ready()) {
        (Some(start), Some((ready, _))) => age::measured(rounded(ready.duration_since(start), history.is_whole)),
        _ => "-".to_owned(),
    };
    let last = history.entries.iter().rev().find(|entry| entry.moment().is_some());
    let last = last.map_or(String::new(), |entry| match columns {
        Some(columns) => cut(&entry.what, (columns / 3).max(20)),
        None => entry.what.clone(),
    });
    let restarts: i32 = facts
        .containers
        .iter()
        .map(crate::pod::container::Container::restarts)
        .sum();
    let is_well = (computed.status == "Running" && computed.ready == computed.total) || facts.phase == "Succeeded";
    vec![
        Line::new().tone(Tone::Heading, format!("{}/{}", facts.namespace, facts.name)),
        Line::new().tone(
            if is_well { Tone::Good } else { Tone::Warning },
            computed.status.as_str(),
        ),
        Line::from(format!("{}/{}", computed.ready, computed.total)),
        Line::from(restarts.to_string()),
        Line::from(to_ready),
        Line::from(
            facts
                .created()
                .map_or("-".to_owned(), |created| age::between(created, history.now())),
        ),
        Line::from(last),
    ]
}

/// A pod that was looked at once has times in whole seconds.
fn rounded(duration: SignedDuration, is_whole: bool) -> SignedDuration {
    if is_whole {
        duration
    } else {
        SignedDuration::from_secs(duration.as_secs())
    }
}

/// How long each stage took, over all pods.
fn spread_lines(lengths: Lengths) -> Vec<Line> {
    let spreads = lengths.spreads();
    if spreads.is_empty() {
        return Vec::new();
    }
    let rows = spreads
        .into_iter()
        .map(|spread| {
            vec![
                Line::from(spread.stage),
                Line::from(spread.count.to_string()),
                Line::from(age::measured(spread.p50)),
                Line::from(age::measured(spread.p90)),
                Line::from(age::measured(spread.p99)),
                Line::from(age::measured(spread.max)),
                Line::new().tone(Tone::Faint, spread.slowest),
            ]
        })
        .collect();
    let mut lines = vec![Line::new(), Line::new().tone(Tone::Heading, "Stages, over all pods:")];
    lines.extend(table(
        2,
        &["STAGE", "PODS", "P50", "P90", "P99", "MAX", "SLOWEST"],
        rows,
    ));
    lines
}
