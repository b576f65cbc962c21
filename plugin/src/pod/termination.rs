//! The clock of a pod that is being deleted.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A deletion that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// `metadata.deletionTimestamp`: when the grace runs out, not when deletion was asked for.
    pub deadline: Timestamp,
    /// The grace; absent where the API does not say.
    pub grace: Option<SignedDuration>,
    /// What holds the object once its containers have ended.
    pub finalizers: Vec<String>,
}

impl Termination {
    /// Reads it from the metadata.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self {
            deadline: metadata.deletion_timestamp.as_ref()?.0,
            grace: metadata.deletion_grace_period_seconds.map(SignedDuration::from_secs),
            finalizers: metadata.finalizers.clone().unwrap_or_default(),
        })
    }

    /// When deletion was asked for, where the grace is known.
    pub fn requested(&self) -> Option<Timestamp> {
        self.grace.and_then(|grace| self.deadline.checked_sub(grace).ok())
    }

    /// What is left of the grace; negative once it ran out. A preStop hook spends from the same budget.
    pub fn remaining(&self, now: Timestamp) -> SignedDuration {
        self.deadline.duration_since(now)
    }

    /// Whether the pod is still there although its grace ran out.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.deadline < now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    #[test]
    fn the_deletion_timestamp_is_the_deadline() {
        let deadline: Timestamp = "2026-01-01T00:00:30Z".parse().unwrap();
        let mut metadata = ObjectMeta {
            deletion_timestamp: Some(Time(deadline)),
            deletion_grace_period_seconds: Some(30),
            ..ObjectMeta::default()
        };
        let termination = Termination::of(&metadata).unwrap();
        let now: Timestamp = "2026-01-01T00:00:10Z".parse().unwrap();
        assert_eq!(termination.requested(), "2026-01-01T00:00:00Z".parse().ok());
        assert_eq!(termination.remaining(now), SignedDuration::from_secs(20));
        assert!(!termination.is_overdue(now));
        metadata.deletion_grace_period_seconds = None;
        assert_eq!(Termination::of(&metadata).unwrap().requested(), None);
    }
}
