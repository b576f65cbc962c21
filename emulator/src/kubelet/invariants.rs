//! What holds of every status that is published, for the tests that play whole lives.

use std::collections::HashMap;

use serde_json::Value;

/// The last status of each pod, by UID, and what was wrong with any.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    last: HashMap<String, Value>,
    /// One sentence for each violation.
    pub(crate) violations: Vec<String>,
}

impl Invariants {
    /// Checks a pod's newest version against the rules, and against the version before.
    pub(crate) fn check(&mut self, pod: &Value, is_gone: bool) {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        if is_gone {
            self.last.remove(uid);
            return;
        }
        let status = &pod["status"];
        let found = &mut self.violations;
        for (is_init, container) in containers(status) {
            let state = &container["state"];
            let runs = !state["running"].is_null();
            // An init container that has ended with success counts as ready.
            let is_done = is_init && state["terminated"]["exitCode"] == 0;
            if container["ready"] == true && !runs && !is_done {
                found.push(format!("ready and not running: {container}"));
            }
            if container["started"] == true && !runs {
                found.push(format!("started and not running: {container}"));
            }
        }
        let holds = |kind: &str| {
            let mut all = status["conditions"].as_array().into_iter().flatten();
            all.any(|condition| condition["type"] == kind && condition["status"] == "True")
        };
        if holds("Ready") && !holds("ContainersReady") {
            found.push(format!("Ready without ContainersReady: {status}"));
        }
        let before = self.last.insert(uid.to_owned(), status.clone()).unwrap_or_default();
        let phase = &before["phase"];
        if (phase == "Succeeded" || phase == "Failed") && status["phase"] != *phase {
            found.push(format!("phase {phase} became {}", status["phase"]));
        }
        for (_, container) in containers(status) {
            let mut earlier = containers(&before).map(|(_, other)| other);
            let same = earlier.find(|other| other["name"] == container["name"]);
            let restarts = |status: &Value| status["restartCount"].as_i64().unwrap_or_default();
            if let Some(same) = same.filter(|same| restarts(same) > restarts(container)) {
                found.push(format!("restartCount fell: {same} became {container}"));
            }
        }
    }
}

/// The container statuses, each with whether it is an init container's.
fn containers(status: &Value) -> impl Iterator<Item = (bool, &Value)> {
    let lists = [
        "initContainerStatuses",
        "containerStatuses",
        "ephemeralContainerStatuses",
    ];
    lists.into_iter().flat_map(|list| {
        let all = status[list].as_array().into_iter().flatten();
        all.map(move |container| (list == "initContainerStatuses", container))
    })
}
