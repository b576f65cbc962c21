//! The containers of a pod: what the spec asks for and what the status reports, joined by name, in the spec's order.

use k8s_openapi::api::core::v1::{
    Container as Spec, ContainerState, ContainerStateTerminated, ContainerStatus, EphemeralContainer, PodSpec,
    PodStatus, Probe,
};
use k8s_openapi::jiff::Timestamp;

use super::restart::{self, NextRestart};

/// What a container is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next one starts.
    Init,
    /// An init container with restartPolicy Always: runs beside the others until they have ended.
    Sidecar,
    /// The application.
    Regular,
    /// Added for debugging; never restarted.
    Ephemeral,
}

/// One container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it is there for.
    pub role: Role,
    /// Its place in its own list of the spec, from 0.
    pub position: usize,
    /// What the spec asks for; an ephemeral container's fields have the same names and meaning.
    pub spec: Spec,
    /// For an ephemeral container: whose processes it sees.
    pub target: Option<String>,
    /// What the status reports, as it is.
    pub status: Option<ContainerStatus>,
    /// What it is doing.
    pub state: State,
    /// How the instance before the present one ended.
    pub last: Option<Ended>,
    /// When it starts again, while it is backing off.
    pub next_restart: Option<NextRestart>,
}

/// What a container is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The status says nothing about it.
    Unreported,
    /// Not started, or waiting to start again.
    Waiting {
        /// Why, in one word; may be empty.
        reason: String,
        /// Why, in words; may be empty.
        message: String,
    },
    /// Running.
    Running {
        /// Since when.
        since: Option<Timestamp>,
    },
    /// Ended.
    Ended(Ended),
}

/// How an instance of a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit code that is reported; the kubelet invents one where it does not know (see the reason).
    pub exit_code: i32,
    /// The signal, where the runtime reports one.
    pub signal: Option<i32>,
    /// Why, in one word; may be empty.
    pub reason: String,
    /// The termination message; may be empty.
    pub message: String,
    /// When the instance started.
    pub started: Option<Timestamp>,
    /// Whether it never ran: the kubelet then reports a start in 1970.
    pub never_started: bool,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Which instance it was.
    pub container_id: String,
}

impl Container {
    /// Whether it passes for ready.
    pub fn is_ready(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.ready)
    }

    /// Whether its startup is over: it runs, and its startup probe, if any, has succeeded.
    pub fn is_started(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.started == Some(true))
    }

    /// How often it was started again.
    pub fn restarts(&self) -> i32 {
        self.status.as_ref().map_or(0, |status| status.restart_count)
    }

    /// Where events and errors point: `spec.containers{app}`.
    pub fn field_path(&self) -> String {
        format!("spec.{}{{{}}}", self.list(), self.name)
    }

    /// Where the pod's spec has it: `spec.containers[0]`.
    pub fn spec_path(&self) -> String {
        format!("spec.{}[{}]", self.list(), self.position)
    }

    /// Where the pod's status tells of it: `status.containerStatuses{app}`.
    pub fn status_path(&self) -> String {
        let list = match self.role {
            Role::Init | Role::Sidecar => "initContainerStatuses",
            Role::Regular => "containerStatuses",
            Role::Ephemeral => "ephemeralContainerStatuses",
        };
        format!("status.{list}{{{}}}", self.name)
    }

    fn list(&self) -> &'static str {
        match self.role {
            Role::Init | Role::Sidecar => "initContainers",
            Role::Regular => "containers",
            Role::Ephemeral => "ephemeralContainers",
        }
    }

    /// Its probes, with their names, in the order in which the kubelet runs them.
    pub fn probes(&self) -> impl Iterator<Item = (&'static str, &Probe)> {
        [
            ("Startup", self.spec.startup_probe.as_ref()),
            ("Liveness", self.spec.liveness_probe.as_ref()),
            ("Readiness", self.spec.readiness_probe.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, probe)| probe.map(|probe| (name, probe)))
    }

    /// Why it waits, if it does.
    pub fn waiting_reason(&self) -> Option<&str> {
        match &self.state {
            State::Waiting { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The newest instance that ended: the present state, or the one before.
    pub fn newest_end(&self) -> Option<&Ended> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            _ => self.last.as_ref(),
        }
    }
}

/// Joins spec and status.
pub(super) fn merge(spec: &PodSpec, status: &PodStatus) -> Vec<Container> {
    let init = spec
        .init_containers
        .iter()
        .flatten()
        .enumerate()
        .map(|(position, container)| {
            let role = match container.restart_policy.as_deref() {
                Some("Always") => Role::Sidecar,
                _ => Role::Init,
            };
            join(role, position, container.clone(), None, &status.init_container_statuses)
        });
    let regular = spec.containers.iter().enumerate().map(|(position, container)| {
        join(
            Role::Regular,
            position,
            container.clone(),
            None,
            &status.container_statuses,
        )
    });
    let ephemeral = spec
        .ephemeral_containers
        .iter()
        .flatten()
        .enumerate()
        .map(|(position, container)| {
            let target = container.target_container_name.clone();
            let statuses = &status.ephemeral_container_statuses;
            join(Role::Ephemeral, position, as_container(container), target, statuses)
        });
    init.chain(regular).chain(ephemeral).collect()
}

fn join(
    role: Role,
    position: usize,
    spec: Spec,
    target: Option<String>,
    statuses: &Option<Vec<ContainerStatus>>,
) -> Container {
    let status = statuses
        .iter()
        .flatten()
        .find(|status| status.name == spec.name)
        .cloned();
    let state = status
        .as_ref()
        .map_or(State::Unreported, |status| State::of(status.state.as_ref()));
    let last = status
        .as_ref()
        .and_then(|status| status.last_state.as_ref())
        .and_then(|state| state.terminated.as_ref())
        .map(Ended::of);
    Container {
        next_restart: restart::next(&state, last.as_ref()),
        name: spec.name.clone(),
        role,
        position,
        spec,
        target,
        status,
        state,
        last,
    }
}

impl State {
    fn of(state: Option<&ContainerState>) -> Self {
        let Some(state) = state else {
            return Self::waiting_without_reason();
        };
        if let Some(running) = &state.running {
            return Self::Running {
                since: running.started_at.as_ref().map(|time| time.0),
            };
        }
        if let Some(terminated) = &state.terminated {
            return Self::Ended(Ended::of(terminated));
        }
        match &state.waiting {
            Some(waiting) => Self::Waiting {
                reason: waiting.reason.clone().unwrap_or_default(),
                message: waiting.message.clone().unwrap_or_default(),
            },
            None => Self::waiting_without_reason(),
        }
    }

    /// A state without any member means waiting: the API says so.
    fn waiting_without_reason() -> Self {
        Self::Waiting {
            reason: String::new(),
            message: String::new(),
        }
    }
}

impl Ended {
    fn of(terminated: &ContainerStateTerminated) -> Self {
        let started = terminated.started_at.as_ref().map(|time| time.0);
        Self {
            never_started: started.is_some() && known(started).is_none(),
            exit_code: terminated.exit_code,
            signal: terminated.signal.filter(|signal| *signal != 0),
            reason: terminated.reason.clone().unwrap_or_default(),
            message: terminated.message.clone().unwrap_or_default(),
            started: known(started),
            finished: known(terminated.finished_at.as_ref().map(|time| time.0)),
            container_id: terminated.container_id.clone().unwrap_or_default(),
        }
    }
}

/// The kubelet writes the year 1970, and Go the year 1, where it knows no time.
fn known(time: Option<Timestamp>) -> Option<Timestamp> {
    time.filter(|time| time.as_second() > 0)
}

/// An ephemeral container's spec differs from a container's by its target alone.
fn as_container(ephemeral: &EphemeralContainer) -> Spec {
    let from = ephemeral.clone();
    Spec {
        args: from.args,
        command: from.command,
        env: from.env,
        env_from: from.env_from,
        image: from.image,
        image_pull_policy: from.image_pull_policy,
        lifecycle: from.lifecycle,
        liveness_probe: from.liveness_probe,
        name: from.name,
        ports: from.ports,
        readiness_probe: from.readiness_probe,
        resize_policy: from.resize_policy,
        resources: from.resources,
        restart_policy: from.restart_policy,
        restart_policy_rules: from.restart_policy_rules,
        security_context: from.security_context,
        startup_probe: from.startup_probe,
        stdin: from.stdin,
        stdin_once: from.stdin_once,
        termination_message_path: from.termination_message_path,
        termination_message_policy: from.termination_message_policy,
        tty: from.tty,
        volume_devices: from.volume_devices,
        volume_mounts: from.volume_mounts,
        working_dir: from.working_dir,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;

    fn merged(pod: serde_json::Value) -> Vec<Container> {
        let pod: Pod = serde_json::from_value(pod).unwrap();
        merge(&pod.spec.unwrap(), &pod.status.unwrap_or_default())
    }

    #[test]
    fn containers_come_in_the_order_of_the_spec_whatever_the_status_says() {
        let containers = merged(serde_json::json!({
            "spec": {
                "initContainers": [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}],
                "containers": [{"name": "web"}, {"name": "log"}],
                "ephemeralContainers": [{"name": "debug", "targetContainerName": "web"}],
            },
            "status": {"containerStatuses": [
                {"name": "log", "ready": true, "restartCount": 0, "image": "", "imageID": "", "state": {"running": {}}},
                {"name": "web", "ready": false, "restartCount": 3, "image": "", "imageID": "", "state": {}},
            ]},
        }));
        let said: Vec<_> = containers.iter().map(|one| (one.name.as_str(), one.role)).collect();
        assert_eq!(
            said,
            [
                ("setup", Role::Init),
                ("proxy", Role::Sidecar),
                ("web", Role::Regular),
                ("log", Role::Regular),
                ("debug", Role::Ephemeral)
            ]
        );
        assert_eq!(containers[0].state, State::Unreported);
        assert_eq!(containers[2].restarts(), 3);
        assert_eq!(containers[2].waiting_reason(), Some(""));
        assert!(containers[3].is_ready());
        assert_eq!(containers[4].target.as_deref(), Some("web"));
    }
}
