//! What a chart of a pod's life shows: a row for each stage, each container, and the probes that failed.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::age;
use super::container::{Container, Role, State};
use super::history::History;
use super::runs::{self, Run};
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
        rows.push(container_row(history, container, from, to));
        rows.extend(failures(history, container));
    }
    Some(Chart { from, to, rows })
}

fn container_row(history: &History, container: &Container, from: Timestamp, to: Timestamp) -> Row {
    let own: Vec<&Run> = history
        .runs
        .iter()
        .filter(|run| run.container == container.name)
        .collect();
    let mut spans = Vec::new();
    let mut marks = Vec::new();
    let mut before: Option<(Timestamp, &Run)> = None;
    for run in &own {
        let Some(begin) = run.started.or(run.finished) else {
            continue;
        };
        let (since, look) = match before {
            None if run.number == 0 => (from, Look::Waiting),
            None => (from, Look::Unknown),
            Some((end, earlier)) if earlier.number + 1 == run.number && earlier.finished.is_some() => {
                (end, Look::BackOff)
            }
            Some((end, _)) => (end, Look::Unknown),
        };
        push(&mut spans, since, begin, look);
        // Of a run whose end nobody kept, no more is known than its start.
        let end = match run.finished {
            Some(finished) => finished,
            None if run.is_over => begin,
            None => to,
        };
        run_spans(run, container, begin, end, history.is_whole, &mut spans);
        if let (Some(at), Some(well)) = (run.finished, run.ended_well()) {
            let sign = if well { Sign::Well } else { Sign::Badly };
            marks.push(Mark { at, sign });
        }
        before = Some((end, run));
    }
    let is_over = history.facts.is_over() || history.gone.is_some();
    match (&container.state, before) {
        (State::Waiting { .. }, Some((end, _))) if !is_over => push(&mut spans, end, to, Look::BackOff),
        (State::Ended(ended), Some((end, _))) if !is_over && will_restart(history, container, ended.exit_code) => {
            push(&mut spans, end, to, Look::BackOff);
        }
        (_, None) if !is_over => push(&mut spans, from, to, Look::Waiting),
        _ => {}
    }
    Row {
        label: label(container),
        note: note(history, container, &own, to),
        is_stage: false,
        spans,
        marks,
    }
}

fn will_restart(history: &History, container: &Container, exit_code: i32) -> bool {
    match (container.role, history.facts.restart_policy()) {
        (Role::Ephemeral, _) | (_, "Never") => false,
        (Role::Sidecar, _) => true,
        (Role::Init, _) | (_, "OnFailure") => exit_code != 0,
        _ => true,
    }
}

fn push(spans: &mut Vec<Span>, from: Timestamp, to: Timestamp, look: Look) {
    if to > from {
        spans.push(Span { from, to, look });
    }
}

fn run_spans(
    run: &Run,
    container: &Container,
    begin: Timestamp,
    end: Timestamp,
    is_whole: bool,
    spans: &mut Vec<Span>,
) {
    // Of a run before the present one, only who watched knows that it was not ready.
    let has_readiness = is_whole || run.number == newest_number(container) || !run.ready.is_empty();
    if container.role == Role::Init || !has_readiness {
        spans.push(Span {
            from: begin,
            to: end,
            look: Look::Running,
        });
        return;
    }
    let mut since = begin;
    let mut is_ready = false;
    for change in &run.ready {
        let look = if is_ready { Look::Running } else { Look::Unready };
        push(spans, since, (*change).min(end), look);
        (since, is_ready) = ((*change).min(end), !is_ready);
    }
    let look = if is_ready { Look::Running } else { Look::Unready };
    if since < end || is_ready || run.ready.is_empty() {
        spans.push(Span {
            from: since,
            to: end,
            look,
        });
    }
}

/// The number of the run that goes on, if one does.
fn newest_number(container: &Container) -> i32 {
    match &container.state {
        State::Running { .. } => container.restarts(),
        _ => -1,
    }
}

fn label(container: &Container) -> String {
    match container.role {
        Role::Init => format!("init {}", container.name),
        Role::Sidecar => format!("sidecar {}", container.name),
        Role::Regular => container.name.clone(),
        Role::Ephemeral => format!("debug {}", container.name),
    }
}

fn note(history: &History, container: &Container, own: &[&Run], to: Timestamp) -> String {
    let restarts = match container.restarts() {
        0 => String::new(),
        1 => ", 1 restart".to_owned(),
        several => format!(", {several} restarts"),
    };
    let state = match &container.state {
        State::Unreported => "-".to_owned(),
        State::Waiting { reason, .. } if reason.is_empty() => "waiting".to_owned(),
        State::Waiting { reason, .. } => reason.clone(),
        State::Running { since } => {
            let since = own.last().and_then(|run| run.started).or(*since);
            let age = since.map(|since| age::elapsed(SignedDuration::from_secs(to.as_second() - since.as_second())));
            format!("running {}", age.unwrap_or_default())
        }
        State::Ended(ended) if ended.never_started => "did not start".to_owned(),
        State::Ended(ended) => {
            let reason = match ended.reason.as_str() {
                "" | "Error" | "Completed" => String::new(),
                reason => format!(" {reason}"),
            };
            let lasted = ended
                .started
                .zip(ended.finished)
                .map(|(from, to)| format!(", {}", age::between(from, to)));
            format!("exit {}{reason}{}", ended.exit_code, lasted.unwrap_or_default())
        }
    };
    let unknown = match runs::unknown(&history.runs, container) {
        0 => String::new(),
        1 => ", 1 run expired".to_owned(),
        several => format!(", {several} runs expired"),
    };
    let is_unready = matches!(container.state, State::Running { .. }) && !container.is_ready();
    let unready = if is_unready && container.role != Role::Init {
        ", not ready"
    } else {
        ""
    };
    format!("{state}{restarts}{unready}{unknown}")
}

fn failures(history: &History, container: &Container) -> Option<Row> {
    let of_container = history
        .failures
        .iter()
        .filter(|failure| failure.container == container.name);
    let marks: Vec<Mark> = of_container
        .clone()
        .map(|failure| Mark {
            at: failure.at,
            sign: Sign::Failure,
        })
        .collect();
    let mut notes = Vec::new();
    for (probe, _) in container.probes() {
        let count: i32 = history
            .events
            .iter()
            .filter(|event| event.reason == "Unhealthy" && event.container() == Some(container.name.as_str()))
            .filter(|event| event.message.starts_with(probe))
            .map(|event| event.count)
            .sum();
        if count > 0 {
            notes.push(format!("{} {count}x", probe.to_lowercase()));
        }
    }
    (!marks.is_empty()).then(|| Row {
        label: "  probes".to_owned(),
        note: notes.join(", "),
        is_stage: false,
        spans: Vec::new(),
        marks,
    })
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
