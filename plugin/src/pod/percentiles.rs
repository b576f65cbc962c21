//! How long a stage took in many pods: the middle, the slow and the slowest.

use k8s_openapi::jiff::SignedDuration;
use serde::Serialize;

use super::history::History;
use super::stages;

/// One stage over several pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// The stage's name; `all` is from the creation to Ready.
    pub stage: String,
    /// In how many pods it is known.
    pub count: usize,
    /// Half of them took no longer.
    #[serde(rename = "p50Milliseconds", serialize_with = "milliseconds")]
    pub p50: SignedDuration,
    /// Nine of ten took no longer.
    #[serde(rename = "p90Milliseconds", serialize_with = "milliseconds")]
    pub p90: SignedDuration,
    /// 99 of 100 took no longer.
    #[serde(rename = "p99Milliseconds", serialize_with = "milliseconds")]
    pub p99: SignedDuration,
    /// The slowest.
    #[serde(rename = "maxMilliseconds", serialize_with = "milliseconds")]
    pub max: SignedDuration,
    /// Which pod that was.
    pub slowest: String,
}

fn milliseconds<S: serde::Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// The stages that are over in at least one of the pods, in the order of a pod's start.
pub fn of<'a>(histories: impl IntoIterator<Item = &'a History>) -> Vec<Spread> {
    let mut lengths = Lengths::default();
    histories.into_iter().for_each(|history| lengths.add(history));
    lengths.spreads()
}

/// How long each stage took in the pods so far: all that has to be kept of them.
#[derive(Clone, Debug, Default)]
pub struct Lengths(Vec<(String, Vec<(SignedDuration, String)>)>);

impl Lengths {
    /// Takes a pod in.
    pub fn add(&mut self, history: &History) {
        let pod = format!("{}/{}", history.facts.namespace, history.facts.name);
        let mut add = |stage: &str, length: SignedDuration| {
            let found = self.0.iter().position(|(name, _)| name == stage);
            let index = found.unwrap_or_else(|| {
                self.0.push((stage.to_owned(), Vec::new()));
                self.0.len() - 1
            });
            self.0[index].1.push((length, pod.clone()));
        };
        for stage in stages::of(history) {
            if let Some(length) = stage.length() {
                add(&stage.name, length);
            }
        }
        if let (Some(start), Some((ready, _))) = (history.start(), history.first_ready()) {
            add(ALL, ready.duration_since(start).max(SignedDuration::ZERO));
        }
    }

    /// How the pods compare.
    pub fn spreads(mut self) -> Vec<Spread> {
        self.0.sort_by_key(|(name, _)| place(name));
        let spread = |(stage, mut lengths): (String, Vec<(SignedDuration, String)>)| {
            lengths.sort();
            let (max, slowest) = lengths.last().cloned()?;
            let at = |percent| nearest(&lengths, percent).unwrap_or(max);
            Some(Spread {
                count: lengths.len(),
                p50: at(50),
                p90: at(90),
                p99: at(99),
                stage,
                max,
                slowest,
            })
        };
        self.0.into_iter().filter_map(spread).collect()
    }
}

/// The stage that is all of them.
pub const ALL: &str = "all";

/// Stages in the order in which a pod goes through them; those of one kind stay together.
fn place(stage: &str) -> usize {
    let kind = stage.split(' ').next().unwrap_or_default();
    let order = ["schedule", "volumes", "sandbox", "pull", "init", "start", "ready", ALL];
    order.iter().position(|known| *known == kind).unwrap_or(order.len())
}

/// The nearest rank: a value that was really measured.
fn nearest(sorted: &[(SignedDuration, String)], percent: usize) -> Option<SignedDuration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map(|(length, _)| *length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::saved;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<(SignedDuration, String)> = (1..=10)
            .map(|second| (SignedDuration::from_secs(second), String::new()))
            .collect();
        let at = |percent| nearest(&sorted, percent).map(|length| length.as_secs());
        assert_eq!((at(50), at(90), at(99)), (Some(5), Some(9), Some(10)));
        assert_eq!(nearest(&sorted[..1], 50), Some(SignedDuration::from_secs(1)));
    }

    #[test]
    fn the_slowest_pod_of_each_stage_is_named() {
        let histories = ["seed-init", "seed-pod", "startup-gates"].map(saved::history);
        let spreads = of(&histories);
        let ready = spreads.iter().find(|spread| spread.stage == "ready").unwrap();
        assert_eq!((ready.count, ready.max.as_secs()), (3, 6));
        assert!(ready.slowest.ends_with("/startup-gates"), "{ready:?}");
        assert_eq!(spreads.last().unwrap().stage, ALL);
    }
}
