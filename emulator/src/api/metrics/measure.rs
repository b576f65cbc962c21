//! Rates from counters: what was used since the measurement before.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::machine;
use crate::clock::Clock;
use crate::runtime::{ContainerId, ContainerState, PodRef, RuntimeError, SharedRuntime, Usage};

/// A reading that is no older is given again: clients that ask together get the same.
const FRESH: SignedDuration = SignedDuration::from_secs(1);
/// A measurement that is older says little of now: metrics-server's own period is 15 s.
const OLDEST_BASE: SignedDuration = SignedDuration::from_secs(30);
/// How long to measure where there is nothing to compare with.
const FIRST_WINDOW: Duration = Duration::from_millis(500);

/// Measures; knows the last measurement.
#[derive(Default)]
pub struct Meter(Mutex<State>);

#[derive(Default)]
struct State {
    counters: Option<Counters>,
    reading: Option<Reading>,
}

/// Everything that was counted at a moment.
#[derive(Clone, Default)]
pub(super) struct Counters {
    pub(super) at: Timestamp,
    pub(super) node: Option<Usage>,
    pub(super) containers: HashMap<ContainerId, Container>,
    /// Why a container can't be measured here, where that is so.
    pub(super) unmeasured: Option<String>,
}

/// What one running container has used.
#[derive(Clone)]
pub(super) struct Container {
    pub(super) pod: PodRef,
    pub(super) name: String,
    pub(super) started_at: Timestamp,
    pub(super) usage: Usage,
}

/// What was used per second over a while.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) at: Timestamp,
    pub(super) window: SignedDuration,
    pub(super) node: Option<Rate>,
    /// By pod and container.
    pub(super) containers: HashMap<(PodRef, String), Rate>,
    /// Why a container can't be measured here, where that is so.
    pub(super) unmeasured: Option<String>,
}

/// What something uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// Of a processor, in billionths.
    pub(super) cpu_nanocores: u64,
    /// In bytes.
    pub(super) memory: u64,
}

impl Meter {
    /// What is used now.
    ///
    /// # Errors
    /// Where the runtime can't say what runs.
    pub(super) async fn read(&self, runtime: &SharedRuntime, clock: &Clock) -> Result<Reading, RuntimeError> {
        let mut state = self.0.lock().await;
        let age = |at: Timestamp| clock.now().duration_since(at);
        if let Some(reading) = state.reading.as_ref().filter(|reading| age(reading.at) < FRESH) {
            return Ok(reading.clone());
        }
        let before = match state.counters.take().filter(|before| age(before.at) < OLDEST_BASE) {
            Some(before) => before,
            None => {
                let before = count(runtime, clock).await?;
                tokio::time::sleep(FIRST_WINDOW).await;
                before
            }
        };
        let after = count(runtime, clock).await?;
        let reading = between(&before, &after);
        state.counters = Some(after);
        state.reading = Some(reading.clone());
        Ok(reading)
    }
}

async fn count(runtime: &SharedRuntime, clock: &Clock) -> Result<Counters, RuntimeError> {
    let (mut containers, mut unmeasured) = (HashMap::new(), None);
    for (pod, status) in runtime.pods().await? {
        for container in status.containers {
            let (ContainerState::Running, Some(started_at)) = (container.state, container.started_at) else {
                continue;
            };
            let usage = match runtime.usage(&container.id).await {
                Ok(usage) => usage,
                Err(RuntimeError::Unsupported(why)) => {
                    unmeasured = Some(why);
                    continue;
                }
                // It may have ended since.
                Err(_) => continue,
            };
            if usage != Usage::default() {
                let pod = pod.clone();
                let name = container.name;
                containers.insert(
                    container.id,
                    Container {
                        pod,
                        name,
                        started_at,
                        usage,
                    },
                );
            }
        }
    }
    Ok(Counters {
        at: clock.now(),
        node: machine::usage(),
        containers,
        unmeasured,
    })
}

/// What was used between two measurements. A container that is younger than the first began with nothing.
fn between(before: &Counters, after: &Counters) -> Reading {
    let window = after.at.duration_since(before.at);
    let rate = |earlier: u64, now: Usage, window: SignedDuration| {
        let used = u128::from(now.cpu_nanoseconds.saturating_sub(earlier));
        let nanoseconds = u128::try_from(window.as_nanos()).unwrap_or_default().max(1);
        Rate {
            cpu_nanocores: u64::try_from(used * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX),
            memory: now.memory_working_set,
        }
    };
    let containers = after.containers.iter().map(|(id, container)| {
        let rate = match before.containers.get(id) {
            Some(earlier) => rate(earlier.usage.cpu_nanoseconds, container.usage, window),
            None => rate(0, container.usage, after.at.duration_since(container.started_at)),
        };
        ((container.pod.clone(), container.name.clone()), rate)
    });
    Reading {
        at: after.at,
        window,
        node: after
            .node
            .zip(before.node)
            .map(|(now, earlier)| rate(earlier.cpu_nanoseconds, now, window)),
        containers: containers.collect(),
        unmeasured: after.unmeasured.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(at: i64, containers: &[(&str, u64)]) -> Counters {
        let pod = PodRef {
            namespace: "n".into(),
            name: "p".into(),
            uid: "u".into(),
        };
        let container = |name: &str, cpu_nanoseconds| Container {
            pod: pod.clone(),
            name: name.into(),
            started_at: Timestamp::from_second(8).unwrap(),
            usage: Usage {
                cpu_nanoseconds,
                memory: 8,
                memory_working_set: 7,
            },
        };
        Counters {
            at: Timestamp::from_second(at).unwrap(),
            node: Some(Usage {
                cpu_nanoseconds: u64::try_from(at).unwrap() * 2_000_000_000,
                memory: 10,
                memory_working_set: 9,
            }),
            containers: containers
                .iter()
                .map(|(name, cpu)| (ContainerId((*name).into()), container(name, *cpu)))
                .collect(),
            unmeasured: None,
        }
    }

    #[test]
    fn use_is_what_was_added_over_the_time_in_between() {
        let before = counters(0, &[("old", 1_000_000_000), ("gone", 5)]);
        let after = counters(10, &[("old", 6_000_000_000), ("new", 1_000_000_000)]);
        let reading = between(&before, &after);
        assert_eq!(reading.window, SignedDuration::from_secs(10));
        let cpu = |name: &str| {
            let found = reading.containers.iter().find(|((_, container), _)| container == name);
            found.map(|(_, rate)| rate.cpu_nanocores)
        };
        assert_eq!(cpu("old"), Some(500_000_000));
        // It has run for two of the ten seconds.
        assert_eq!(cpu("new"), Some(500_000_000));
        assert_eq!(cpu("gone"), None);
        let node = reading.node.unwrap();
        assert_eq!((node.cpu_nanocores, node.memory), (2_000_000_000, 9));
    }
}
