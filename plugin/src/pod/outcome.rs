//! What a user waits for, and whether it has come, or never will.

use clap::ValueEnum;

use super::Facts;
use super::condition::Condition;

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Until {
    /// The condition Ready is True.
    Ready,
    /// At least one container runs.
    Running,
    /// All containers have ended well.
    Succeeded,
    /// The pod has failed.
    Failed,
    /// The pod is over, either way.
    Completed,
    /// The object is gone.
    Deleted,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has come.
    Reached,
    /// It may still come.
    Open,
    /// It cannot come any more, and why.
    Lost(String),
}

impl Until {
    /// Whether a pod that exists is where the user wants it.
    pub fn progress(self, facts: &Facts) -> Progress {
        let phase = facts.phase.as_str();
        let is_ready = facts.condition("Ready").is_some_and(Condition::is_true);
        let reached = match self {
            Self::Ready => is_ready,
            Self::Running => phase == "Running",
            Self::Succeeded => phase == "Succeeded",
            Self::Failed => phase == "Failed",
            Self::Completed => facts.is_over(),
            Self::Deleted => false,
        };
        if reached {
            return Progress::Reached;
        }
        match self {
            Self::Deleted | Self::Completed => Progress::Open,
            _ if facts.is_over() => Progress::Lost(format!("the pod has {}", over_words(facts))),
            _ => Progress::Open,
        }
    }

    /// What the absence of a pod that was there means.
    pub fn progress_when_gone(self) -> Progress {
        match self {
            Self::Deleted => Progress::Reached,
            _ => Progress::Lost("the pod has been deleted".to_owned()),
        }
    }
}

fn over_words(facts: &Facts) -> String {
    let reason = facts
        .status()
        .and_then(|status| status.reason.clone())
        .filter(|reason| !reason.is_empty());
    match (facts.phase.as_str(), reason) {
        ("Succeeded", _) => "succeeded".to_owned(),
        (_, Some(reason)) => format!("failed: {reason}"),
        (_, None) => "failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Pod, PodStatus};
    use k8s_openapi::jiff::Timestamp;

    fn pod(phase: &str) -> Facts {
        let pod = Pod {
            status: Some(PodStatus {
                phase: Some(phase.into()),
                ..PodStatus::default()
            }),
            ..Pod::default()
        };
        Facts::of(pod, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_pod_that_failed_gets_ready_no_more() {
        assert_eq!(Until::Ready.progress(&pod("Pending")), Progress::Open);
        assert_eq!(
            Until::Ready.progress(&pod("Failed")),
            Progress::Lost("the pod has failed".into())
        );
        assert_eq!(Until::Completed.progress(&pod("Failed")), Progress::Reached);
    }

    #[test]
    fn only_who_waits_for_deletion_is_pleased_by_it() {
        assert_eq!(Until::Deleted.progress_when_gone(), Progress::Reached);
        assert!(matches!(Until::Ready.progress_when_gone(), Progress::Lost(_)));
    }
}
