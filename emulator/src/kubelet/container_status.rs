//! The container statuses of a pod, from its spec, what the runtime shows, and what was published before.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
        ContainerUser, LinuxContainerUser, PodStatus, ResourceRequirements, VolumeMountStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::{
    conditions::Condition,
    pod::{Declared, Kind, Pod},
    probe_state::{Finding, ProbeKind, Results},
    restart::is_to_start,
    restart_all,
    seen::Seen,
    start_failure::StartFailures,
};
use crate::{features::Features, runtime};

/// What the kubelet invents for a container that the runtime no longer knows.
const LOST: &str = "ContainerStatusUnknown";

/// The longest that the termination messages of a pod are together, in bytes.
const MESSAGES_MAX: usize = 12 * 1024;

/// The statuses of all containers of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statuses {
    /// Init containers and sidecars, in the order of the spec.
    pub init: Vec<ContainerStatus>,
    /// Containers, by name.
    pub regular: Vec<ContainerStatus>,
    /// Ephemeral containers, by name.
    pub ephemeral: Vec<ContainerStatus>,
}

impl Statuses {
    /// The status of that container.
    pub fn of(&self, name: &str) -> Option<&ContainerStatus> {
        self.all().find(|status| status.name == name)
    }

    /// Every status.
    pub fn all(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.init.iter().chain(&self.regular).chain(&self.ephemeral)
    }

    #[cfg(test)]
    pub(super) fn for_tests(regular: Vec<ContainerStatus>) -> Self {
        Self {
            regular,
            ..Self::default()
        }
    }
}

/// Everything that the statuses depend on.
pub struct Sources<'a> {
    /// The spec.
    pub pod: &'a Pod,
    /// What the runtime shows.
    pub seen: &'a Seen,
    /// What was published last.
    pub previous: &'a PodStatus,
    /// Starts that failed.
    pub failures: &'a StartFailures,
    /// Results of probes.
    pub results: &'a Results,
    /// Which features are on.
    pub features: &'a Features,
    /// What becomes of a resize.
    pub resize: &'a [Condition],
    /// Its init containers had done their work when the pod began to end.
    pub was_initialized: bool,
    /// What `containerID` begins with.
    pub runtime: &'a str,
}

/// The state of a container; empty where there is none.
pub fn state(status: &ContainerStatus) -> &ContainerState {
    static EMPTY: ContainerState = ContainerState {
        running: None,
        terminated: None,
        waiting: None,
    };
    status.state.as_ref().unwrap_or(&EMPTY)
}

impl Sources<'_> {
    /// The statuses.
    pub fn statuses(&self) -> Statuses {
        let of = |kinds: &'static [Kind]| {
            self.pod
                .of(kinds)
                .map(|declared| self.status(declared))
                .collect::<Vec<_>>()
        };
        let mut statuses = Statuses {
            init: of(&[Kind::Init, Kind::Sidecar]),
            regular: of(&[Kind::Regular]),
            ephemeral: of(&[Kind::Ephemeral]),
        };
        let count = statuses.all().count().max(1);
        let lists = [&mut statuses.init, &mut statuses.regular, &mut statuses.ephemeral];
        for status in lists.into_iter().flatten() {
            cut_message(status.state.as_mut(), MESSAGES_MAX / count);
            cut_message(status.last_state.as_mut(), MESSAGES_MAX / count);
        }
        statuses.regular.sort_by(|a, b| a.name.cmp(&b.name));
        statuses.ephemeral.sort_by(|a, b| a.name.cmp(&b.name));
        statuses
    }

    /// What was told last, with what probes have found since: no more of a container is told while a sync is under way, or
    /// its pod is being ended (`status_manager.go`, `SetContainerReadiness` and `SetContainerStartup`).
    pub fn told_with_findings(&self) -> Statuses {
        let with_findings = |list: &Option<Vec<ContainerStatus>>| {
            let mut told = list.clone().unwrap_or_default();
            for status in &mut told {
                let (Some(declared), Some(newest)) = (self.pod.container(&status.name), self.seen.newest(&status.name))
                else {
                    continue;
                };
                // A probe that began before its container ended may succeed after that.
                if status.container_id.as_ref() != Some(&self.container_id(newest)) || state(status).running.is_none() {
                    continue;
                }
                let passed = |kind| self.results.get(&newest.id, kind) == Some(Finding::Success);
                if declared.container.startup_probe.is_some() && passed(ProbeKind::Startup) {
                    status.started = Some(true);
                }
                if declared.container.readiness_probe.is_some() {
                    status.ready = passed(ProbeKind::Readiness);
                }
            }
            told
        };
        Statuses {
            init: with_findings(&self.previous.init_container_statuses),
            regular: with_findings(&self.previous.container_statuses),
            ephemeral: self.previous.ephemeral_container_statuses.clone().unwrap_or_default(),
        }
    }

    fn status(&self, declared: &Declared) -> ContainerStatus {
        let mut status = match self.seen.newest(declared.name()) {
            Some(newest) => self.with_instances(declared, newest),
            None => self.without_instance(declared),
        };
        self.show_start_failure(declared, &mut status);
        if declared.kind != Kind::Ephemeral {
            self.judge(declared, &mut status);
        }
        status
    }

    fn previous(&self, declared: &Declared) -> Option<&ContainerStatus> {
        let list = match declared.kind {
            Kind::Init | Kind::Sidecar => &self.previous.init_container_statuses,
            Kind::Regular => &self.previous.container_statuses,
            Kind::Ephemeral => &self.previous.ephemeral_container_statuses,
        };
        list.iter().flatten().find(|status| status.name == declared.name())
    }

    fn without_instance(&self, declared: &Declared) -> ContainerStatus {
        let previous = self.previous(declared);
        if let Some(removed) = previous
            .filter(|previous| state(previous).waiting.is_none() && declared.kind != Kind::Ephemeral)
            .filter(|_| restart_all::should(self.pod, self.seen, self.previous))
        {
            return reset(removed);
        }
        if let Some(ended) = previous.filter(|previous| state(previous).terminated.is_some()) {
            return ended.clone();
        }
        let mut status = ContainerStatus {
            name: declared.name().to_owned(),
            image: declared.image().to_owned(),
            state: Some(waiting(
                if self.pod.has_init() {
                    "PodInitializing"
                } else {
                    "ContainerCreating"
                },
                None,
            )),
            last_state: Some(ContainerState::default()),
            volume_mounts: volume_mounts(declared),
            ..ContainerStatus::default()
        };
        let Some(previous) = previous else { return status };
        status.restart_count = previous.restart_count;
        status.last_state = previous.last_state.clone().or(status.last_state);
        if state(previous).running.is_some() {
            // It ran, and the runtime has no trace of it: say that it ended, or the pod would go back to Pending.
            status.last_state = Some(terminated(ContainerStateTerminated {
                reason: Some(LOST.to_owned()),
                message: Some(
                    "The container could not be located when the pod was deleted.  The container used to be Running"
                        .to_owned(),
                ),
                exit_code: 137,
                ..ContainerStateTerminated::default()
            }));
            status.restart_count += i32::from(!self.pod.deleting);
        }
        status
    }

    fn with_instances(&self, declared: &Declared, newest: &runtime::ContainerStatus) -> ContainerStatus {
        let before = self.seen.instances(declared.name()).nth(1);
        let previous = self.previous(declared);
        // History that the runtime has forgotten is still known from what was published.
        let remembered = previous
            .filter(|previous| previous.restart_count == attempt(newest))
            .and_then(|previous| previous.last_state.clone());
        ContainerStatus {
            name: declared.name().to_owned(),
            image: newest.image.clone(),
            image_id: newest.image_id.clone(),
            container_id: Some(self.container_id(newest)),
            restart_count: attempt(newest),
            state: Some(self.state_of(declared, newest)),
            last_state: Some(match before {
                Some(before) => self.state_of(declared, before),
                None => remembered.unwrap_or_default(),
            }),
            resources: Some(ResourceRequirements {
                claims: None,
                ..declared.container.resources.clone().unwrap_or_default()
            }),
            allocated_resources: declared
                .container
                .resources
                .as_ref()
                .and_then(|resources| resources.requests.clone())
                .filter(|requests| !requests.is_empty()),
            user: Some(user(&newest.user)),
            volume_mounts: volume_mounts(declared),
            ..ContainerStatus::default()
        }
    }

    fn container_id(&self, instance: &runtime::ContainerStatus) -> String {
        format!("{}://{}", self.runtime, instance.id.0)
    }

    fn state_of(&self, declared: &Declared, instance: &runtime::ContainerStatus) -> ContainerState {
        match instance.state {
            runtime::ContainerState::Created => ContainerState {
                waiting: Some(ContainerStateWaiting::default()),
                ..ContainerState::default()
            },
            runtime::ContainerState::Running => ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: instance.started_at.map(seconds),
                }),
                ..ContainerState::default()
            },
            runtime::ContainerState::Exited => {
                // An end that was told once stays as it was told: what it was read from may be gone.
                if let Some(told) = self.told_end(declared, instance) {
                    return terminated(told);
                }
                let code = instance.exit_code.unwrap_or(255);
                let reason = match (instance.reason.as_str(), code) {
                    ("", 0) => "Completed",
                    ("", _) => "Error",
                    (reason, _) => reason,
                };
                let message = self.seen.messages.get(&instance.id).unwrap_or(&instance.message);
                terminated(ContainerStateTerminated {
                    container_id: Some(self.container_id(instance)),
                    exit_code: code,
                    reason: Some(reason.to_owned()),
                    message: Some(message.clone()).filter(|message| !message.is_empty()),
                    started_at: Some(seconds(instance.started_at.unwrap_or(Timestamp::UNIX_EPOCH))),
                    finished_at: Some(seconds(instance.finished_at.unwrap_or(Timestamp::UNIX_EPOCH))),
                    signal: None,
                })
            }
            runtime::ContainerState::Unknown => {
                let ran = self
                    .previous(declared)
                    .is_some_and(|previous| state(previous).running.is_some() || state(previous).terminated.is_some());
                if ran {
                    terminated(lost(Some(self.container_id(instance))))
                } else {
                    ContainerState {
                        waiting: Some(ContainerStateWaiting::default()),
                        ..ContainerState::default()
                    }
                }
            }
        }
    }

    fn told_end(&self, declared: &Declared, instance: &runtime::ContainerStatus) -> Option<ContainerStateTerminated> {
        let previous = self.previous(declared)?;
        let id = self.container_id(instance);
        let both = [previous.state.as_ref(), previous.last_state.as_ref()];
        let ends = both.into_iter().flatten().filter_map(|state| state.terminated.as_ref());
        ends.into_iter()
            .find(|ended| ended.container_id.as_ref() == Some(&id))
            .cloned()
    }

    fn show_start_failure(&self, declared: &Declared, status: &mut ContainerStatus) {
        let newest = self.seen.newest(declared.name());
        let init_is_done = matches!(declared.kind, Kind::Init)
            && newest
                .is_some_and(|newest| newest.state == runtime::ContainerState::Exited && newest.exit_code == Some(0));
        if init_is_done || !is_to_start(self.pod, declared, newest) {
            return;
        }
        let Some(failure) = self.failures.of(declared.name()) else {
            return;
        };
        if state(status).terminated.is_some() {
            status.last_state = status.state.take();
        }
        status.state = Some(waiting(
            &failure.reason,
            Some(failure.message.clone()).filter(|message| !message.is_empty()),
        ));
    }

    /// Fills in `started` and `ready`.
    fn judge(&self, declared: &Declared, status: &mut ContainerStatus) {
        let running = state(status).running.is_some();
        let id = self.seen.newest(declared.name()).map(|newest| &newest.id);
        let passed = |kind: ProbeKind| id.is_some_and(|id| self.results.get(id, kind) == Some(Finding::Success));
        let started = running && (declared.container.startup_probe.is_none() || passed(ProbeKind::Startup));
        status.started = Some(started);
        status.ready = match declared.kind {
            Kind::Init => state(status)
                .terminated
                .as_ref()
                .is_some_and(|ended| ended.exit_code == 0),
            _ => started && (declared.container.readiness_probe.is_none() || passed(ProbeKind::Readiness)),
        };
    }
}

/// Cuts the message of an end (`status_manager.go`, `normalizeStatus`).
fn cut_message(state: Option<&mut ContainerState>, most: usize) {
    let ended = state.and_then(|state| state.terminated.as_mut());
    if let Some(message) = ended.and_then(|ended| ended.message.as_mut()) {
        message.truncate(message.floor_char_boundary(most));
    }
}

/// What a container that can't be found any more is said to have ended with.
pub(super) fn lost(container_id: Option<String>) -> ContainerStateTerminated {
    ContainerStateTerminated {
        container_id,
        reason: Some(LOST.to_owned()),
        message: Some("The container could not be located when the pod was terminated".to_owned()),
        exit_code: 137,
        ..ContainerStateTerminated::default()
    }
}

/// What is shown of a container that was removed so that all start anew.
fn reset(removed: &ContainerStatus) -> ContainerStatus {
    const MESSAGE: &str = "The container is removed because RestartAllContainers in place";
    ContainerStatus {
        name: removed.name.clone(),
        image: removed.image.clone(),
        volume_mounts: removed.volume_mounts.clone(),
        restart_count: removed.restart_count + 1,
        state: Some(waiting(restart_all::RESETTING, Some(MESSAGE.to_owned()))),
        last_state: Some(terminated(ContainerStateTerminated {
            reason: Some(restart_all::RESETTING.to_owned()),
            message: Some(MESSAGE.to_owned()),
            exit_code: 137,
            ..ContainerStateTerminated::default()
        })),
        ..ContainerStatus::default()
    }
}

pub(super) fn terminated(ended: ContainerStateTerminated) -> ContainerState {
    ContainerState {
        terminated: Some(ended),
        ..ContainerState::default()
    }
}

fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message,
        }),
        ..ContainerState::default()
    }
}

fn attempt(instance: &runtime::ContainerStatus) -> i32 {
    i32::try_from(instance.attempt).unwrap_or(i32::MAX)
}

/// A time as statuses carry it: whole seconds.
pub(super) fn seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

fn user(user: &runtime::User) -> ContainerUser {
    let mut groups = vec![i64::from(user.gid)];
    groups.extend(
        user.supplemental_groups
            .iter()
            .filter(|group| **group != user.gid)
            .map(|group| i64::from(*group)),
    );
    ContainerUser {
        linux: Some(LinuxContainerUser {
            uid: user.uid.into(),
            gid: user.gid.into(),
            supplemental_groups: Some(groups),
        }),
    }
}

fn volume_mounts(declared: &Declared) -> Option<Vec<VolumeMountStatus>> {
    let mounts = declared.container.volume_mounts.as_ref()?;
    (!mounts.is_empty()).then(|| {
        mounts
            .iter()
            .map(|mount| VolumeMountStatus {
                name: mount.name.clone(),
                mount_path: mount.mount_path.clone(),
                read_only: mount.read_only.filter(|read_only| *read_only),
                recursive_read_only: (mount.read_only == Some(true)).then(|| "Disabled".to_owned()),
                ..VolumeMountStatus::default()
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::runtime::{ContainerId, PodStatus as RuntimeStatus, SandboxId};

    #[test]
    fn late_probe_success_of_an_ended_container_changes_nothing() {
        let probe = json!({"exec": {"command": ["true"]}});
        let spec = json!({"containers": [{"name": "app", "readinessProbe": probe, "startupProbe": probe}]});
        let published = |state: serde_json::Value| -> PodStatus {
            let container = json!({"name": "app", "containerID": "pod://a", "state": state, "ready": false,
                "started": false, "restartCount": 0, "image": "", "imageID": ""});
            serde_json::from_value(json!({"containerStatuses": [container]})).unwrap()
        };
        let id = ContainerId("a".into());
        let mut results = Results::default();
        results.set(&id, ProbeKind::Readiness, Finding::Success);
        results.set(&id, ProbeKind::Startup, Finding::Success);
        let newest = runtime::ContainerStatus {
            id,
            sandbox: SandboxId("s".into()),
            name: "app".into(),
            attempt: 0,
            state: runtime::ContainerState::Exited,
            created_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            finished_at: None,
            exit_code: Some(1),
            reason: String::new(),
            message: String::new(),
            image: String::new(),
            image_id: String::new(),
            declared_image: String::new(),
            user: runtime::User::default(),
            log_path: std::path::PathBuf::new(),
        };
        let seen = Seen {
            status: RuntimeStatus {
                containers: vec![newest],
                ..RuntimeStatus::default()
            },
            ..Seen::default()
        };
        for (state, expected) in [
            (json!({"waiting": {"reason": "CrashLoopBackOff"}}), (false, Some(false))),
            (json!({"terminated": {"exitCode": 1}}), (false, Some(false))),
            (json!({"running": {}}), (true, Some(true))),
        ] {
            let sources = Sources {
                pod: &Pod::read(&json!({"metadata": {}, "spec": spec})).unwrap(),
                seen: &seen,
                previous: &published(state.clone()),
                failures: &StartFailures::default(),
                results: &results,
                features: &Features::default(),
                resize: &[],
                was_initialized: false,
                runtime: "pod",
            };
            let told = sources.told_with_findings();
            assert_eq!((told.regular[0].ready, told.regular[0].started), expected, "{state}");
        }
    }
}
