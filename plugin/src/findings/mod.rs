//! What is wrong with a pod, why, and what to do: rules over facts, each with its evidence.
//!
//! A rule that finds nothing says nothing: that no rule matched is not the same as a pod that is proven to be well, and
//! [`Verdict`] keeps the two apart.

pub mod deletion;
pub mod ended;
pub mod failure;
pub mod probes;
pub mod readiness;
pub mod scheduling;
pub mod volumes;
pub mod waiting;

use serde::Serialize;

use crate::pod::Facts;
use crate::pod::condition::Condition;
use crate::pod::container::{Role, State};
use crate::pod::event::Event;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// May get worse, or costs something.
    Warning,
    /// The pod does not do what it is there for.
    Error,
}

/// Where a finding comes from, word for word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The field or event, such as `status.containerStatuses{app}.state.waiting`.
    pub place: String,
    /// What it says.
    pub quote: String,
}

/// Something that a rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The reason's name, as `kubectl pod explain` knows it.
    pub topic: String,
    /// The container that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What it was seen by.
    pub evidence: Vec<Evidence>,
    /// Why, as far as it can be told.
    pub cause: String,
    /// What to do, as commands that can be pasted, or sentences where no command does it.
    pub next: Vec<String>,
}

impl Finding {
    /// A finding without evidence yet.
    pub fn new(severity: Severity, topic: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            severity,
            topic: topic.into(),
            container: None,
            what: what.into(),
            evidence: Vec::new(),
            cause: String::new(),
            next: Vec::new(),
        }
    }

    /// Says which container it is about.
    #[must_use]
    pub fn about(mut self, container: &str) -> Self {
        self.container = Some(container.to_owned());
        self
    }

    /// Quotes what it was seen by.
    #[must_use]
    pub fn seen(mut self, place: impl Into<String>, quote: impl Into<String>) -> Self {
        let quote = quote.into();
        if !quote.is_empty() {
            self.evidence.push(Evidence {
                place: place.into(),
                quote,
            });
        }
        self
    }

    /// Quotes an event.
    #[must_use]
    pub fn told_by(self, event: Option<&Event>) -> Self {
        match event {
            Some(event) => {
                let times = if event.count > 1 {
                    format!(" (x{})", event.count)
                } else {
                    String::new()
                };
                self.seen(format!("event {}", event.reason), format!("{}{times}", event.message))
            }
            None => self,
        }
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn then(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }
}

/// What is to be thought of the pod as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Ready, and every container runs: proven.
    Healthy,
    /// Ended as it should.
    Done,
    /// Something is wrong.
    Broken,
    /// Nothing is wrong that a rule knows of, and it is not there yet.
    OnItsWay,
    /// No rule matched, and that it is well is not proven either.
    Unknown,
}

/// Everything that is wrong, the worst first.
pub fn of(facts: &Facts, events: &[Event]) -> Vec<Finding> {
    if facts.is_manifest() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.extend(failure::rule(facts));
    findings.extend(scheduling::rule(facts, events));
    findings.extend(deletion::rule(facts));
    for container in &facts.containers {
        findings.extend(waiting::rule(facts, container, events));
        findings.extend(ended::rule(facts, container, events));
        findings.extend(probes::rule(facts, container, events));
    }
    findings.extend(readiness::rule(facts));
    findings.extend(volumes::rule(facts, events));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// The verdict that follows.
pub fn verdict(facts: &Facts, findings: &[Finding]) -> Verdict {
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Verdict::Broken;
    }
    if facts.phase == "Succeeded" {
        return Verdict::Done;
    }
    let all_run = facts
        .containers
        .iter()
        .filter(|container| matches!(container.role, Role::Regular | Role::Sidecar))
        .all(|container| matches!(container.state, State::Running { .. }) && container.is_ready());
    let is_ready = facts.condition("Ready").is_some_and(Condition::is_true);
    if is_ready && all_run && facts.termination.is_none() {
        return Verdict::Healthy;
    }
    if facts.phase == "Pending" || (facts.phase == "Running" && !is_ready) || facts.termination.is_some() {
        return Verdict::OnItsWay;
    }
    Verdict::Unknown
}

/// `kubectl logs …` for a container.
pub(crate) fn logs(facts: &Facts, container: &str, is_previous: bool) -> String {
    let previous = if is_previous { " --previous" } else { "" };
    format!(
        "kubectl logs {} -n {} -c {container}{previous}",
        facts.name, facts.namespace
    )
}

/// The newest event with a reason, about a container where one is given.
pub(crate) fn event<'a>(events: &'a [Event], reason: &str, container: Option<&str>) -> Option<&'a Event> {
    events
        .iter()
        .rev()
        .find(|event| event.reason == reason && (container.is_none() || event.container() == container))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Source, pods, saved_at};

    fn judged(name: &str) -> (Verdict, Vec<Finding>) {
        let path = format!("{}/tests/saved/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let saved = pods(&[Source {
            name: name.into(),
            text,
        }])
        .unwrap()
        .remove(0);
        let now = saved_at(&saved).unwrap();
        let facts = Facts::of(saved.pod, now);
        let events = crate::pod::event::about(&facts, &saved.events);
        let findings = of(&facts, &events);
        (verdict(&facts, &findings), findings)
    }

    #[test]
    fn every_saved_pod_gets_the_right_verdict() {
        use Verdict::{Broken, Done, Healthy, OnItsWay};
        for (name, expected) in [
            ("bad-command", Broken),
            ("completes-never", Done),
            ("configmap-missing", Broken),
            ("configmap-volume", Healthy),
            ("crashloop", Broken),
            ("deadline", Broken),
            ("downward", Healthy),
            ("fails-never", Broken),
            ("fails-onfailure", Broken),
            ("force-delete", Healthy),
            ("gated", OnItsWay),
            ("image-invalid-name", Broken),
            ("image-never-missing", Broken),
            ("init-fails-always", Broken),
            ("init-fails-never", Broken),
            ("one-fails-one-runs", Broken),
            ("oom-killed", Broken),
            ("poststart-fails", Broken),
            ("prestop-exec", Healthy),
            ("readiness-flips", Broken),
            ("readiness-gate", OnItsWay),
            ("readiness-tcp", Healthy),
            ("seed-init", Healthy),
            ("seed-pod", Healthy),
            ("shared-pid", Healthy),
            ("sidecar", Done),
            ("startup-gates", Healthy),
            ("termination-message", Broken),
            ("unschedulable", Broken),
        ] {
            let (verdict, findings) = judged(name);
            assert_eq!(verdict, expected, "{name}: {findings:#?}");
        }
    }

    #[test]
    fn every_finding_has_evidence_a_cause_and_a_next_step() {
        for name in [
            "crashloop",
            "configmap-missing",
            "oom-killed",
            "liveness-exec",
            "unschedulable",
            "init-fails-never",
        ] {
            let (_, findings) = judged(name);
            assert!(!findings.is_empty(), "{name}");
            for finding in findings {
                assert!(!finding.evidence.is_empty(), "{name}: {finding:?}");
                assert!(!finding.cause.is_empty(), "{name}: {finding:?}");
                assert!(!finding.next.is_empty(), "{name}: {finding:?}");
            }
        }
    }

    #[test]
    fn a_137_is_called_what_it_was() {
        let topics = |name: &str| {
            judged(name)
                .1
                .into_iter()
                .map(|finding| finding.topic)
                .collect::<Vec<_>>()
        };
        assert!(topics("oom-killed").contains(&"OOMKilled".to_owned()));
        let probe = topics("liveness-http");
        assert!(!probe.contains(&"OOMKilled".to_owned()), "{probe:?}");
        assert!(probe.contains(&"livenessProbe".to_owned()), "{probe:?}");
        let hook = topics("poststart-fails");
        assert!(hook.contains(&"FailedPostStartHook".to_owned()), "{hook:?}");
    }
}
