//! What-if: the life that a manifest would have, under assumptions.

pub mod answers;
pub mod assume;
pub mod command;
mod grammar;
pub mod heedless;
pub mod scenario;
mod targets;

use std::time::Duration;

use emulator::simulation::{Moment, SimulationError, simulate};
use k8s_openapi::api::core::v1::{Event, Pod};

use self::scenario::{Plan, START};
use crate::pod::Facts;
use crate::pod::history::History;
use crate::pod::outcome::{Progress, Until};
use crate::pod::watched::Watched;

/// How far is looked ahead where nobody says.
pub const HORIZON: Duration = Duration::from_secs(3600);

/// A life that was simulated.
pub struct Simulated {
    /// The life.
    pub history: History,
    /// What was taken for granted.
    pub assumed: Vec<String>,
    /// What it answers.
    pub answers: Vec<String>,
    /// How far it came towards what was waited for.
    pub progress: Progress,
}

/// Lives the life, as far as the horizon, or until what is waited for has come or is lost.
///
/// # Errors
/// The API would refuse the manifest.
pub fn run(plan: Plan, until: Option<Until>) -> Result<Simulated, SimulationError> {
    let Plan {
        scenario,
        assumed,
        heedless,
    } = plan;
    let behaviours = scenario.containers.clone();
    let horizon = scenario.horizon;
    let mut watched = Watched::default();
    watched.go_live(START);
    let mut progress = Progress::Open;
    let end = simulate(scenario, |moment| {
        take(&mut watched, moment);
        if let (Some(until), false) = (until, moment.is_event) {
            progress = progressed(until, moment);
        }
        progress != Progress::Open
    })?;
    let mut history = watched
        .histories(end.at)
        .pop()
        .unwrap_or_else(|| History::begin(Facts::of(Pod::default(), end.at)));
    history.mark_simulated();
    let mut answers = answers::of(&history, &behaviours, horizon);
    // Right behind the first, which says when the pod is Ready: it is what they put in doubt.
    answers.splice(1..1, heedless);
    if end.is_cut_short {
        answers.push(answers::cut_short(&history));
    }
    Ok(Simulated {
        answers,
        history,
        assumed,
        progress,
    })
}

fn take(watched: &mut Watched, moment: &Moment) {
    let object = serde_json::Value::clone(&moment.object);
    if moment.is_event {
        if let (Ok(event), false) = (serde_json::from_value::<Event>(object), moment.is_gone) {
            watched.event(event, moment.at);
        }
    } else if let Ok(pod) = serde_json::from_value::<Pod>(object) {
        match moment.is_gone {
            true => watched.gone(pod, moment.at),
            false => watched.present(pod, moment.at),
        };
    }
}

fn progressed(until: Until, moment: &Moment) -> Progress {
    if moment.is_gone {
        return until.progress_when_gone();
    }
    match serde_json::from_value::<Pod>(serde_json::Value::clone(&moment.object)) {
        Ok(pod) => until.progress(&Facts::of(pod, moment.at)),
        Err(_) => Progress::Open,
    }
}
