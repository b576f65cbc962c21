//! Conditions, and which of their values is the good one.

use k8s_openapi::api::core::v1::PodCondition;
use k8s_openapi::jiff::Timestamp;

/// One condition of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The reason in one word, where one is given.
    pub reason: Option<String>,
    /// The reason in words, where they are given.
    pub message: Option<String>,
    /// Since when it has its status.
    pub since: Option<Timestamp>,
}

/// Which value of a condition is the one to wish for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// True is as it should be.
    TrueIsGood,
    /// True tells of trouble.
    TrueIsBad,
    /// Not one of Kubernetes' own: its owner knows.
    Unknown,
}

/// What a condition's present value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not as it should be, at least not yet.
    Bad,
    /// Nobody can tell: an unknown type, or the status Unknown.
    Open,
}

impl Condition {
    /// Reads it from the status.
    pub fn of(condition: &PodCondition) -> Self {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Self {
            kind: condition.type_.clone(),
            status: condition.status.clone(),
            reason: given(&condition.reason),
            message: given(&condition.message),
            since: condition.last_transition_time.as_ref().map(|time| time.0),
        }
    }

    /// Whether its status is True.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// Which of its values is the good one.
    pub fn polarity(&self) -> Polarity {
        polarity(&self.kind)
    }

    /// What its present value says.
    pub fn verdict(&self) -> Verdict {
        match (self.polarity(), self.status.as_str()) {
            (Polarity::TrueIsGood, "True") | (Polarity::TrueIsBad, "False") => Verdict::Good,
            (Polarity::TrueIsGood, "False") | (Polarity::TrueIsBad, "True") => Verdict::Bad,
            _ => Verdict::Open,
        }
    }
}

/// The polarity of a condition type.
pub fn polarity(kind: &str) -> Polarity {
    match kind {
        "PodScheduled"
        | "PodReadyToStartContainers"
        | "PodHasNetwork"
        | "Initialized"
        | "ContainersReady"
        | "Ready" => Polarity::TrueIsGood,
        "DisruptionTarget" | "PodResizePending" | "AllContainersRestarting" => Polarity::TrueIsBad,
        _ => Polarity::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(kind: &str, status: &str) -> Verdict {
        let condition = PodCondition {
            type_: kind.into(),
            status: status.into(),
            ..PodCondition::default()
        };
        Condition::of(&condition).verdict()
    }

    #[test]
    fn true_is_good_for_ready_and_bad_for_a_disruption() {
        assert_eq!(verdict("Ready", "True"), Verdict::Good);
        assert_eq!(verdict("Ready", "False"), Verdict::Bad);
        assert_eq!(verdict("DisruptionTarget", "True"), Verdict::Bad);
        assert_eq!(verdict("PodResizePending", "True"), Verdict::Bad);
    }

    #[test]
    fn nobody_claims_to_know_a_foreign_condition() {
        assert_eq!(verdict("example.com/balanced", "True"), Verdict::Open);
        assert_eq!(verdict("Ready", "Unknown"), Verdict::Open);
    }
}
