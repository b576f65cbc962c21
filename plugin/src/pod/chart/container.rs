//! The row of a container: its runs, what lay between them, and how they ended.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{Look, Mark, Row, Sign, Span};
use crate::pod::age;
use crate::pod::container::{Container, Role, State};
use crate::pod::history::History;
use crate::pod::runs::{self, Run};

pub(super) fn row(history: &History, container: &Container, from: Timestamp, to: Timestamp) -> Row {
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
