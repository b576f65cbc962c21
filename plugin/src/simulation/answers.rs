//! What a simulated life answers: does a probe kill the start, when is which restart, is the grace long enough.

use std::collections::BTreeMap;
use std::time::Duration;

use emulator::simulation::{Behaviour, MAX_STEPS};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::pod::age;
use crate::pod::container::{Container, Role};
use crate::pod::history::History;
use crate::pod::probe::Timing;
use crate::pod::runs::Run;

/// The answers, a sentence each.
pub fn of(history: &History, behaviours: &BTreeMap<String, Behaviour>, horizon: Duration) -> Vec<String> {
    let mut answers = vec![readiness(history, horizon)];
    answers.extend(placement(history));
    for container in &history.facts.containers {
        let behaviour = behaviours.get(&container.name);
        answers.extend(probes(history, container, behaviour));
        answers.extend(restarts(history, container));
    }
    answers.extend(ending(history, behaviours));
    answers.extend(outcome(history, horizon));
    answers
}

/// A length without the milliseconds that the waking of a sleeper takes.
fn words(duration: SignedDuration) -> String {
    let milliseconds = duration.as_millis();
    let tenths = SignedDuration::from_millis(i64::try_from((milliseconds + 50) / 100).unwrap_or(0) * 100);
    age::elapsed(if milliseconds < 1_000 { duration } else { tenths })
}

fn readiness(history: &History, horizon: Duration) -> String {
    let start = history.start();
    let horizon = SignedDuration::try_from(horizon).unwrap_or(SignedDuration::MAX);
    match (start, history.ready.first()) {
        (Some(start), Some(first)) => {
            let after = words(first.duration_since(start));
            let losses = history.ready.len() / 2;
            let is_ending = history.gone.is_some() || history.facts.is_over() || history.facts.termination.is_some();
            match losses - usize::from(is_ending && losses > 0) {
                0 => format!("Ready after {after}"),
                1 => format!("Ready after {after}, and once not Ready since"),
                times => format!("Ready after {after}, and {times} times not Ready since"),
            }
        }
        _ if history.facts.is_over() || history.gone.is_some() => "never Ready".to_owned(),
        _ => {
            let looked = start.map_or(horizon, |start| history.now().duration_since(start));
            format!("not Ready within {}", words(looked))
        }
    }
}

/// Why no node takes it, in the scheduler's words.
fn placement(history: &History) -> Option<String> {
    let is_placed = history
        .facts
        .condition("PodScheduled")
        .is_some_and(|placed| placed.is_true());
    let told = history.events.iter().rfind(|event| event.reason == "FailedScheduling");
    told.filter(|_| !is_placed)
        .map(|event| format!("not scheduled: {}", event.message))
}

/// Whether a probe kills a start, or anything else.
fn probes(history: &History, container: &Container, behaviour: Option<&Behaviour>) -> Vec<String> {
    let mut answers = Vec::new();
    let first = behaviour.and_then(|behaviour| behaviour.runs.first());
    let needs = first.map_or(Duration::ZERO, |run| run.starts_after);
    for (kind, probe) in container.probes() {
        if kind == "Readiness" {
            continue;
        }
        let name = format!("{} probe", kind.to_lowercase());
        let kills = kills(history, container, &name);
        let timing = Timing::of(probe);
        // The tries that fail at once: the first right at the start, the others a period apart.
        let least = i64::from(timing.delay) + i64::from(timing.period) * (i64::from(timing.failures.max(1)) - 1);
        let budget = words(SignedDuration::from_secs(least));
        let start = match needs {
            Duration::ZERO => String::new(),
            needs => format!(
                ", which needs {} to start",
                words(SignedDuration::try_from(needs).unwrap_or_default())
            ),
        };
        answers.push(match kills.as_slice() {
            [] if needs > Duration::ZERO => {
                format!("{}: its {name} leaves its start alone{start}", container.name)
            }
            [] => continue,
            [(after, _), ..] => {
                let times = match kills.len() {
                    1 => "once".to_owned(),
                    times => format!("{times} times"),
                };
                let cause = match Duration::try_from(*after) {
                    Ok(after) if after <= needs => format!("{start}, and has {budget} at least"),
                    _ => String::new(),
                };
                format!(
                    "{}: its {name} kills it {times}, the first time {} after its start{cause}",
                    container.name,
                    words(*after)
                )
            }
        });
    }
    answers
}

/// When a probe had a run killed: how long after the start of the run, and when.
fn kills(history: &History, container: &Container, probe: &str) -> Vec<(SignedDuration, Timestamp)> {
    let message = format!("failed {probe}");
    history
        .kills
        .iter()
        .filter(|kill| kill.container == container.name && kill.message.contains(&message))
        .map(|kill| {
            // Where the program stops at once, the next run starts at the very moment of the kill.
            let run = history.runs.iter().find(|run| {
                run.container == container.name
                    && run.started.is_some_and(|started| started <= kill.at)
                    && run.finished.is_none_or(|finished| finished >= kill.at)
            });
            let start = run.and_then(|run| run.started).unwrap_or(kill.at);
            (kill.at.duration_since(start), kill.at)
        })
        .collect()
}

/// So many restarts are told, and the last.
const SAID: usize = 5;

fn restarts(history: &History, container: &Container) -> Option<String> {
    let start = history.start()?;
    let runs: Vec<&Run> = history
        .runs
        .iter()
        .filter(|run| run.container == container.name && run.number > 0)
        .collect();
    if runs.is_empty() {
        return None;
    }
    let mut said: Vec<String> = runs
        .iter()
        .enumerate()
        .filter(|(index, _)| *index < SAID || *index + 1 == runs.len())
        .map(|(_, run)| {
            let at = run.started.or(run.finished).map(|at| words(at.duration_since(start)));
            match at {
                Some(at) => format!("{} at +{at}", run.number),
                None => format!("{} not started yet", run.number),
            }
        })
        .collect();
    if runs.len() > SAID + 1 {
        said.insert(SAID, "…".to_owned());
    }
    let total = match runs.len() {
        1 => "1 restart".to_owned(),
        several => format!("{several} restarts"),
    };
    Some(format!("{}: {total}: {}", container.name, said.join(", ")))
}

/// How the deletion went, container by container.
fn ending(history: &History, behaviours: &BTreeMap<String, Behaviour>) -> Vec<String> {
    let Some((asked, grace)) = history.asked_to_go else {
        return Vec::new();
    };
    let grace = grace.unwrap_or(SignedDuration::from_secs(history.facts.grace_seconds()));
    let apps = history
        .facts
        .containers
        .iter()
        .filter(|container| container.role != Role::Init);
    apps.filter_map(|container| {
        let mut ends = history.runs.iter().filter(|run| run.container == container.name);
        let run = ends.rfind(|run| run.finished.is_some_and(|finished| finished >= asked))?;
        let took = run.finished?.duration_since(asked);
        let hook = hook_length(container, behaviours);
        let name = &container.name;
        let (grace_words, took_words) = (words(grace), words(took));
        Some(match hook {
            Some(hook) if hook >= grace => format!(
                "{name}: the grace of {grace_words} is too short: its preStop hook takes {} and is cut off, and {name} has \
                 2s to end by itself; it ends {took_words} after the deletion, with exit code {}",
                words(hook),
                run.exit_code.unwrap_or_default()
            ),
            _ if run.exit_code == Some(137) && took >= grace => format!(
                "{name}: the grace of {grace_words} is too short: it is killed (SIGKILL, exit code 137) {took_words} after \
                 the deletion"
            ),
            // A sidecar is asked last, when the others have ended.
            _ if took >= grace => format!(
                "{name}: the grace of {grace_words} is used up: it ends {took_words} after the deletion, with exit code {}",
                run.exit_code.unwrap_or_default()
            ),
            hook => format!(
                "{name}: the grace of {grace_words} is long enough: it ends {took_words} after the deletion{}, with {} to \
                 spare",
                if hook.is_some() { ", its preStop hook included" } else { "" },
                words((grace - took).max(SignedDuration::ZERO))
            ),
        })
    })
    .collect()
}

/// How long its preStop hook takes, if it has one.
fn hook_length(container: &Container, behaviours: &BTreeMap<String, Behaviour>) -> Option<SignedDuration> {
    let hook = container.spec.lifecycle.as_ref()?.pre_stop.as_ref()?;
    if let Some(sleep) = &hook.sleep {
        return Some(SignedDuration::from_secs(sleep.seconds));
    }
    let assumed = behaviours.get(&container.name).map(|behaviour| behaviour.pre_stop);
    SignedDuration::try_from(assumed.unwrap_or_default()).ok()
}

/// Says that the simulation was ended though the pod would go on.
pub fn cut_short(history: &History) -> String {
    let looked = history
        .start()
        .map_or(SignedDuration::ZERO, |start| history.now().duration_since(start));
    format!(
        "the simulation stops after {} ({MAX_STEPS} steps at most): what repeats here has no back-off, and would go on like this",
        words(looked)
    )
}

fn outcome(history: &History, horizon: Duration) -> Option<String> {
    let start = history.start()?;
    if let Some(gone) = history.gone {
        return Some(format!("gone after {}", words(gone.duration_since(start))));
    }
    let facts = &history.facts;
    if facts.is_over() {
        let end = history
            .runs
            .iter()
            .filter_map(|run| run.finished)
            .max()
            .unwrap_or(history.now());
        return Some(format!("{} after {}", facts.phase, words(end.duration_since(start))));
    }
    let looked = history.now().duration_since(start);
    let is_all = Duration::try_from(looked).is_ok_and(|looked| looked >= horizon);
    is_all.then(|| {
        format!(
            "after {}: {}, and this is as far as is looked (--timeout 24h looks further)",
            words(looked),
            facts.computed.status
        )
    })
}
