//! READY, STATUS and RESTARTS of `kubectl get pods`: computed from the whole status, where the phase is one word of it.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use k8s_openapi::jiff::Timestamp;

/// The computed columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// STATUS.
    pub status: String,
    /// Ready containers, sidecars among them.
    pub ready: usize,
    /// Containers that are meant to run side by side.
    pub total: usize,
    /// Restarts of the containers that count at this stage of the pod's life.
    pub restarts: i32,
    /// When the newest of them happened.
    pub last_restart: Option<Timestamp>,
}

/// Restarts and the newest end among the previous instances.
#[derive(Default)]
struct Restarts {
    count: i32,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, status: &ContainerStatus) {
        self.count += status.restart_count;
        let ended = status
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref())
            .and_then(|terminated| terminated.finished_at.as_ref())
            .map(|time| time.0);
        self.last = self.last.max(ended);
    }
}

impl Computed {
    /// Computes the columns as the API server does for its tables.
    pub fn of(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let sidecars: Vec<&str> = pod
            .spec
            .iter()
            .flat_map(|spec| spec.init_containers.iter().flatten())
            .filter(|container| container.restart_policy.as_deref() == Some("Always"))
            .map(|container| container.name.as_str())
            .collect();
        let init_total = pod.spec.iter().flat_map(|spec| &spec.init_containers).flatten().count();
        let total = pod.spec.as_ref().map_or(0, |spec| spec.containers.len()) + sidecars.len();

        let mut said = initial(&status);
        let mut ready = 0;
        let mut restarts = Restarts::default();
        let mut sidecar_restarts = Restarts::default();
        let mut initializing = false;
        for (number, container) in status.init_container_statuses.iter().flatten().enumerate() {
            let is_sidecar = sidecars.contains(&container.name.as_str());
            restarts.add(container);
            if is_sidecar {
                sidecar_restarts.add(container);
            }
            if ended_well(container) {
                continue;
            }
            if is_sidecar && container.started == Some(true) {
                ready += usize::from(container.ready);
                continue;
            }
            said = init_status(container).unwrap_or_else(|| format!("Init:{number}/{init_total}"));
            initializing = true;
            break;
        }
        if !initializing || has_condition(&status, "Initialized") {
            restarts = sidecar_restarts;
            let mut has_running = false;
            let mut has_failed = false;
            for container in status.container_statuses.iter().flatten().rev() {
                restarts.add(container);
                match container_status(container) {
                    // One that ended well does not hide another that failed.
                    Some(_) if has_failed && ended_well(container) => {}
                    Some(reason) => {
                        has_failed |= has_ended(container) && !ended_well(container);
                        said = reason;
                    }
                    None if container.ready && is_running(container) => {
                        has_running = true;
                        ready += 1;
                    }
                    None => {}
                }
            }
            if said == "Completed" && has_running {
                said = if has_condition(&status, "Ready") {
                    "Running"
                } else {
                    "NotReady"
                }
                .to_owned();
            }
        }
        if pod.metadata.deletion_timestamp.is_some() {
            let is_over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
            if status.reason.as_deref() == Some("NodeLost") {
                said = "Unknown".to_owned();
            } else if !is_over {
                said = "Terminating".to_owned();
            }
        }
        Self {
            status: said,
            ready,
            total,
            restarts: restarts.count,
            last_restart: restarts.last,
        }
    }
}

fn initial(status: &PodStatus) -> String {
    let is_gated = status
        .conditions
        .iter()
        .flatten()
        .any(|one| one.type_ == "PodScheduled" && one.reason.as_deref() == Some("SchedulingGated"));
    if is_gated {
        return "SchedulingGated".to_owned();
    }
    let reason = status.reason.clone().filter(|reason| !reason.is_empty());
    reason.or_else(|| status.phase.clone()).unwrap_or_default()
}

fn has_condition(status: &PodStatus, kind: &str) -> bool {
    status
        .conditions
        .iter()
        .flatten()
        .any(|one| one.type_ == kind && one.status == "True")
}

fn ended_well(container: &ContainerStatus) -> bool {
    let ended = container.state.as_ref().and_then(|state| state.terminated.as_ref());
    ended.is_some_and(|ended| ended.exit_code == 0)
}

fn has_ended(container: &ContainerStatus) -> bool {
    container.state.as_ref().is_some_and(|state| state.terminated.is_some())
}

fn is_running(container: &ContainerStatus) -> bool {
    container.state.as_ref().is_some_and(|state| state.running.is_some())
}

/// What an unfinished init container makes of the pod's status; nothing where only its number can be said.
fn init_status(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if state.terminated.is_some() {
        return container_status(container).map(|reason| format!("Init:{reason}"));
    }
    let reason = state.waiting.as_ref()?.reason.as_deref().unwrap_or_default();
    (!reason.is_empty() && reason != "PodInitializing").then(|| format!("Init:{reason}"))
}

/// The reason for which a container waits or has ended, or else its signal or exit code.
fn container_status(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let given = |reason: &Option<String>| reason.clone().filter(|reason| !reason.is_empty());
    if let Some(reason) = state.waiting.as_ref().and_then(|waiting| given(&waiting.reason)) {
        return Some(reason);
    }
    let ended = state.terminated.as_ref()?;
    given(&ended.reason).or_else(|| match ended.signal {
        Some(signal) if signal != 0 => Some(format!("Signal:{signal}")),
        _ => Some(format!("ExitCode:{}", ended.exit_code)),
    })
}
