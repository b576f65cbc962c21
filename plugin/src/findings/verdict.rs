//! What is to be thought of a pod as a whole.

use k8s_openapi::jiff::SignedDuration;
use serde::Serialize;

use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::condition::Condition;
use crate::pod::container::{Container, Role, State};

/// What is to be thought of the pod as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Ready, and every container runs: proven.
    Healthy,
    /// Ended as it should.
    Done,
    /// Nothing is wrong that a rule knows of, and it is not there yet.
    OnItsWay,
    /// No rule matched, and that it is well is not proven either.
    Unknown,
    /// It serves, and something is not as it should be.
    AtRisk,
    /// Something is wrong.
    Broken,
}

impl Verdict {
    /// The process's exit code with `--exit-code`: 0 where nothing is wrong, 3 where nobody can tell yet, 2 where
    /// something is wrong.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Healthy | Self::Done => 0,
            Self::OnItsWay | Self::Unknown => 3,
            Self::AtRisk | Self::Broken => 2,
        }
    }
}

/// The verdict that follows from the facts and what was found.
pub fn verdict(facts: &Facts, findings: &[Finding]) -> Verdict {
    let worst = findings.iter().map(|finding| finding.severity).max();
    if worst == Some(Severity::Error) {
        return Verdict::Broken;
    }
    if facts.phase == "Succeeded" {
        return Verdict::Done;
    }
    let is_ready = facts.condition("Ready").is_some_and(Condition::is_true);
    if is_ready && facts.phase == "Running" && runs_fully(facts) && facts.termination.is_none() {
        return match worst {
            Some(Severity::Warning) => Verdict::AtRisk,
            _ => Verdict::Healthy,
        };
    }
    // What holds a deletion has to be looked at; a deletion that takes its course has not.
    if worst == Some(Severity::Warning) && findings.iter().any(|finding| finding.topic == "Terminating") {
        return Verdict::AtRisk;
    }
    if findings.is_empty() && facts.termination.is_none() && is_stalled(facts) {
        return Verdict::Unknown;
    }
    if facts.phase == "Pending" || (facts.phase == "Running" && !is_ready) || facts.termination.is_some() {
        return Verdict::OnItsWay;
    }
    Verdict::Unknown
}

/// Whether all containers have run for so long that a pod which is still not Ready is not on its way to it, or nothing at
/// all is reported of one that passes for running.
fn is_stalled(facts: &Facts) -> bool {
    const LONG: SignedDuration = SignedDuration::from_mins(3);
    let has_settled = |container: &Container| match &container.state {
        State::Running { since } => since.is_some_and(|since| facts.now.duration_since(since) > LONG),
        State::Unreported => facts.condition("Ready").is_none(),
        // Where one has done its work, the others may be about to.
        State::Ended(_) | State::Waiting { .. } => false,
    };
    let mut beside_each_other = facts
        .containers
        .iter()
        .filter(|container| matches!(container.role, Role::Regular | Role::Sidecar));
    facts.phase == "Running" && beside_each_other.all(has_settled)
}

/// Whether everything runs that is meant to, and passes for ready.
fn runs_fully(facts: &Facts) -> bool {
    let is_up = |container: &Container| match container.role {
        Role::Regular => matches!(container.state, State::Running { .. }) && container.is_ready(),
        Role::Sidecar => matches!(container.state, State::Running { .. }) && container.is_ready(),
        Role::Init | Role::Ephemeral => true,
    };
    facts.containers.iter().all(is_up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;

    fn facts(status: serde_json::Value) -> Facts {
        let pod = serde_json::json!({
            "metadata": {"name": "p", "uid": "u"},
            "spec": {"containers": [{"name": "app"}]},
            "status": status,
        });
        Facts::of(serde_json::from_value(pod).unwrap(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn healthy_is_what_is_proven() {
        let running = serde_json::json!({
            "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "ready": true, "restartCount": 0, "image": "", "imageID": "",
                "state": {"running": {}}}],
        });
        assert_eq!(verdict(&facts(running.clone()), &[]), Verdict::Healthy);
        let mut stalled = running.clone();
        stalled["conditions"][0]["status"] = "False".into();
        stalled["containerStatuses"][0]["ready"] = false.into();
        assert_eq!(verdict(&facts(stalled.clone()), &[]), Verdict::OnItsWay);
        stalled["containerStatuses"][0]["state"]["running"]["startedAt"] = "1969-12-31T23:50:00Z".into();
        assert_eq!(verdict(&facts(stalled), &[]), Verdict::Unknown);
        assert_eq!(
            verdict(&facts(serde_json::json!({"phase": "Running"})), &[]),
            Verdict::Unknown
        );
        let mut unreported = running;
        unreported["containerStatuses"] = serde_json::json!([]);
        assert_eq!(verdict(&facts(unreported), &[]), Verdict::Unknown);
        assert_eq!(
            verdict(&facts(serde_json::json!({"phase": "Odd"})), &[]),
            Verdict::Unknown
        );
    }
}
