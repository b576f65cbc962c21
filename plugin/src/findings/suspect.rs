//! What may have ended a container whose end nobody has recorded: its probes, whose events are kept for an hour, or memory.

use k8s_openapi::api::core::v1::Probe;
use k8s_openapi::jiff::SignedDuration;

use super::message::{Message, say};
use crate::pod::container::{Container, Ended, Role};
use crate::pod::probe::Timing;
use crate::pod::{Facts, age};

/// Times are whole seconds, at both ends of a run.
const SLACK: i64 = 2;

/// The suspects for an end whose cause is not known: the exit codes of SIGKILL and SIGTERM, and that of a program that ends
/// well when it is asked to. Each says that it is a suspect.
pub(super) fn suspects(facts: &Facts, container: &Container, ended: &Ended, topic: &str) -> Vec<Message> {
    let is_open =
        matches!(ended.exit_code, 0 | 137 | 143) && (topic == ended.exit_code.to_string() || topic == "Completed");
    let is_restarted = matches!(container.role, Role::Regular | Role::Sidecar) && !facts.is_over();
    if !is_open || !is_restarted || facts.termination.is_some() {
        return Vec::new();
    }
    let (startup, liveness) = (startup(facts, container, ended), liveness(facts, container, ended));
    let memory = (ended.exit_code == 137).then(|| memory(container));
    [startup, liveness, memory].into_iter().flatten().collect()
}

fn run_seconds(ended: &Ended) -> Option<i64> {
    let lasted = ended.finished?.duration_since(ended.started?);
    Some(lasted.as_secs())
}

/// How long a run may last that a probe ends: the first tries alone, and all of them with the grace period.
struct Budget {
    least: i64,
    most: i64,
    grace: i64,
}

impl Budget {
    fn of(facts: &Facts, probe: &Probe, ended: &Ended) -> Self {
        let timing = Timing::of(probe);
        let grace = probe.termination_grace_period_seconds.unwrap_or(facts.grace_seconds());
        let failures = i64::from(timing.failures.max(1));
        let (delay, period) = (i64::from(timing.delay), i64::from(timing.period));
        let tries = delay + period * (failures - 1);
        // What is killed with SIGKILL has used up its grace.
        let used_grace = if ended.exit_code == 137 { grace } else { 0 };
        Self {
            least: tries + used_grace - SLACK,
            most: delay + period.max(i64::from(timing.timeout)) * failures + period + grace + SLACK,
            grace,
        }
    }

    fn fits(&self, seconds: i64) -> bool {
        (self.least..=self.most).contains(&seconds)
    }
}

fn told(key: Message, probe: &Probe, budget: &Budget, seconds: i64) -> Message {
    let timing = Timing::of(probe);
    let human = |seconds: i64| age::human(SignedDuration::from_secs(seconds));
    key.with("length", human(seconds))
        .with("delay", human(i64::from(timing.delay)))
        .with("failures", timing.failures.to_string())
        .with("period", human(i64::from(timing.period)))
        .with("grace", human(budget.grace))
}

/// A run that is as long as the startup probe allows. One that has lasted longer had started.
fn startup(facts: &Facts, container: &Container, ended: &Ended) -> Option<Message> {
    let probe = container.spec.startup_probe.as_ref()?;
    let seconds = run_seconds(ended)?;
    let budget = Budget::of(facts, probe, ended);
    budget
        .fits(seconds)
        .then(|| told(say("suspect.startup"), probe, &budget, seconds))
}

/// A run that is as long as the liveness probe allows from the start, or longer: then it may have failed at any time.
fn liveness(facts: &Facts, container: &Container, ended: &Ended) -> Option<Message> {
    let probe = container.spec.liveness_probe.as_ref()?;
    let seconds = run_seconds(ended)?;
    let budget = Budget::of(facts, probe, ended);
    if budget.fits(seconds) {
        Some(told(say("suspect.liveness-fits"), probe, &budget, seconds))
    } else if seconds > budget.most {
        Some(told(say("suspect.liveness"), probe, &budget, seconds))
    } else {
        None
    }
}

fn memory(container: &Container) -> Message {
    let limits = container
        .spec
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.as_ref());
    match limits.and_then(|limits| limits.get("memory")) {
        Some(limit) => say("suspect.memory").with("limit", limit.0.as_str()),
        None => say("suspect.memory-of-node"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;
    use serde_json::{Value, json};

    fn keys(spec: Value, code: i32, seconds: i64) -> Vec<&'static str> {
        let start = Timestamp::from_second(1_000_000).unwrap();
        let mut container = json!({"name": "app"});
        for (key, value) in spec.as_object().unwrap() {
            container[key] = value.clone();
        }
        let pod = json!({"metadata": {"name": "web", "uid": "u"}, "spec": {"containers": [container]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "app", "ready": true, "restartCount": 1, "image": "",
                "imageID": "", "state": {"running": {}}, "lastState": {"terminated": {"exitCode": code,
                "startedAt": start.to_string(),
                "finishedAt": start.checked_add(SignedDuration::from_secs(seconds)).unwrap().to_string()}}}]}});
        let facts = Facts::of(
            serde_json::from_value(pod).unwrap(),
            Timestamp::from_second(2_000_000).unwrap(),
        );
        let ended = facts.containers[0].last.as_ref().unwrap();
        let found = suspects(&facts, &facts.containers[0], ended, &code.to_string());
        found
            .into_iter()
            .filter_map(|message| match message {
                Message::Sentence { key, .. } => Some(key),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_run_as_long_as_a_probe_allows_makes_the_probe_a_suspect() {
        let startup = json!({"startupProbe": {"exec": {}, "periodSeconds": 2, "failureThreshold": 5}});
        assert_eq!(keys(startup.clone(), 0, 11), ["suspect.startup"]);
        assert_eq!(keys(startup.clone(), 0, 2), [""; 0]);
        assert_eq!(keys(startup, 143, 7200), [""; 0]);
        let liveness = json!({"livenessProbe": {"exec": {}}, "resources": {"limits": {"memory": "64Mi"}}});
        assert_eq!(
            keys(liveness.clone(), 137, 60),
            ["suspect.liveness-fits", "suspect.memory"]
        );
        assert_eq!(keys(liveness.clone(), 143, 160_000), ["suspect.liveness"]);
        // SIGKILL comes only after the grace period: this one came too early for the probe.
        assert_eq!(keys(liveness.clone(), 137, 30), ["suspect.memory"]);
        assert_eq!(keys(liveness, 1, 60), [""; 0]);
        assert_eq!(keys(json!({}), 137, 5), ["suspect.memory-of-node"]);
    }
}
