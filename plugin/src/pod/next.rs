//! What comes next in a pod's life, and when.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Facts;
use super::age;
use super::budget;
use super::condition::Condition;
use super::container::{Container, Role, State};
use super::event::Event;
use super::probe::Timing;
use crate::findings::message::{Message, say};

/// Something that is to be expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    /// When, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What.
    pub what: Message,
}

/// What is to be expected, with what the probes' failures tell.
pub fn with_events(facts: &Facts, events: &[Event]) -> Vec<Next> {
    let mut expected = due(facts, events);
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
pub fn of(facts: &Facts, events: &[Event]) -> Vec<Next> {
    let mut expected = due(facts, events);
    if expected.is_empty() && !facts.is_manifest() {
        expected.push(steady(facts));
    }
    expected
}

/// What is due, or waited for.
fn due(facts: &Facts, events: &[Event]) -> Vec<Next> {
    let some_day = |what: Message| Next { at: None, what };
    if facts.is_manifest() {
        return Vec::new();
    }
    if let Some(termination) = &facts.termination {
        let running = |container: &Container| matches!(container.state, State::Running { .. });
        if facts.is_node_silent() {
            return vec![some_day(say("next.node-returns"))];
        }
        let mut expected = Vec::new();
        // Once all has ended, nothing is left to be killed.
        if facts.containers.iter().any(running) || !has_run(facts) {
            let what = if termination.finalizers.is_empty() {
                say("next.grace")
            } else {
                say("next.grace-kills")
            };
            expected.push(Next {
                at: Some(termination.deadline).filter(|_| !facts.is_deletion_undated()),
                what,
            });
        }
        expected.extend(
            facts
                .containers
                .iter()
                .filter_map(|container| stop_signal(facts, container, events)),
        );
        if !termination.finalizers.is_empty() {
            let names = termination.finalizers.join(", ");
            expected.push(some_day(say("next.finalizers").with("names", names)));
        } else if expected.is_empty() {
            expected.push(some_day(say("next.goes")));
        }
        return expected;
    }
    if facts.is_over() {
        return vec![some_day(say("next.over"))];
    }
    let gates: Vec<&str> = facts
        .spec()
        .iter()
        .flat_map(|spec| spec.scheduling_gates.iter().flatten())
        .map(|gate| gate.name.as_str())
        .collect();
    if !gates.is_empty() {
        return vec![some_day(say("next.gates").with("names", gates.join(", ")))];
    }
    if facts
        .spec()
        .is_none_or(|spec| spec.node_name.as_deref().unwrap_or_default().is_empty())
    {
        return vec![some_day(say("next.scheduling"))];
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

fn has_run(facts: &Facts) -> bool {
    let ended = |container: &Container| matches!(container.state, State::Ended(_));
    facts.containers.iter().any(ended)
}

/// Which container, as in `init container 1/2 setup`.
pub(super) fn title(facts: &Facts, container: &Container) -> Message {
    let message = match container.role {
        Role::Init => say("next.init-container"),
        Role::Sidecar => say("next.sidecar"),
        Role::Regular => say("view.container"),
        Role::Ephemeral => say("view.ephemeral-container"),
    };
    let total = facts
        .spec()
        .and_then(|spec| spec.init_containers.as_ref())
        .map_or(0, Vec::len);
    message
        .with("name", container.name.as_str())
        .with("number", (container.position + 1).to_string())
        .with("total", total.to_string())
}

/// A preStop hook delays the stop signal, within the same grace.
fn stop_signal(facts: &Facts, container: &Container, events: &[Event]) -> Option<Next> {
    let State::Running { .. } = &container.state else {
        return None;
    };
    // Without its hook, it has got the signal.
    let has_failed = events
        .iter()
        .any(|event| event.reason == "FailedPreStopHook" && event.container() == Some(container.name.as_str()));
    if has_failed {
        return None;
    }
    let hook = container.spec.lifecycle.as_ref()?.pre_stop.as_ref()?;
    let requested = facts.termination.as_ref()?.requested();
    let sleeps_until = |seconds| requested.and_then(|at| at.checked_add(SignedDuration::from_secs(seconds)).ok());
    if let Some(sleep) = &hook.sleep
        && sleeps_until(sleep.seconds).is_some_and(|until| until <= facts.now)
    {
        // It has had it.
        return None;
    }
    let (at, what) = match &hook.sleep {
        Some(sleep) => (sleeps_until(sleep.seconds), say("next.stop-after-sleep")),
        None => (None, say("next.stop-after-hook")),
    };
    Some(Next {
        at,
        what: what.with("container", title(facts, container)),
    })
}

fn container_next(facts: &Facts, container: &Container) -> Option<Next> {
    if let Some(next) = &container.next_restart {
        return Some(Next {
            at: next.at,
            what: say("next.restart")
                .with("container", title(facts, container))
                .with("delay", age::human(next.delay)),
        });
    }
    let what = match &container.state {
        State::Waiting { reason, .. } => match reason.as_str() {
            "" | "ContainerCreating" | "PodInitializing" => return None,
            "ImagePullBackOff" | "ErrImagePull" => say("next.pull"),
            "CrashLoopBackOff" | "PostStartHookError" => say("next.restart-some-day"),
            _ => say("next.try"),
        },
        State::Running { .. } if container.role == Role::Init => {
            let follower = facts
                .containers
                .iter()
                .find(|other| {
                    matches!(other.role, Role::Init | Role::Sidecar) && other.position == container.position + 1
                })
                .or_else(|| facts.with_role(Role::Regular).next())?;
            say("next.follower").with("follower", title(facts, follower))
        }
        State::Ended(ended) if starts_again(facts, container.role, ended.exit_code) => say("next.restart-some-day"),
        _ => return None,
    };
    Some(Next {
        at: None,
        what: what.with("container", title(facts, container)),
    })
}

/// Whether the kubelet starts a container again that ended so (`kubelet/container/helpers.go`, `ShouldContainerBeRestarted`).
fn starts_again(facts: &Facts, role: Role, exit_code: i32) -> bool {
    match role {
        Role::Sidecar => true,
        Role::Ephemeral => false,
        Role::Init => exit_code != 0 && facts.restart_policy() != "Never",
        Role::Regular => match facts.restart_policy() {
            "Never" => false,
            "OnFailure" => exit_code != 0,
            _ => true,
        },
    }
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
        what: say("next.startup").with("container", title(facts, container)),
    })
}

fn deadline(facts: &Facts) -> Option<Next> {
    let seconds = facts.spec()?.active_deadline_seconds?;
    let start = facts.status()?.start_time.as_ref()?.0;
    Some(Next {
        at: start.checked_add(SignedDuration::from_secs(seconds)).ok(),
        what: say("next.deadline"),
    })
}

/// What holds where nothing is due.
fn steady(facts: &Facts) -> Next {
    let is_true = |kind: &str| facts.condition(kind).is_some_and(Condition::is_true);
    let waits = |container: &Container| matches!(container.state, State::Waiting { .. } | State::Unreported);
    let gates: Vec<&str> = facts
        .spec()
        .into_iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten())
        .map(|gate| gate.condition_type.as_str())
        .filter(|kind| !is_true(kind))
        .collect();
    if facts.is_node_silent() {
        return Next {
            at: None,
            what: say("next.node-returns"),
        };
    }
    let of_role = |container: &&Container| matches!(container.role, Role::Regular);
    let still_running: Vec<&str> = facts
        .containers
        .iter()
        .filter(of_role)
        .filter(|container| matches!(container.state, State::Running { .. }))
        .map(|container| container.name.as_str())
        .collect();
    let has_ended = facts
        .containers
        .iter()
        .filter(of_role)
        .any(|container| matches!(container.state, State::Ended(_)));
    if has_ended && !still_running.is_empty() && facts.restart_policy() != "Always" {
        return Next {
            at: None,
            what: say("next.still-running").with("running", still_running.join(", ")),
        };
    }
    let what = match (facts.restart_policy(), is_true("Ready")) {
        ("Always", true) => say("next.runs-always"),
        ("OnFailure", true) => say("next.runs-on-failure"),
        (_, true) => say("next.runs-never"),
        (_, false) if facts.containers.iter().any(waits) => say("next.starts"),
        (_, false) if is_true("ContainersReady") && !gates.is_empty() => {
            say("next.readiness-gates").with("names", gates.join(", "))
        }
        (_, false) => say("next.readiness"),
    };
    Next { at: None, what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::saved;
    use k8s_openapi::api::core::v1::Pod;

    fn told(pod: serde_json::Value) -> Vec<String> {
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let facts = Facts::of(pod, "2026-01-01T00:01:00Z".parse().unwrap());
        of(&facts, &[]).into_iter().map(|next| next.what.to_string()).collect()
    }

    fn ended(role: &str, policy: &str, exit_code: i32) -> Vec<String> {
        let container = serde_json::json!([{"name": "a"}]);
        let state = serde_json::json!([{
            "name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 1,
            "state": {"terminated": {"exitCode": exit_code}},
        }]);
        let mut pod = serde_json::json!({
            "metadata": {"name": "web", "uid": "u"},
            "spec": {"nodeName": "n", "restartPolicy": policy, "containers": []}, "status": {"phase": "Running"},
        });
        let (list, statuses) = match role {
            "init" => ("initContainers", "initContainerStatuses"),
            _ => ("containers", "containerStatuses"),
        };
        pod["spec"][list] = container;
        pod["status"][statuses] = state;
        told(pod)
    }

    #[test]
    fn what_ends_starts_again_as_the_policy_says() {
        for (role, policy, exit_code, starts_again) in [
            ("init", "Always", 1, true),
            ("init", "Always", 0, false),
            ("init", "Never", 1, false),
            ("regular", "Always", 0, true),
            ("regular", "OnFailure", 0, false),
            ("regular", "OnFailure", 1, true),
            ("regular", "Never", 1, false),
        ] {
            let told = ended(role, policy, exit_code);
            assert_eq!(
                told[0].contains("starts again"),
                starts_again,
                "{role} {policy} {exit_code}: {told:?}"
            );
        }
    }

    #[test]
    fn what_holds_an_object_whose_containers_have_ended_are_its_finalizers() {
        let mut pod = serde_json::json!({
            "metadata": {
                "name": "web", "uid": "u", "finalizers": ["example.com/hold"],
                "deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": 1,
            },
            "spec": {"nodeName": "n", "containers": [{"name": "a"}]},
            "status": {"phase": "Failed", "containerStatuses": [{
                "name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 137}},
            }]},
        });
        assert_eq!(
            told(pod.clone()),
            ["the object stays until its finalizers are removed: example.com/hold"]
        );
        pod["status"]["containerStatuses"][0]["state"] = serde_json::json!({"running": {}});
        assert!(told(pod)[0].starts_with("grace period ends"));
    }

    #[test]
    fn what_is_waited_for_is_named() {
        let told = |name| {
            let facts = saved::history(name).facts;
            of(&facts, &[]).remove(0).what.to_string()
        };
        assert!(
            told("gated").starts_with("scheduling, once these gates are removed: "),
            "{}",
            told("gated")
        );
        assert!(
            told("readiness-gate").starts_with("the pod is Ready once its readiness gates are True: "),
            "{}",
            told("readiness-gate")
        );
        assert!(
            told("init-fails-always").starts_with("init container 1/1 "),
            "{}",
            told("init-fails-always")
        );
    }
}
