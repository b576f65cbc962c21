//! When a container that is backing off starts again: read from the kubelet's own message, never assumed.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::container::{Ended, State};

/// The next start of a container that is backing off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextRestart {
    /// The back-off that the kubelet named.
    pub delay: SignedDuration,
    /// When it ends, where it is known when the container did.
    pub at: Option<Timestamp>,
}

/// Reads the next restart from the waiting message (`back-off 20s restarting failed container=…`).
pub(super) fn next(state: &State, last: Option<&Ended>) -> Option<NextRestart> {
    let State::Waiting { reason, message } = state else {
        return None;
    };
    if reason != "CrashLoopBackOff" {
        return None;
    }
    let delay = delay(message)?;
    Some(NextRestart {
        delay,
        at: last
            .and_then(|ended| ended.finished)
            .and_then(|finished| finished.checked_add(delay).ok()),
    })
}

/// The duration behind the words `back-off`.
pub fn delay(message: &str) -> Option<SignedDuration> {
    let rest = message.split_once("back-off ")?.1;
    let word = rest.split_whitespace().next()?;
    let delay = crate::cli::duration::parse(word).ok()?;
    SignedDuration::try_from(delay).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_what_the_message_says() {
        let message = "back-off 1m20s restarting failed container=app pod=web_default(1234)";
        assert_eq!(delay(message), Some(SignedDuration::from_secs(80)));
        assert_eq!(delay("Back-off pulling image"), None);
    }

    #[test]
    fn it_counts_from_the_end_of_the_last_instance() {
        let state = State::Waiting {
            reason: "CrashLoopBackOff".into(),
            message: "back-off 20s restarting failed container=app pod=web_default(1)".into(),
        };
        let last = Ended {
            exit_code: 1,
            signal: None,
            reason: "Error".into(),
            message: String::new(),
            started: None,
            never_started: false,
            finished: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            container_id: String::new(),
        };
        let expected: Timestamp = "2026-01-01T00:00:20Z".parse().unwrap();
        assert_eq!(next(&state, Some(&last)).unwrap().at, Some(expected));
        assert_eq!(next(&state, None).unwrap().at, None);
    }
}
