//! What is wrong with a pod, why, and what to do: rules over facts, each with its evidence.
//!
//! A rule that finds nothing says nothing: that no rule matched is not the same as a pod that is proven to be well, and
//! [`Verdict`] keeps the two apart.

pub mod autoscaler;
pub mod budget;
pub mod claims;
pub mod command;
pub mod conditions;
pub mod creation;
pub mod deletion;
pub mod diagnosis;
pub mod ended;
pub mod exit;
pub mod failed_create;
pub mod failure;
pub mod held;
pub mod image;
pub mod message;
pub mod needs;
pub mod news;
pub mod node;
pub mod node_error;
pub mod owner;
pub mod probes;
pub mod readiness;
pub mod reading;
pub mod references;
pub mod sandbox;
pub mod scheduler_message;
pub mod scheduling;
pub mod services;
pub mod start_error;
pub mod suspect;
pub mod usage;
pub mod verdict;
pub mod volume_error;
pub mod volumes;
pub mod waiting;

use k8s_openapi::jiff::SignedDuration;
use serde::{Serialize, Serializer};

use crate::lint;
use crate::pod::event::Event;
use crate::pod::surroundings::Surroundings;
use crate::pod::{Facts, age};
use message::Message;
pub use verdict::{Verdict, verdict};

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

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command that can be pasted.
    Command(String),
    /// What no command does.
    Advice(Message),
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Command(command) => serializer.serialize_str(command),
            Self::Advice(advice) => advice.serialize(serializer),
        }
    }
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
    pub what: Message,
    /// What it was seen by.
    pub evidence: Vec<Evidence>,
    /// Why, as far as it can be told; several sentences where several things add up. For programs it is one text.
    #[serde(rename = "cause", serialize_with = "joined")]
    pub causes: Vec<Message>,
    /// What to do, as commands that can be pasted, or sentences where no command does it.
    pub next: Vec<Step>,
}

fn joined<S: Serializer>(causes: &[Message], serializer: S) -> Result<S::Ok, S::Error> {
    let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
    serializer.serialize_str(&causes.join("; "))
}

impl Finding {
    /// A finding without evidence yet.
    pub fn new(severity: Severity, topic: impl Into<String>, what: impl Into<Message>) -> Self {
        Self {
            severity,
            topic: topic.into(),
            container: None,
            what: what.into(),
            evidence: Vec::new(),
            causes: Vec::new(),
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

    /// Quotes an event with its age, where it is old enough for the question whether it still holds.
    #[must_use]
    pub fn told_at(self, facts: &Facts, event: Option<&Event>) -> Self {
        let age = event
            .and_then(|event| event.last)
            .map(|last| facts.now.duration_since(last))
            .filter(|age| *age >= SignedDuration::from_mins(5));
        let Some(age) = age else {
            return self.told_by(event);
        };
        let mut finding = self.told_by(event);
        if let Some(evidence) = finding.evidence.last_mut() {
            evidence.place = format!("{}, age {}", evidence.place, age::human(age));
        }
        finding
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Message>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Says what to do, in words.
    #[must_use]
    pub fn then(mut self, advice: impl Into<Message>) -> Self {
        let step = Step::Advice(advice.into());
        if !self.next.contains(&step) {
            self.next.push(step);
        }
        self
    }

    /// Says what to do, as a command.
    #[must_use]
    pub fn run(mut self, command: impl Into<String>) -> Self {
        let step = Step::Command(command.into());
        if !self.next.contains(&step) {
            self.next.push(step);
        }
        self
    }
}

/// Everything that is wrong as far as the pod and its events tell, the worst first.
pub fn of(facts: &Facts, events: &[Event]) -> Vec<Finding> {
    within(facts, events, &Surroundings::default())
}

/// Everything that is wrong, the worst first, with what was fetched from around the pod.
pub fn within(facts: &Facts, events: &[Event], around: &Surroundings) -> Vec<Finding> {
    if facts.is_manifest() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    findings.extend(failure::rule(facts));
    findings.extend(scheduling::rule(facts, events, around));
    findings.extend(deletion::rule(facts, events));
    findings.extend(node::rule(facts, around));
    findings.extend(conditions::rule(facts, events));
    findings.extend(creation::rule(facts, events));
    for container in &facts.containers {
        findings.extend(waiting::rule(facts, container, events));
        findings.extend(ended::rule(facts, container, events));
        findings.extend(probes::rule(facts, container, events));
    }
    findings.extend(held::rule(facts));
    findings.extend(readiness::rule(facts));
    findings.extend(volumes::rule(facts, events));
    findings.extend(references::rule(facts, around, &findings));
    findings.extend(failure::unexplained(facts, &findings));
    findings.extend(news::rule(facts, events, &findings));
    // What is odd in the spec is told where something is wrong: of a pod that is well, it is told to who asks for lints.
    if !matches!(verdict(facts, &findings), Verdict::Healthy | Verdict::Done) {
        findings.extend(lint::findings(facts, &findings));
    }
    findings.extend(usage::rule(facts, around));
    findings.extend(services::rule(facts, around));
    findings.extend(budget::rule(facts, around));
    findings.extend(owner::rule(facts, around, &findings));
    merge_lost_node(&mut findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// The node's own condition tells more of a node that is not ready than what it left on the pod: one fault is one finding.
fn merge_lost_node(findings: &mut Vec<Finding>) {
    let is_of_node = |finding: &Finding| {
        finding.topic == "NodeLost"
            && finding
                .evidence
                .iter()
                .any(|evidence| evidence.place.starts_with("node "))
    };
    let Some(own) = findings.iter().position(is_of_node) else {
        return;
    };
    let is_other = |finding: &Finding| finding.topic == "NodeLost" && !is_of_node(finding);
    let others: Vec<Evidence> = findings
        .iter()
        .filter(|finding| is_other(finding))
        .flat_map(|finding| finding.evidence.clone())
        .collect();
    findings[own].evidence.extend(others);
    findings.retain(|finding| !is_other(finding));
}

/// The newest event with a reason, about a container where one is given.
pub(crate) fn event<'a>(events: &'a [Event], reason: &str, container: Option<&str>) -> Option<&'a Event> {
    events
        .iter()
        .rev()
        .find(|event| event.reason == reason && (container.is_none() || event.container() == container))
}

#[cfg(test)]
mod cases;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Source, newest, read, saved_at};

    fn judged(name: &str) -> (Verdict, Vec<Finding>) {
        let path = format!("{}/tests/saved/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let sources = [Source {
            name: name.into(),
            text,
        }];
        let saved = read(&sources).unwrap().pods.remove(0).pod;
        let now = saved_at(&saved, newest(&saved)).unwrap();
        let facts = Facts::of(saved.pod, now);
        let events = crate::pod::event::about(&facts, &saved.events);
        let findings = of(&facts, &events);
        (verdict(&facts, &findings), findings)
    }

    #[test]
    fn every_saved_pod_gets_the_right_verdict() {
        use Verdict::{AtRisk, Broken, Done, Healthy, OnItsWay};
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
            ("liveness-exec", AtRisk),
            ("liveness-http", AtRisk),
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
                assert!(!finding.causes.is_empty(), "{name}: {finding:?}");
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
        let oom = judged("oom-killed").1;
        let is_oom = |finding: &Finding| finding.causes.iter().any(|cause| cause.is_one_of(&["exit.oom"]));
        assert!(oom.iter().any(is_oom), "{oom:?}");
        let probe = topics("liveness-http");
        assert!(!probe.contains(&"OOMKilled".to_owned()), "{probe:?}");
        assert!(probe.contains(&"livenessProbe".to_owned()), "{probe:?}");
        let hook = judged("poststart-fails").1;
        let is_of_hook = |finding: &Finding| finding.causes.iter().any(|cause| cause.is_one_of(&["exit.post-start"]));
        assert!(hook.iter().any(is_of_hook), "{hook:?}");
    }
}
