//! What one sync of a pod does: which sandbox and containers it makes, and which it kills, and why.

use super::{
    pod::{Declared, Kind, Pod},
    probe_state::{Finding, ProbeKind, Results},
    restart::{is_to_start, restarts, restarts_after_kill},
    seen::Seen,
};
use crate::runtime::{ContainerId, ContainerState, ContainerStatus};

/// Why a container is killed: it decides the grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillReason {
    /// Its liveness probe failed; that probe's own grace period goes before the pod's.
    Liveness,
    /// Its startup probe failed; likewise.
    Startup,
    /// Anything else.
    Other,
}

/// A container to kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Which instance.
    pub id: ContainerId,
    /// `spec.containers[].name`.
    pub name: String,
    /// What the `Killing` event says.
    pub message: String,
    /// Why.
    pub reason: KillReason,
}

/// A running container that must be made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// `spec.containers[].name`.
    pub name: String,
    /// Why, as its `Killing` event says it.
    pub words: &'static str,
    /// The event goes on to say that it will be restarted.
    pub announced: bool,
}

/// What one sync does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Everything of the pod that runs is killed, its sandbox with it.
    pub kill_pod: bool,
    /// A sandbox is made.
    pub create_sandbox: bool,
    /// Containers killed, in this order.
    pub kill: Vec<Kill>,
    /// Ephemeral containers started, by name.
    pub start_ephemeral: Vec<String>,
    /// Init containers and sidecars started, by name; one that fails ends the sync, unless it is a sidecar.
    pub start_init: Vec<String>,
    /// Containers started, by name.
    pub start: Vec<String>,
}

/// Decides. `changed`: running containers that must be made anew.
pub fn actions(pod: &Pod, seen: &Seen, results: &Results, changed: &[Changed]) -> Actions {
    if seen.needs_sandbox(pod) {
        return with_new_sandbox(pod, seen);
    }
    let mut actions = Actions {
        start_ephemeral: pod
            .of(&[Kind::Ephemeral])
            .filter(|declared| !pod.deleting && seen.newest(declared.name()).is_none())
            .map(|declared| declared.name().to_owned())
            .collect(),
        ..Actions::default()
    };
    let initialized = init_actions(pod, seen, results, changed, &mut actions);
    if actions.kill_pod || !initialized {
        return actions;
    }
    let mut kept = 0;
    for declared in pod.regular() {
        let newest = seen.newest(declared.name());
        let Some(running) = newest.filter(|newest| newest.state == ContainerState::Running) else {
            if is_to_start(pod, declared, newest) {
                kill_unknown(declared, newest, &mut actions);
                actions.start.push(declared.name().to_owned());
            }
            continue;
        };
        let is_changed = changed.iter().find(|one| one.name == declared.name());
        let Some((what, reason)) = fault("Container", declared, running, results, is_changed) else {
            kept += 1;
            continue;
        };
        let restart = is_changed.is_some() || restarts_after_kill(pod, declared);
        if restart {
            actions.start.push(declared.name().to_owned());
        }
        actions.kill.push(Kill {
            id: running.id.clone(),
            name: declared.name().to_owned(),
            message: if restart && is_changed.is_none_or(|changed| changed.announced) {
                format!("{what}, will be restarted")
            } else {
                what
            },
            reason,
        });
    }
    if kept == 0 && actions.start.is_empty() {
        actions.kill_pod = true;
        // Sidecars must not keep the pod alive.
        actions.start_init.clear();
    }
    actions
}

fn with_new_sandbox(pod: &Pod, seen: &Seen) -> Actions {
    let mut actions = Actions {
        kill_pod: true,
        ..Actions::default()
    };
    let never = pod.spec.restart_policy.as_deref() == Some("Never");
    let any_restarts = pod.regular().any(|declared| restarts_after_kill(pod, declared));
    if never && !any_restarts && seen.next_attempt() != 0 && !seen.status.containers.is_empty() {
        return actions;
    }
    let start: Vec<String> = pod
        .regular()
        .filter(|declared| {
            seen.newest(declared.name()).is_none_or(|newest| {
                newest.state != ContainerState::Exited || restarts(pod, declared, newest.exit_code.unwrap_or(0))
            })
        })
        .map(|declared| declared.name().to_owned())
        .collect();
    if start.is_empty() && seen.any_regular_created(pod) {
        return actions;
    }
    actions.create_sandbox = true;
    match pod.init().next() {
        Some(first) => actions.start_init.push(first.name().to_owned()),
        None => actions.start = start,
    }
    actions
}

/// Fills in what init containers need; returns whether regular containers may be looked at.
fn init_actions(pod: &Pod, seen: &Seen, results: &Results, changed: &[Changed], actions: &mut Actions) -> bool {
    let init: Vec<&Declared> = pod.init().collect();
    let Some(last) = init.len().checked_sub(1) else {
        return true;
    };
    // Where a regular container runs in this sandbox, the init containers have done their work, even those that the
    // runtime has forgotten since. One that has ended says nothing: it waits for the last sidecar to come back.
    let before = pod.regular().any(|declared| {
        let newest = seen.newest_here(declared.name());
        newest.is_some_and(|newest| matches!(newest.state, ContainerState::Created | ContainerState::Running))
    });
    let mut initialized = before;
    let mut passed = before;
    let mut start = Vec::new();
    for (index, declared) in init.iter().enumerate().rev() {
        let Some(newest) = seen.newest_here(declared.name()) else {
            if passed && declared.kind == Kind::Sidecar {
                start.push(index);
            }
            continue;
        };
        if passed && declared.kind == Kind::Init {
            continue;
        }
        match (newest.state, declared.kind) {
            (ContainerState::Running, Kind::Sidecar) => {
                let startup = results.get(&newest.id, ProbeKind::Startup);
                let is_changed = changed.iter().find(|one| one.name == declared.name());
                if let Some((message, reason)) = fault("Init container", declared, newest, results, is_changed) {
                    actions.kill.push(Kill {
                        id: newest.id.clone(),
                        name: declared.name().to_owned(),
                        message,
                        reason,
                    });
                    start.push(index);
                }
                if declared.container.startup_probe.is_none() || startup == Some(Finding::Success) {
                    if index == last {
                        initialized = true;
                    } else if !passed {
                        start.push(index + 1);
                    }
                }
            }
            (ContainerState::Running, _) => {}
            (ContainerState::Exited, Kind::Init) if newest.exit_code == Some(0) => {
                if index == last {
                    initialized = true;
                } else {
                    start.push(index + 1);
                }
            }
            (ContainerState::Created | ContainerState::Exited | ContainerState::Unknown, Kind::Init) => {
                let failed = newest.state != ContainerState::Created;
                if failed && !restarts(pod, declared, newest.exit_code.unwrap_or(137)) {
                    actions.kill_pod = true;
                    actions.start_init.clear();
                    return false;
                }
                kill_unknown(declared, Some(newest), actions);
                start.push(index);
            }
            (ContainerState::Created | ContainerState::Exited | ContainerState::Unknown, _) => {
                kill_unknown(declared, Some(newest), actions);
                start.push(index);
            }
        }
        // What comes before the newest one has been passed; of that, only sidecars are kept running.
        passed = true;
    }
    if !passed {
        start.push(0);
    }
    start.sort_unstable();
    start.dedup();
    if !pod.deleting {
        actions.start_init = start.into_iter().map(|index| init[index].name().to_owned()).collect();
    }
    initialized
}

fn fault(
    what: &str,
    declared: &Declared,
    running: &ContainerStatus,
    results: &Results,
    is_changed: Option<&Changed>,
) -> Option<(String, KillReason)> {
    let name = declared.name();
    let failed = |kind| results.get(&running.id, kind) == Some(Finding::Failure);
    if let Some(Changed { words, .. }) = is_changed {
        Some((format!("{what} {name} {words}"), KillReason::Other))
    } else if declared.container.liveness_probe.is_some() && failed(ProbeKind::Liveness) {
        Some((format!("{what} {name} failed liveness probe"), KillReason::Liveness))
    } else if declared.container.startup_probe.is_some() && failed(ProbeKind::Startup) {
        Some((format!("{what} {name} failed startup probe"), KillReason::Startup))
    } else {
        None
    }
}

fn kill_unknown(declared: &Declared, newest: Option<&ContainerStatus>, actions: &mut Actions) {
    if let Some(lost) = newest.filter(|newest| newest.state == ContainerState::Unknown) {
        let what = if declared.kind == Kind::Regular {
            "Container"
        } else {
            "Init container"
        };
        actions.kill.push(Kill {
            id: lost.id.clone(),
            name: declared.name().to_owned(),
            // Two of one container must not run at once.
            message: format!("{what} is in \"unknown\" state, try killing it before restart"),
            reason: KillReason::Other,
        });
    }
}
