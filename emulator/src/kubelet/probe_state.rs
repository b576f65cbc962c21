//! What one probe of one container has found, and when it runs: pure, the worker supplies time and outcomes.

use std::collections::HashMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Probe;

use super::container_status::seconds;
use crate::runtime::ContainerId;

/// Which of a container's probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the Kubernetes probe of that name")]
pub enum ProbeKind {
    Liveness,
    Readiness,
    Startup,
}

impl ProbeKind {
    /// How messages begin: `Liveness`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
            Self::Startup => "Startup",
        }
    }

    fn initial(self) -> Finding {
        match self {
            Self::Liveness => Finding::Success,
            Self::Readiness => Finding::Failure,
            Self::Startup => Finding::Unknown,
        }
    }
}

/// What a probe says of a container, once its thresholds are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the probe result of that name")]
pub enum Finding {
    Success,
    Failure,
    Unknown,
}

/// The findings of all probes of a pod.
#[derive(Clone, Debug, Default)]
pub struct Results(HashMap<(ContainerId, ProbeKind), Finding>);

impl Results {
    /// What a probe says of a container.
    pub fn get(&self, container: &ContainerId, kind: ProbeKind) -> Option<Finding> {
        self.0.get(&(container.clone(), kind)).copied()
    }

    /// Keeps a finding; whether it is news.
    pub fn set(&mut self, container: &ContainerId, kind: ProbeKind, finding: Finding) -> bool {
        self.0.insert((container.clone(), kind), finding) != Some(finding)
    }

    /// Forgets a container that has been replaced.
    pub fn forget(&mut self, container: &ContainerId, kind: ProbeKind) {
        self.0.remove(&(container.clone(), kind));
    }
}

/// A container as its prober sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The newest instance.
    pub id: ContainerId,
    /// Since when it runs, where it does.
    pub running_since: Option<Timestamp>,
    /// It has ended and does not come back.
    pub over: bool,
    /// Its status says `started`.
    pub started: bool,
}

/// What a tick of the prober comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// The prober's work is done.
    Stop,
    /// Nothing to do before the next tick.
    Wait,
    /// The probe runs now.
    Probe,
}

/// One prober: it lives as long as the pod, over all instances of its container.
#[derive(Debug)]
pub struct ProbeState {
    kind: ProbeKind,
    initial_delay: i64,
    success_threshold: i32,
    failure_threshold: i32,
    container: Option<ContainerId>,
    on_hold: bool,
    last: Option<Finding>,
    run: i32,
}

impl ProbeState {
    /// A prober that has seen nothing yet.
    pub fn new(kind: ProbeKind, probe: &Probe) -> Self {
        Self {
            kind,
            initial_delay: probe.initial_delay_seconds.unwrap_or(0).into(),
            success_threshold: probe.success_threshold.unwrap_or(1).max(1),
            failure_threshold: probe.failure_threshold.unwrap_or(3).max(1),
            container: None,
            on_hold: false,
            last: None,
            run: 0,
        }
    }

    /// Decides what to do now; keeps `results` in step with the container's instances.
    ///
    /// Returns the decision, and whether `results` changed.
    pub fn tick(
        &mut self,
        target: Option<&Target>,
        deleting: bool,
        results: &mut Results,
        now: Timestamp,
    ) -> (Tick, bool) {
        let Some(target) = target else {
            return (Tick::Wait, false);
        };
        let mut changed = false;
        if self.container.as_ref() != Some(&target.id) {
            if let Some(old) = self.container.replace(target.id.clone()) {
                results.forget(&old, self.kind);
            }
            // A finding that is there already is one that outlived the kubelet's own restart.
            if results.get(&target.id, self.kind).is_none() {
                changed |= results.set(&target.id, self.kind, self.kind.initial());
            }
            self.on_hold = false;
        }
        if self.on_hold {
            return (Tick::Wait, changed);
        }
        let Some(since) = target.running_since else {
            changed |= results.set(&target.id, self.kind, Finding::Failure);
            return (if target.over { Tick::Stop } else { Tick::Wait }, changed);
        };
        if deleting && self.kind != ProbeKind::Readiness {
            changed |= results.set(&target.id, self.kind, Finding::Success);
            return (Tick::Stop, changed);
        }
        // The kubelet counts from `startedAt` as the status has it (`status_manager.go`, `normalizeStatus`).
        let due = now.duration_since(seconds(since).0).as_secs() >= self.initial_delay;
        let its_turn = target.started != (self.kind == ProbeKind::Startup);
        let tick = if due && its_turn { Tick::Probe } else { Tick::Wait };
        (tick, changed)
    }

    /// Takes in the outcome of a probe that ran; whether what `results` say has changed.
    pub fn record(&mut self, outcome: Finding, results: &mut Results) -> bool {
        let (Some(container), Finding::Success | Finding::Failure) = (&self.container, outcome) else {
            return false;
        };
        if self.last == Some(outcome) {
            self.run += 1;
        } else {
            self.last = Some(outcome);
            self.run = 1;
        }
        let failed = outcome == Finding::Failure;
        let threshold = if failed {
            self.failure_threshold
        } else {
            self.success_threshold
        };
        if self.run < threshold {
            return false;
        }
        let changed = results.set(container, self.kind, outcome);
        if failed && self.kind != ProbeKind::Readiness {
            // The container will be killed: no more probes until there is a new one.
            self.on_hold = true;
            self.run = 0;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(failure_threshold: i32, initial_delay_seconds: i32) -> Probe {
        Probe {
            failure_threshold: Some(failure_threshold),
            initial_delay_seconds: Some(initial_delay_seconds),
            ..Probe::default()
        }
    }

    fn target(started: bool) -> Target {
        Target {
            id: ContainerId("a".into()),
            running_since: Some(Timestamp::UNIX_EPOCH),
            over: false,
            started,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn waits_for_the_initial_delay() {
        let mut results = Results::default();
        let mut state = ProbeState::new(ProbeKind::Liveness, &probe(3, 5));
        assert_eq!(
            state.tick(Some(&target(true)), false, &mut results, at(4)).0,
            Tick::Wait
        );
        assert_eq!(
            state.tick(Some(&target(true)), false, &mut results, at(5)).0,
            Tick::Probe
        );
    }

    #[test]
    fn initial_delay_counts_from_the_whole_second_of_the_start() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let mut started = target(true);
        started.running_since = Some(at("2026-01-01T00:00:12.9Z"));
        let mut state = ProbeState::new(ProbeKind::Liveness, &probe(3, 5));
        for (now, expected) in [
            ("2026-01-01T00:00:16.999Z", Tick::Wait),
            ("2026-01-01T00:00:17Z", Tick::Probe),
        ] {
            let (tick, _) = state.tick(Some(&started), false, &mut Results::default(), at(now));
            assert_eq!(tick, expected, "{now}");
        }
    }

    #[test]
    fn only_the_startup_probe_runs_until_the_container_has_started() {
        let mut results = Results::default();
        for (kind, started, expected) in [
            (ProbeKind::Startup, false, Tick::Probe),
            (ProbeKind::Startup, true, Tick::Wait),
            (ProbeKind::Readiness, false, Tick::Wait),
            (ProbeKind::Readiness, true, Tick::Probe),
        ] {
            let mut state = ProbeState::new(kind, &probe(3, 0));
            assert_eq!(
                state.tick(Some(&target(started)), false, &mut results, at(1)).0,
                expected,
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_liveness_failure_needs_its_threshold_and_then_holds_until_a_new_instance() {
        let mut results = Results::default();
        let mut state = ProbeState::new(ProbeKind::Liveness, &probe(2, 0));
        let mut target = target(true);
        state.tick(Some(&target), false, &mut results, at(1));
        assert_eq!(results.get(&target.id, ProbeKind::Liveness), Some(Finding::Success));
        assert!(!state.record(Finding::Failure, &mut results));
        assert!(!state.record(Finding::Unknown, &mut results));
        assert!(state.record(Finding::Failure, &mut results));
        assert_eq!(state.tick(Some(&target), false, &mut results, at(9)).0, Tick::Wait);
        target.id = ContainerId("b".into());
        assert_eq!(state.tick(Some(&target), false, &mut results, at(9)).0, Tick::Probe);
        assert_eq!(results.get(&target.id, ProbeKind::Liveness), Some(Finding::Success));
    }

    #[test]
    fn a_deleted_pod_is_probed_for_readiness_alone() {
        let mut results = Results::default();
        for (kind, expected) in [
            (ProbeKind::Liveness, Tick::Stop),
            (ProbeKind::Startup, Tick::Stop),
            (ProbeKind::Readiness, Tick::Probe),
        ] {
            let mut state = ProbeState::new(kind, &probe(3, 0));
            assert_eq!(
                state.tick(Some(&target(true)), true, &mut results, at(1)).0,
                expected,
                "{kind:?}"
            );
        }
    }
}
