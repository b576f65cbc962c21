//! The conditions of a pod that the kubelet owns.

use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};

use super::{
    container_status::{Statuses, state},
    phase::Phase,
    pod::{Kind, Pod},
    resize, restart_all,
    seen::Seen,
};

/// One condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `type`.
    pub kind: &'static str,
    /// `status` is True.
    pub holds: bool,
    /// `reason`; empty for none.
    pub reason: &'static str,
    /// `message`; empty for none.
    pub message: String,
}

impl Condition {
    pub(super) fn holds(kind: &'static str) -> Self {
        Self {
            kind,
            holds: true,
            reason: "",
            message: String::new(),
        }
    }

    fn fails(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            holds: false,
            reason,
            message: message.into(),
        }
    }
}

/// The types of condition that every pod of the kubelet's has, in their order.
pub const OWNED: [&str; 5] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

/// The ones that it writes only where they apply.
const OCCASIONAL: [&str; 3] = [resize::PENDING, resize::IN_PROGRESS, restart_all::CONDITION];

/// Whether the kubelet alone writes conditions of this type; all others it leaves as they are.
pub fn is_owned(kind: &str) -> bool {
    OWNED.contains(&kind) || OCCASIONAL.contains(&kind)
}

/// Whether all containers of the pod are being started anew; none for pods that could never come to that.
pub fn all_restarting(pod: &Pod, seen: &Seen, phase: Phase, published: &PodStatus) -> Option<Condition> {
    if !restart_all::could(pod) {
        return None;
    }
    let kind = restart_all::CONDITION;
    Some(match phase {
        Phase::Succeeded => Condition::fails(kind, "PodCompleted", ""),
        Phase::Failed => Condition::fails(kind, "PodFailed", ""),
        _ if restart_all::should(pod, seen, published) && !restart_all::is_clean(pod, seen) => Condition {
            reason: "RestartAllContainersStarted",
            message: "container exited with restart policy rule".to_owned(),
            ..Condition::holds(kind)
        },
        _ => Condition::fails(kind, "", ""),
    })
}

/// The kubelet's conditions in the order of the status. `published` are the conditions as they stand, for readiness gates.
pub fn conditions(pod: &Pod, seen: &Seen, statuses: &Statuses, phase: Phase, published: &PodStatus) -> Vec<Condition> {
    let containers_ready = containers_ready(pod, statuses, phase);
    let sandbox = if seen.needs_sandbox(pod) {
        Condition::fails(OWNED[0], "", "")
    } else {
        Condition::holds(OWNED[0])
    };
    vec![
        sandbox,
        initialized(pod, statuses, phase),
        ready(pod, &containers_ready, published),
        containers_ready,
        Condition::holds(OWNED[4]),
    ]
}

fn initialized(pod: &Pod, statuses: &Statuses, phase: Phase) -> Condition {
    let kind = OWNED[1];
    let (mut unknown, mut incomplete) = (Vec::new(), Vec::new());
    for declared in pod.init() {
        match statuses.of(declared.name()) {
            None => unknown.push(declared.name()),
            Some(status) => {
                let done = match declared.kind {
                    Kind::Sidecar => status.started == Some(true),
                    _ => status.ready,
                };
                if !done {
                    incomplete.push(declared.name());
                }
            }
        }
    }
    if phase == Phase::Succeeded && unknown.is_empty() {
        return Condition {
            reason: "PodCompleted",
            ..Condition::holds(kind)
        };
    }
    let begun = |status: &ContainerStatus| {
        let last_ended = status.last_state.as_ref().is_some_and(|last| last.terminated.is_some());
        state(status).running.is_some() || state(status).terminated.is_some() || last_ended
    };
    if pod
        .regular()
        .any(|declared| statuses.of(declared.name()).is_some_and(begun))
    {
        return Condition::holds(kind);
    }
    match listed(&[("unknown", &unknown), ("incomplete", &incomplete)]) {
        message if message.is_empty() => Condition::holds(kind),
        message => Condition::fails(kind, "ContainersNotInitialized", message),
    }
}

fn containers_ready(pod: &Pod, statuses: &Statuses, phase: Phase) -> Condition {
    let kind = OWNED[3];
    let (mut unknown, mut unready) = (Vec::new(), Vec::new());
    for declared in pod.of(&[Kind::Sidecar]).chain(pod.regular()) {
        match statuses.of(declared.name()) {
            None => unknown.push(declared.name()),
            Some(status) if !status.ready => unready.push(declared.name()),
            Some(_) => {}
        }
    }
    if phase == Phase::Succeeded && unknown.is_empty() {
        return Condition::fails(kind, "PodCompleted", "");
    }
    if phase == Phase::Failed {
        return Condition::fails(kind, "PodFailed", "");
    }
    match listed(&[("unknown", &unknown), ("unready", &unready)]) {
        message if message.is_empty() => Condition::holds(kind),
        message => Condition::fails(kind, "ContainersNotReady", message),
    }
}

fn ready(pod: &Pod, containers_ready: &Condition, published: &PodStatus) -> Condition {
    let kind = OWNED[2];
    if !containers_ready.holds {
        return Condition {
            kind,
            ..containers_ready.clone()
        };
    }
    let mut missing = Vec::new();
    for gate in pod.spec.readiness_gates.iter().flatten() {
        let gate = &gate.condition_type;
        match published
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == *gate)
        {
            None => missing.push(format!(
                "corresponding condition of pod readiness gate {gate:?} does not exist."
            )),
            Some(condition) if condition.status != "True" => missing.push(format!(
                "the status of pod readiness gate {gate:?} is not \"True\", but {}",
                condition.status
            )),
            Some(_) => {}
        }
    }
    if missing.is_empty() {
        Condition::holds(kind)
    } else {
        Condition::fails(kind, "ReadinessGatesNotReady", missing.join(", "))
    }
}

fn listed(groups: &[(&str, &[&str])]) -> String {
    groups
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("containers with {what} status: [{}]", names.join(" ")))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: serde_json::Value) -> Pod {
        Pod::read(&json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
    }

    fn statuses(list: serde_json::Value) -> Statuses {
        Statuses::for_tests(serde_json::from_value(list).unwrap())
    }

    fn waiting(name: &str) -> serde_json::Value {
        json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0, "started": false, "state": {"waiting": {}}})
    }

    #[test]
    fn names_what_is_incomplete_in_the_order_of_the_spec() {
        let pod = pod(json!({"initContainers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "app"}]}));
        let all = conditions(
            &pod,
            &Seen::default(),
            &statuses(json!([waiting("a"), waiting("app"), waiting("b")])),
            Phase::Pending,
            &PodStatus::default(),
        );
        assert_eq!(all.iter().map(|condition| condition.kind).collect::<Vec<_>>(), OWNED);
        assert_eq!(all[1].message, "containers with incomplete status: [b a]");
        assert_eq!(
            (all[2].reason, all[2].message.as_str()),
            ("ContainersNotReady", "containers with unready status: [app]")
        );
        assert!(!all[0].holds && all[4].holds);
    }

    #[test]
    fn a_failed_pod_says_so_and_nothing_else() {
        let pod = pod(json!({"containers": [{"name": "app"}]}));
        let all = conditions(
            &pod,
            &Seen::default(),
            &statuses(json!([waiting("app")])),
            Phase::Failed,
            &PodStatus::default(),
        );
        assert_eq!((all[2].reason, all[2].message.as_str()), ("PodFailed", ""));
        assert_eq!(all[3].reason, "PodFailed");
    }

    #[test]
    fn a_readiness_gate_without_its_condition_keeps_the_pod_unready() {
        let pod = pod(json!({"containers": [{"name": "app"}], "readinessGates": [{"conditionType": "x/y"}]}));
        let mut app = waiting("app");
        app["ready"] = json!(true);
        let all = conditions(
            &pod,
            &Seen::default(),
            &statuses(json!([app])),
            Phase::Running,
            &PodStatus::default(),
        );
        assert!(all[3].holds);
        assert_eq!(
            all[2].message,
            "corresponding condition of pod readiness gate \"x/y\" does not exist."
        );
    }
}
