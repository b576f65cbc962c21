//! What comes next in a pod's life, and when.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Facts;
use super::age;
use super::budget;
use super::container::{Container, Role, State};
use super::event::Event;
use super::probe::Timing;
use super::timeline::title;

/// Something that is to be expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    /// When, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What.
    pub what: String,
}

/// What is to be expected, with what the probes' failures tell.
pub fn with_events(facts: &Facts, events: &[Event]) -> Vec<Next> {
    let mut expected = due(facts);
    expected.extend(budget::failing(facts, events));
    // What has a time comes in its order, and before what has none.
    expected.sort_by_key(|next| (next.at.is_none(), next.at));
    if expected.is_empty() && !facts.is_manifest() {
        expected.push(steady(facts));
    }
    expected.extend(budget::possible(facts, events));
    expected
}

/// What is to be expected, the certain before the conditional.
pub fn of(facts: &Facts) -> Vec<Next> {
    let mut expected = due(facts);
    if expected.is_empty() && !facts.is_manifest() {
        expected.push(steady(facts));
    }
    expected
}

/// What is due, or waited for.
fn due(facts: &Facts) -> Vec<Next> {
    let say = |at: Option<Timestamp>, what: String| Next { at, what };
    if facts.is_manifest() {
        return Vec::new();
    }
    if let Some(termination) = &facts.termination {
        let mut expected = vec![say(
            Some(termination.deadline),
            "the grace runs out: whatever still runs is killed (SIGKILL), and the object goes".to_owned(),
        )];
        expected.extend(
            facts
                .containers
                .iter()
                .filter_map(|container| stop_signal(facts, container)),
        );
        if !termination.finalizers.is_empty() {
            let names = termination.finalizers.join(", ");
            expected.push(say(
                None,
                format!("the object stays until its finalizers are removed: {names}"),
            ));
        }
        return expected;
    }
    if facts.is_over() {
        return vec![say(
            None,
            "nothing: the pod is over, and stays until it is deleted".to_owned(),
        )];
    }
    let gates: Vec<&str> = facts
        .spec()
        .iter()
        .flat_map(|spec| spec.scheduling_gates.iter().flatten())
        .map(|gate| gate.name.as_str())
        .collect();
    if !gates.is_empty() {
        return vec![say(
            None,
            format!("scheduling, once these gates are removed: {}", gates.join(", ")),
        )];
    }
    if facts
        .spec()
        .is_none_or(|spec| spec.node_name.as_deref().unwrap_or_default().is_empty())
    {
        return vec![say(None, "scheduling: no node has been found yet".to_owned())];
    }
    let mut expected: Vec<Next> = facts
        .containers
        .iter()
        .filter_map(|container| container_next(facts, container))
        .collect();
    expected.extend(
        facts
            .containers
            .iter()
            .filter_map(|container| startup_budget(facts, container)),
    );
    expected.extend(deadline(facts));
    expected
}

/// A preStop hook delays the stop signal, within the same grace.
fn stop_signal(facts: &Facts, container: &Container) -> Option<Next> {
    let State::Running { .. } = &container.state else {
        return None;
    };
    let hook = container.spec.lifecycle.as_ref()?.pre_stop.as_ref()?;
    let requested = facts.termination.as_ref()?.requested();
    let title = title(facts, container);
    let sleeps_until = |seconds| requested.and_then(|at| at.checked_add(SignedDuration::from_secs(seconds)).ok());
    if let Some(sleep) = &hook.sleep
        && sleeps_until(sleep.seconds).is_some_and(|until| until <= facts.now)
    {
        // It has had it.
        return None;
    }
    Some(match &hook.sleep {
        Some(sleep) => Next {
            at: sleeps_until(sleep.seconds),
            what: format!("{title} gets its stop signal: its preStop hook sleeps until then"),
        },
        None => Next {
            at: None,
            what: format!("{title} gets its stop signal when its preStop hook has ended; both share the grace"),
        },
    })
}

fn container_next(facts: &Facts, container: &Container) -> Option<Next> {
    let title = title(facts, container);
    if let Some(next) = &container.next_restart {
        return Some(Next {
            at: next.at,
            what: format!("{title} starts again, after a back-off of {}", age::human(next.delay)),
        });
    }
    let what = match &container.state {
        State::Waiting { reason, .. } => match reason.as_str() {
            "ImagePullBackOff" | "ErrImagePull" => format!("{title}: its image is tried again, 5 min apart at most"),
            "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "ErrImageNeverPull"
            | "InvalidImageName" => {
                format!("{title} is tried again within about 90s, and starts when the cause is gone")
            }
            _ => return None,
        },
        State::Running { .. } if container.role == Role::Init => {
            let follower = facts
                .containers
                .iter()
                .find(|other| {
                    matches!(other.role, Role::Init | Role::Sidecar) && other.position == container.position + 1
                })
                .or_else(|| facts.with_role(Role::Regular).next())?;
            format!("{} starts when {title} has ended well", self::title(facts, follower))
        }
        State::Ended(ended)
            if ended.exit_code != 0 && container.role == Role::Regular && facts.restart_policy() != "Never" =>
        {
            format!("{title} starts again, after a back-off that grows from 10s to 5min")
        }
        _ => return None,
    };
    Some(Next { at: None, what })
}

/// The moment at which a startup probe gives up on a container that has not started yet.
fn startup_budget(facts: &Facts, container: &Container) -> Option<Next> {
    let probe = container.spec.startup_probe.as_ref()?;
    let State::Running { since: Some(since) } = &container.state else {
        return None;
    };
    if container.is_started() {
        return None;
    }
    let budget = Timing::of(probe).from_start();
    Some(Next {
        at: since.checked_add(budget).ok(),
        what: format!(
            "{} is killed if its startup probe has not succeeded by then",
            title(facts, container)
        ),
    })
}

fn deadline(facts: &Facts) -> Option<Next> {
    let seconds = facts.spec()?.active_deadline_seconds?;
    let start = facts.status()?.start_time.as_ref()?.0;
    Some(Next {
        at: start.checked_add(SignedDuration::from_secs(seconds)).ok(),
        what: "the active deadline: whatever still runs is stopped, and the pod has Failed".to_owned(),
    })
}

fn steady(facts: &Facts) -> Next {
    let is_ready = facts
        .condition("Ready")
        .is_some_and(super::condition::Condition::is_true);
    let what = match (facts.restart_policy(), is_ready) {
        ("Always", true) => "nothing is due: the containers run, and are started again whenever they end".to_owned(),
        ("OnFailure", true) => {
            "nothing is due: the containers run until they end; only failures start them again".to_owned()
        }
        (_, true) => "nothing is due: the containers run until they end, and are not started again".to_owned(),
        (_, false) => "the containers get ready".to_owned(),
    };
    Next { at: None, what }
}
