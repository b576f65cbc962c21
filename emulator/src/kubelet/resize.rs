//! Resizing containers in place (KEP-1287): what a pod has been given, and what it still waits for. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::{Map, Value, json};

use super::{
    conditions::Condition,
    pod::{Kind, Pod},
};

/// The condition of a resize that can't be given now, or never.
pub(super) const PENDING: &str = "PodResizePending";
/// The condition of one that is being carried out.
pub(super) const IN_PROGRESS: &str = "PodResizeInProgress";

/// Why a resize is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    /// `Deferred` or `Infeasible`.
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Pending {
    /// It may be possible once others have gone.
    pub(super) fn is_deferred(&self) -> bool {
        self.reason == "Deferred"
    }
}

/// The resources of a pod's containers and of the pod itself.
#[derive(Clone, Debug, Default, PartialEq)]
struct Amounts {
    containers: BTreeMap<String, ResourceRequirements>,
    pod: Option<ResourceRequirements>,
}

impl Amounts {
    fn asked(pod: &Pod) -> Self {
        let resizable = pod.of(&[Kind::Init, Kind::Sidecar, Kind::Regular]);
        Self {
            containers: resizable
                .map(|declared| {
                    let resources = declared.container.resources.clone().unwrap_or_default();
                    (declared.name().to_owned(), resources)
                })
                .collect(),
            pod: pod.spec.resources.clone(),
        }
    }

    /// What a pod whose resize was pending had when an earlier kubelet last told.
    fn told(pod: &Pod) -> Self {
        let mut told = Self::asked(pod);
        let lists = [&pod.status.init_container_statuses, &pod.status.container_statuses];
        for status in lists.into_iter().flatten().flatten() {
            if let Some(resources) = &status.resources {
                told.containers.insert(status.name.clone(), resources.clone());
            }
        }
        told
    }

    /// Has the pod ask for these instead of its own.
    fn put_into(&self, pod: &mut Pod) {
        for declared in &mut pod.containers {
            if let Some(resources) = self.containers.get(declared.name()) {
                declared.container.resources = Some(resources.clone());
            }
        }
        let spec = &mut pod.spec;
        let lists = [Some(&mut spec.containers), spec.init_containers.as_mut()];
        for container in lists.into_iter().flatten().flatten() {
            if let Some(resources) = self.containers.get(&container.name) {
                container.resources = Some(resources.clone());
            }
        }
        spec.resources.clone_from(&self.pod);
    }
}

/// How far the resizes of one pod have come.
#[derive(Clone, Debug, Default)]
pub(super) struct Resizes {
    allocated: Amounts,
    pending: Option<Pending>,
    /// One is being carried out; with what went wrong, where something did.
    in_progress: Option<Option<String>>,
    /// The limits of the pod as a whole are still to be changed.
    of_pod: bool,
}

impl Resizes {
    /// Takes a pod up; where an earlier kubelet held a resize back, the pod goes on with what it had.
    pub(super) fn new(pod: &mut Pod) -> Self {
        let mut conditions = pod.status.conditions.iter().flatten();
        let was_pending = conditions.any(|condition| condition.type_ == PENDING && condition.status == "True");
        let allocated = if was_pending {
            Amounts::told(pod)
        } else {
            Amounts::asked(pod)
        };
        allocated.put_into(pod);
        Self {
            allocated,
            ..Self::default()
        }
    }

    /// Whether the pod asks for anything else than what it has.
    pub(super) fn is_asked_for(&self, pod: &Pod) -> bool {
        Amounts::asked(pod) != self.allocated
    }

    /// What is in the way.
    pub(super) fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// Gives the pod what it asks for.
    pub(super) fn give(&mut self, pod: &Pod) {
        let asked = Amounts::asked(pod);
        self.of_pod |= asked.pod != self.allocated.pod;
        self.allocated = asked;
        self.pending = None;
        self.in_progress = Some(None);
    }

    /// Has the pod go on with what it has; whether this is news.
    pub(super) fn hold_back(&mut self, pod: &mut Pod, pending: Pending) -> bool {
        self.allocated.put_into(pod);
        let news = self.pending.as_ref() != Some(&pending);
        self.pending = Some(pending);
        news
    }

    /// The pod no longer asks for anything else than it has.
    pub(super) fn settle(&mut self, pod: &mut Pod) {
        self.allocated.put_into(pod);
        self.pending = None;
    }

    /// Whether one is being carried out.
    pub(super) fn is_in_progress(&self) -> bool {
        self.in_progress.is_some()
    }

    /// Whether the limits of the pod as a whole are among it.
    pub(super) fn is_of_pod(&self) -> bool {
        self.of_pod
    }

    /// The limits of the pod as a whole have been changed.
    pub(super) fn pod_is_done(&mut self) {
        self.of_pod = false;
    }

    /// It has been carried out.
    pub(super) fn complete(&mut self) {
        self.in_progress = None;
    }

    /// It went wrong; whether this is news.
    pub(super) fn fail(&mut self, error: &str) -> bool {
        let news = self.in_progress.as_ref().and_then(Option::as_deref) != Some(error);
        self.in_progress = Some(Some(error.to_owned()));
        news
    }

    /// The conditions that tell of it.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let mut conditions = Vec::new();
        if let Some(Pending { reason, message }) = &self.pending {
            conditions.push(Condition {
                reason,
                message: message.clone(),
                ..Condition::holds(PENDING)
            });
        }
        match &self.in_progress {
            None => {}
            Some(None) => conditions.push(Condition::holds(IN_PROGRESS)),
            Some(Some(error)) => conditions.push(Condition {
                reason: "Error",
                message: error.clone(),
                ..Condition::holds(IN_PROGRESS)
            }),
        }
        conditions
    }
}

/// What an event says of a resize: `Pod resize started: {"containers":[…],"generation":2}` (`pkg/kubelet/events/resize.go`).
pub(super) fn words(what: &str, pod: &Pod, error: &str) -> String {
    let listed = |kinds: &'static [Kind]| -> Vec<Value> {
        pod.of(kinds)
            .map(|declared| {
                let resources = declared.container.resources.clone().unwrap_or_default();
                json!({"name": declared.name(), "resources": resources})
            })
            .collect()
    };
    let mut summary = Map::new();
    if let Some(resources) = &pod.spec.resources {
        summary.insert("resources".into(), json!(resources));
    }
    for (name, kinds) in [
        ("initContainers", &[Kind::Init, Kind::Sidecar] as &'static [Kind]),
        ("containers", &[Kind::Regular]),
    ] {
        let list = listed(kinds);
        if !list.is_empty() {
            summary.insert(name.into(), Value::Array(list));
        }
    }
    summary.insert("generation".into(), json!(pod.generation.unwrap_or(0)));
    if !error.is_empty() {
        summary.insert("error".into(), json!(error));
    }
    format!("Pod resize {what}: {}", Value::Object(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(cpu: &str) -> Pod {
        let spec = json!({"containers": [{"name": "a", "resources": {"requests": {"cpu": cpu}}}]});
        Pod::read(&json!({"metadata": {"generation": 2}, "spec": spec})).unwrap()
    }

    fn cpu(pod: &Pod) -> String {
        let resources = pod.containers[0].container.resources.clone().unwrap();
        resources.requests.unwrap()["cpu"].0.clone()
    }

    #[test]
    fn a_pod_goes_on_with_what_it_has_until_it_is_given_more() {
        let mut resizes = Resizes::new(&mut pod("1"));
        let mut wanted = pod("9");
        assert!(resizes.is_asked_for(&wanted));
        let pending = Pending {
            reason: "Infeasible",
            message: "no".into(),
        };
        assert!(resizes.hold_back(&mut wanted, pending.clone()));
        assert_eq!(cpu(&wanted), "1");
        assert!(!resizes.hold_back(&mut pod("9"), pending));
        assert_eq!(resizes.conditions()[0].kind, PENDING);
        resizes.give(&pod("2"));
        assert!(!resizes.is_asked_for(&pod("2")));
        assert_eq!(resizes.conditions()[0].kind, IN_PROGRESS);
        resizes.complete();
        assert!(resizes.conditions().is_empty());
    }

    #[test]
    fn events_list_what_is_asked_for() {
        assert_eq!(
            words("Infeasible", &pod("9"), "why"),
            r#"Pod resize Infeasible: {"containers":[{"name":"a","resources":{"requests":{"cpu":"9"}}}],"generation":2,"error":"why"}"#
        );
    }
}
