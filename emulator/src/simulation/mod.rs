//! What-if: the life that a manifest would have, in virtual time.
//!
//! The API's defaults and validation, the scheduler and the kubelet are the emulator's own; only what runs is assumed.
//! Nothing is started, so it works on any operating system, and hours pass in milliseconds.

mod edges;
mod granted;
mod labels;
mod node;
mod objects;
mod review;
mod scenario;

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};

use self::{
    node::{create_node, node_name, provide_named, provide_namespace, start_node},
    objects::{admit, carry_out, text},
};
pub use self::{
    review::{Fault, Review, review},
    scenario::{Behaviour, Deed, Run, Scenario},
};
pub use crate::runtime::scripted::Termination;
use crate::{
    clock::Clock,
    store::{Change, Resource, Store, WatchEvent},
};

/// How long after its end a life is still looked at: the last events are written then.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// The changes and events that a simulation follows at most: what repeats without a back-off has no end.
pub const MAX_STEPS: usize = 5000;

/// The most of them in one moment: where nothing takes any time, no time passes.
const MAX_STEPS_AT_ONCE: usize = 500;

/// The end of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The moment up to which it went.
    pub at: Timestamp,
    /// It would have gone on, and was ended by [`MAX_STEPS`].
    pub is_cut_short: bool,
}

/// One thing that is seen of a simulated life.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The pod or the event as it is now; as it was last, where it has gone.
    pub object: Arc<Value>,
    /// Whether it is an event.
    pub is_event: bool,
    /// Whether it has gone.
    pub is_gone: bool,
}

/// Why a simulation could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The API would not take the manifest; its words.
    #[error("{0}")]
    Refused(String),
    /// The system has no resources to wait with.
    #[error("cannot simulate: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Lives the life, from the creation to the horizon, or until nothing more can happen, or `is_enough` says so; in no more
/// than [`MAX_STEPS`].
///
/// # Errors
/// The API would refuse the manifest or what stands beside it.
pub fn simulate(scenario: Scenario, is_enough: impl FnMut(&Moment) -> bool) -> Result<Ended, SimulationError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(live(Arc::new(scenario), is_enough))
}

async fn live(scenario: Arc<Scenario>, mut is_enough: impl FnMut(&Moment) -> bool) -> Result<Ended, SimulationError> {
    let clock = Clock::scripted(scenario.start);
    let store = Store::in_memory();
    let node = node_name(&scenario.pod).to_owned();
    create_node(&store, &scenario, &node);
    let namespace = text(&scenario.pod["metadata"]["namespace"], "default").to_owned();
    provide_namespace(&store, &namespace, scenario.start);
    provide_named(&store, &scenario.pod, &namespace, scenario.start);
    for companion in &scenario.companions {
        admit(&store, companion, &namespace, scenario.start, |_| {})?;
    }
    let mut pods = store.watch(Resource::Pods, None, store.version());
    let mut events = store.watch(Resource::Events, None, store.version());
    let mut tasks = JoinSet::new();
    start_node(&scenario, &store, &clock, &node, &mut tasks);
    let key = admit(&store, &scenario.pod, &namespace, scenario.start, granted::grant)?;

    let began = Instant::now();
    let mut end = began + scenario.horizon;
    let mut deeds: Vec<(Duration, Deed)> = scenario.deeds.clone();
    deeds.sort_by_key(|(at, _)| *at);
    deeds.reverse();
    let (mut steps, mut steps_at_once, mut last) = (0, 0, clock.now());
    let mut is_cut_short = false;
    'life: loop {
        let next_deed = deeds.last().map(|(at, _)| began + *at);
        let first = tokio::select! {
            // Changes are seen in the moment of their making, and before time goes on.
            biased;
            event = pods.next() => event,
            event = events.next() => event,
            () = tokio::time::sleep_until(next_deed.unwrap_or(end)), if next_deed.is_some_and(|at| at < end) => {
                if let Some((_, deed)) = deeds.pop() {
                    carry_out(&store, &key, &deed, clock.now());
                }
                continue;
            }
            () = tokio::time::sleep_until(end) => break,
        };
        // What happened at once is told in the order of its making. A reader that is this close never lags.
        let mut together: Vec<WatchEvent> = first.into_iter().collect();
        while let Some(Ok(event)) = pods.next().now_or_never() {
            together.push(event);
        }
        while let Some(Ok(event)) = events.next().now_or_never() {
            together.push(event);
        }
        together.sort_by_key(|event| event.version);
        for event in together {
            let moment = moment(&event, clock.now());
            steps += 1;
            steps_at_once = if moment.at == last { steps_at_once + 1 } else { 1 };
            last = moment.at;
            if steps > MAX_STEPS || steps_at_once > MAX_STEPS_AT_ONCE {
                is_cut_short = true;
                break 'life;
            }
            if is_enough(&moment) {
                break 'life;
            }
            let is_over = matches!(event.object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
            if !moment.is_event && (moment.is_gone || (is_over && deeds.is_empty())) {
                end = end.min(Instant::now() + AFTERWARDS);
            }
        }
    }
    tasks.shutdown().await;
    Ok(Ended {
        at: clock.now(),
        is_cut_short,
    })
}

fn moment(event: &WatchEvent, at: Timestamp) -> Moment {
    Moment {
        at,
        object: event.object.clone(),
        is_event: event.key.resource == Resource::Events,
        is_gone: event.change == Change::Deleted,
    }
}

#[cfg(test)]
mod tests;
