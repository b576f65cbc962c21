//! Delays that double with every failure, one per key.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::features::{Feature, Features};

const INITIAL: Duration = Duration::from_secs(10);
const MAX: Duration = Duration::from_secs(300);
/// The same with `ReduceDefaultCrashLoopBackOffDecay` (KEP-4603).
const REDUCED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a key must have been without failure to start anew.
const QUIET: SignedDuration = SignedDuration::from_secs(2 * 300);

#[derive(Clone, Copy, Debug)]
struct Entry {
    delay: Duration,
    bumped: Timestamp,
}

/// Delays of 10 s, 20 s … 300 s. A key that had no failure for twice the longest delay starts anew.
#[derive(Clone, Debug)]
pub struct Backoff {
    entries: HashMap<String, Entry>,
    initial: Duration,
    max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            initial: INITIAL,
            max: MAX,
        }
    }
}

impl Backoff {
    /// Of crashed containers, with shorter delays where that feature is on.
    pub fn of_crashes(features: &Features) -> Self {
        if !features.has(Feature::ReduceDefaultCrashLoopBackOffDecay) {
            return Self::default();
        }
        let (initial, max) = REDUCED;
        Self {
            initial,
            max,
            ..Self::default()
        }
    }

    /// How long a try must still wait, measured from the failure at `since`; none where it may go ahead.
    pub fn remaining(&self, key: &str, since: Timestamp, now: Timestamp) -> Option<Duration> {
        let entry = self.entries.get(key)?;
        if expired(since, entry) {
            return None;
        }
        let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        entry.delay.checked_sub(passed).filter(|left| !left.is_zero())
    }

    /// The delay in force.
    pub fn delay(&self, key: &str) -> Duration {
        self.entries.get(key).map_or(Duration::ZERO, |entry| entry.delay)
    }

    /// Doubles the delay for the next failure after the one at `since`.
    pub fn bump(&mut self, key: &str, since: Timestamp, now: Timestamp) {
        let delay = match self.entries.get(key) {
            Some(entry) if !expired(since, entry) => (entry.delay * 2).min(self.max),
            _ => self.initial,
        };
        self.entries.insert(key.to_owned(), Entry { delay, bumped: now });
    }

    /// Takes up the delay that `restarts` restarts, the last at `bumped`, had led to: after the kubelet itself was restarted.
    pub fn resume(&mut self, key: &str, restarts: u32, bumped: Timestamp) {
        if restarts == 0 || self.entries.contains_key(key) {
            return;
        }
        let delay = self.initial.saturating_mul(1 << (restarts - 1).min(9)).min(self.max);
        self.entries.insert(key.to_owned(), Entry { delay, bumped });
    }
}

fn expired(since: Timestamp, entry: &Entry) -> bool {
    since.duration_since(entry.bumped) > QUIET
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn a_container_that_ends_at_once_is_restarted_after_0_10_20_40_80_160_300_and_300_seconds() {
        let mut backoff = Backoff::default();
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..8 {
            let wait = backoff.remaining("app", at(now), at(now)).unwrap_or_default().as_secs();
            waits.push(wait);
            let failed = now;
            now += i64::try_from(wait).unwrap();
            assert_eq!(backoff.remaining("app", at(failed), at(now)), None);
            backoff.bump("app", at(failed), at(now));
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn the_feature_of_shorter_delays_starts_with_a_second_and_ends_with_a_minute() {
        let features = Features::parse("ReduceDefaultCrashLoopBackOffDecay=true").unwrap();
        let mut backoff = Backoff::of_crashes(&features);
        let mut delays = Vec::new();
        for second in 0..8 {
            backoff.bump("app", at(second), at(second));
            delays.push(backoff.delay("app").as_secs());
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn after_more_than_ten_quiet_minutes_it_starts_anew() {
        let mut backoff = Backoff::default();
        backoff.bump("app", at(0), at(0));
        backoff.bump("app", at(10), at(10));
        assert_eq!(backoff.delay("app").as_secs(), 20);
        assert_eq!(backoff.remaining("app", at(611), at(611)), None);
        backoff.bump("app", at(611), at(611));
        assert_eq!(backoff.delay("app").as_secs(), 10);
    }

    #[test]
    fn a_restarted_kubelet_takes_up_where_it_was() {
        let mut backoff = Backoff::default();
        backoff.resume("app", 3, at(0));
        assert_eq!(backoff.delay("app").as_secs(), 40);
        backoff.resume("other", 0, at(0));
        assert_eq!(backoff.delay("other"), Duration::ZERO);
    }
}
