//! The row of a pod, with the STATUS that kubectl's users know.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AGE, Column, NAME, age::since};

pub(super) const COLUMNS: [Column; 9] = [
    NAME,
    ("Ready", "string", "", false),
    ("Status", "string", "", false),
    ("Restarts", "string", "", false),
    AGE,
    ("IP", "string", "", true),
    ("Node", "string", "", true),
    ("Nominated Node", "string", "", true),
    ("Readiness Gates", "string", "", true),
];

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let summary = Summary::of(pod);
    let or_none = |value: &Value| json!(value.as_str().filter(|text| !text.is_empty()).unwrap_or("<none>"));
    vec![
        pod["metadata"]["name"].clone(),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.reason),
        json!(summary.restarts.text(now)),
        json!(since(&pod["metadata"]["creationTimestamp"], now)),
        or_none(&pod["status"]["podIPs"][0]["ip"]),
        or_none(&pod["spec"]["nodeName"]),
        or_none(&pod["status"]["nominatedNodeName"]),
        json!(readiness_gates(pod)),
    ]
}

/// Restarts, and when the last of them was.
#[derive(Clone, Debug, Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += status["restartCount"].as_i64().unwrap_or_default();
        let ended = status["lastState"]["terminated"]["finishedAt"]
            .as_str()
            .and_then(|time| time.parse().ok());
        self.last = self.last.max(ended);
    }

    fn text(&self, now: Timestamp) -> String {
        match self.last {
            Some(last) if self.count != 0 => format!("{} ({} ago)", self.count, since(&json!(last.to_string()), now)),
            _ => self.count.to_string(),
        }
    }
}

/// What the row says in few words.
struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: Restarts,
}

impl Summary {
    fn of(pod: &Value) -> Self {
        let status = &pod["status"];
        let phase = text(&status["phase"]);
        let mut summary = Self {
            ready: 0,
            total: list(&pod["spec"]["containers"]).len()
                + list(&pod["spec"]["initContainers"])
                    .iter()
                    .filter(|c| is_sidecar(c))
                    .count(),
            reason: first_of(&[&status["reason"], &status["phase"]]),
            restarts: Restarts::default(),
        };
        if list(&status["conditions"])
            .iter()
            .any(|c| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated")
        {
            summary.reason = "SchedulingGated".to_owned();
        }
        let (initializing, sidecars) = summary.see_init_containers(pod);
        if !initializing || has_condition(status, "Initialized") {
            summary.restarts = sidecars;
            summary.see_containers(status);
        }
        if pod["metadata"]["deletionTimestamp"].is_string() {
            if status["reason"] == "NodeLost" {
                summary.reason = "Unknown".to_owned();
            } else if !matches!(phase, "Succeeded" | "Failed") {
                summary.reason = "Terminating".to_owned();
            }
        }
        summary
    }

    /// Whether the init containers are what the pod is at, and the restarts of the sidecars among them.
    fn see_init_containers(&mut self, pod: &Value) -> (bool, Restarts) {
        let specs = list(&pod["spec"]["initContainers"]);
        let mut sidecars = Restarts::default();
        for (index, container) in list(&pod["status"]["initContainerStatuses"]).iter().enumerate() {
            let sidecar = specs
                .iter()
                .any(|spec| spec["name"] == container["name"] && is_sidecar(spec));
            self.restarts.add(container);
            if sidecar {
                sidecars.add(container);
            }
            let (terminated, waiting) = (&container["state"]["terminated"], &container["state"]["waiting"]);
            if terminated.is_object() && terminated["exitCode"].as_i64().unwrap_or_default() == 0 {
                continue;
            }
            if sidecar && container["started"] == true {
                self.ready += usize::from(container["ready"] == true);
                continue;
            }
            let waits_for = text(&waiting["reason"]);
            self.reason = if terminated.is_object() {
                format!("Init:{}", end(terminated))
            } else if !waits_for.is_empty() && waits_for != "PodInitializing" {
                format!("Init:{waits_for}")
            } else {
                format!("Init:{index}/{}", specs.len())
            };
            return (true, sidecars);
        }
        (false, sidecars)
    }

    fn see_containers(&mut self, status: &Value) {
        let mut runs = false;
        let mut failure = None;
        for container in list(&status["containerStatuses"]).iter().rev() {
            self.restarts.add(container);
            let (terminated, waiting) = (&container["state"]["terminated"], &container["state"]["waiting"]);
            if !text(&waiting["reason"]).is_empty() {
                self.reason = text(&waiting["reason"]).to_owned();
            } else if terminated.is_object() {
                self.reason = end(terminated);
                if terminated["exitCode"].as_i64().unwrap_or_default() != 0 {
                    failure = Some(self.reason.clone());
                }
            } else if container["ready"] == true && container["state"]["running"].is_object() {
                runs = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" {
            // The first container's success does not speak for the others.
            if runs && has_condition(status, "Ready") {
                self.reason = "Running".to_owned();
            } else if let Some(failure) = failure {
                self.reason = failure;
            } else if runs {
                self.reason = "NotReady".to_owned();
            }
        }
    }
}

/// How a container ended.
fn end(terminated: &Value) -> String {
    match (
        text(&terminated["reason"]),
        terminated["signal"].as_i64().unwrap_or_default(),
    ) {
        ("", 0) => format!("ExitCode:{}", terminated["exitCode"]),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn readiness_gates(pod: &Value) -> String {
    let gates = list(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let met = gates
        .iter()
        .filter(|gate| has_condition(&pod["status"], text(&gate["conditionType"])))
        .count();
    format!("{met}/{}", gates.len())
}

fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

fn has_condition(status: &Value, kind: &str) -> bool {
    list(&status["conditions"])
        .iter()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn first_of(values: &[&Value]) -> String {
    values
        .iter()
        .map(|value| text(value))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pod: &Value) -> Vec<String> {
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        cells(pod, now)[1..4]
            .iter()
            .map(|cell| cell.as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_restarted_container_says_when() {
        let pod = json!({
            "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "c"}]},
            "status": {"phase": "Running", "containerStatuses": [{
                "name": "c", "restartCount": 2, "ready": false,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:00:44Z"}},
            }]},
        });
        assert_eq!(row(&pod), ["0/1", "CrashLoopBackOff", "2 (16s ago)"]);
    }

    #[test]
    fn init_containers_are_counted_until_they_are_done() {
        let mut pod = json!({
            "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}, {"name": "j"}]},
            "status": {"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"name": "j", "state": {"waiting": {"reason": "PodInitializing"}}},
            ], "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}}]},
        });
        assert_eq!(row(&pod), ["0/1", "Init:1/2", "0"]);
        pod["status"]["initContainerStatuses"][1]["state"] = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
        assert_eq!(row(&pod), ["0/1", "Init:Error", "0"]);
        pod["status"]["initContainerStatuses"][1]["state"] =
            json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
        assert_eq!(row(&pod), ["0/1", "PodInitializing", "0"]);
    }

    #[test]
    fn a_sidecar_counts_among_the_containers() {
        let pod = json!({
            "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:30Z"},
            "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "s", "restartPolicy": "Always"}]},
            "status": {"phase": "Running", "conditions": [{"type": "Initialized", "status": "True"}],
                "initContainerStatuses": [{"name": "s", "started": true, "ready": true, "state": {"running": {}}}],
                "containerStatuses": [{"name": "c", "ready": true, "state": {"running": {}}}]},
        });
        assert_eq!(row(&pod), ["2/2", "Terminating", "0"]);
    }

    /// Cluster, kubelet and kubectl were real: their rows are what users know.
    #[test]
    fn every_recorded_pod_has_the_row_that_a_real_server_made() {
        let saved = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/saved");
        let mut rows = 0;
        for entry in std::fs::read_dir(saved).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let objects: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let Some(pod) = list(&objects["items"]).iter().find(|object| object["kind"] == "Pod") else {
                continue;
            };
            let printed = std::fs::read_to_string(path.with_extension("get.txt")).unwrap();
            let expected: Vec<&str> = printed.lines().last().unwrap().split("  ").map(str::trim).collect();
            let expected: Vec<&str> = expected.into_iter().filter(|cell| !cell.is_empty()).collect();
            let age: i64 = expected[4].trim_end_matches('s').parse().unwrap();
            let created: Timestamp = text(&pod["metadata"]["creationTimestamp"]).parse().unwrap();
            let now = created.checked_add(jiff::SignedDuration::from_secs(age)).unwrap();
            let made = cells(pod, now);
            let made: Vec<&str> = made[..5].iter().map(text).collect();
            assert_eq!(made, expected, "{}", path.display());
            rows += 1;
        }
        assert!(rows > 20);
    }
}
