//! A pod whose work is done, or has failed, and that goes on because another container still runs.

use super::command::{here, logs};
use super::message::say;
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::container::{Container, Ended, Role, State};

/// Finds the containers that keep such a pod from ending. Only where nothing is started again: elsewhere they are meant to run.
pub(super) fn rule(facts: &Facts) -> Option<Finding> {
    if facts.restart_policy() == "Always" || facts.phase != "Running" || facts.termination.is_some() {
        return None;
    }
    let regular: Vec<&Container> = facts.with_role(Role::Regular).collect();
    let ended = |container: &&Container| -> Option<Ended> {
        match &container.state {
            // After a failure, OnFailure starts it again.
            State::Ended(ended) if ended.exit_code == 0 || facts.restart_policy() == "Never" => Some(ended.clone()),
            _ => None,
        }
    };
    let (done, others): (Vec<&Container>, Vec<&Container>) = regular.iter().partition(|one| ended(one).is_some());
    let is_held = !done.is_empty()
        && !others.is_empty()
        && others
            .iter()
            .all(|container| matches!(container.state, State::Running { .. }));
    if !is_held {
        return None;
    }
    let names = |containers: &[&Container]| {
        let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
        names.join(", ")
    };
    let has_failed = done.iter().filter_map(ended).any(|ended| ended.exit_code != 0);
    let what = if has_failed {
        say("held.failed")
    } else {
        say("held.done")
    };
    let mut finding = Finding::new(
        Severity::Warning,
        "sidecar",
        what.with("done", names(&done)).with("running", names(&others)),
    );
    for container in &done {
        if let State::Ended(ended) = &container.state {
            finding = finding.ending(container, ended, false);
        }
    }
    for container in &others {
        finding = finding.seen(format!("{}.state", container.status_path()), "running");
    }
    let first = others.first().map_or("", |container| container.name.as_str());
    Some(
        finding
            .because(say("held.cause").with("running", names(&others)))
            .then(say("held.next").with("running", names(&others)))
            .then(say("held.quit.next").with("running", names(&others)))
            .run(logs(facts, first, false))
            .run(here(facts, &["get", "pod", &facts.name, "-w"])),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn found(policy: &str, states: [Value; 2]) -> bool {
        let statuses: Vec<Value> = ["import", "proxy"]
            .iter()
            .zip(states)
            .map(|(name, state)| {
                json!({"name": name, "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": state})
            })
            .collect();
        let pod = json!({"metadata": {"name": "p", "uid": "u"},
            "spec": {"restartPolicy": policy, "containers": [{"name": "import"}, {"name": "proxy"}]},
            "status": {"phase": "Running", "containerStatuses": statuses}});
        let now = k8s_openapi::jiff::Timestamp::UNIX_EPOCH;
        rule(&Facts::of(serde_json::from_value(pod).unwrap(), now)).is_some()
    }

    #[test]
    fn a_container_that_outlives_the_work_is_named() {
        let (running, well, badly) = (
            json!({"running": {}}),
            json!({"terminated": {"exitCode": 0}}),
            json!({"terminated": {"exitCode": 1}}),
        );
        assert!(found("Never", [well.clone(), running.clone()]));
        assert!(found("Never", [badly.clone(), running.clone()]));
        assert!(found("OnFailure", [well.clone(), running.clone()]));
        assert!(!found("OnFailure", [badly, running.clone()]));
        assert!(!found("Always", [well.clone(), running.clone()]));
        assert!(!found("Never", [running.clone(), running]));
        assert!(!found("Never", [well.clone(), well]));
    }
}
