//! Starting all containers of a pod anew because one of them ended as a rule of its own says (KEP-5532): pure.

use k8s_openapi::api::core::v1::PodStatus;

use super::{
    container_status::state,
    pod::{Declared, Pod},
    restart::{RESTART_ALL, action},
    seen::Seen,
};
use crate::runtime::{ContainerId, ContainerState, ContainerStatus};

/// The condition that says that it goes on.
pub(super) const CONDITION: &str = "AllContainersRestarting";

/// The reason in the states of containers that were removed for it.
pub(super) const RESETTING: &str = "RestartingAllContainers";

/// An instance that is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reset {
    /// Which one.
    pub id: ContainerId,
    /// `spec.containers[].name`.
    pub name: String,
    /// It has to be killed first.
    pub kill: bool,
}

/// Whether a rule of any container could ask for it; such pods have the condition.
pub(super) fn could(pod: &Pod) -> bool {
    let rules = |declared: &Declared| declared.container.restart_policy_rules.clone().unwrap_or_default();
    pod.init()
        .chain(pod.regular())
        .any(|declared| rules(declared).iter().any(|rule| rule.action == RESTART_ALL))
}

/// Whether it is to happen, or goes on: a container has ended as such a rule says, or the condition stands.
pub(super) fn should(pod: &Pod, seen: &Seen, published: &PodStatus) -> bool {
    if pod.deleting || !could(pod) {
        return false;
    }
    let stands = |kind: &str| {
        let mut all = published.conditions.iter().flatten();
        all.any(|condition| condition.type_ == kind && condition.status == "True")
    };
    stands(CONDITION)
        || pod
            .init()
            .chain(pod.regular())
            .any(|declared| has_asked(declared, seen, published))
}

fn has_asked(declared: &Declared, seen: &Seen, published: &PodStatus) -> bool {
    let asks = |code: i32| action(declared, code) == Some(RESTART_ALL);
    let newest = seen.newest(declared.name());
    if newest.is_some_and(|newest| is_source(declared, newest)) {
        return true;
    }
    let lists = [&published.init_container_statuses, &published.container_statuses];
    let told = lists.into_iter().flatten().flatten();
    let mut told = told.filter(|status| status.name == declared.name());
    told.any(|status| {
        state(status)
            .terminated
            .as_ref()
            .is_some_and(|ended| asks(ended.exit_code))
    })
}

fn is_source(declared: &Declared, instance: &ContainerStatus) -> bool {
    instance.state == ContainerState::Exited && action(declared, instance.exit_code.unwrap_or(0)) == Some(RESTART_ALL)
}

/// Whether nothing of the pod's containers is left, so that it starts from its beginning.
pub(super) fn is_clean(pod: &Pod, seen: &Seen) -> bool {
    let mut all = pod.init().chain(pod.regular());
    all.all(|declared| seen.newest(declared.name()).is_none())
}

/// What is removed, in this order: those that asked for it come last, so that a kubelet that is restarted meanwhile still
/// knows why (`kuberuntime_manager.go`, `getContainersToReset`).
pub(super) fn resets(pod: &Pod, seen: &Seen) -> Vec<Reset> {
    let (mut sources, mut others) = (Vec::new(), Vec::new());
    for declared in pod.init().chain(pod.regular()) {
        for instance in seen.instances(declared.name()) {
            let reset = Reset {
                id: instance.id.clone(),
                name: declared.name().to_owned(),
                kill: instance.state != ContainerState::Exited,
            };
            if is_source(declared, instance) {
                sources.push(reset);
            } else {
                others.push(reset);
            }
        }
    }
    others.extend(sources);
    others
}
