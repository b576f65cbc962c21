//! Starting one container: back-off, image, configuration, the runtime's part, postStart hook.

use std::time::Duration;

use tokio::sync::OnceCell;

use super::{
    actions::{Kill, KillReason},
    edges::{Aim, Start, VolumePaths},
    image_volumes::ImageVolumes,
    kill::Killer,
    pod::{Declared, Pod},
    seen::Seen,
    start_failure::StartFailure,
    worker::{MadeFrom, Worker},
};
use crate::{
    events::EventType,
    runtime::{ContainerId, ContainerState},
};

/// Why a sync did not go on.
pub(super) enum Halt {
    /// The pod is to be ended.
    Ending,
    /// Something failed; how long to wait, where that is known.
    Failed(Option<Duration>),
}

/// What starts go by.
pub(super) struct Starting<'a> {
    pub(super) seen: &'a Seen,
    pub(super) volumes: &'a VolumePaths,
    /// Had once a sync, by the first container that comes so far.
    pub(super) image_volumes: &'a OnceCell<ImageVolumes>,
}

/// What a container's crash back-off is kept under: another image or other resources start anew.
pub(super) fn backoff_key(declared: &Declared) -> String {
    let resources = serde_json::to_string(&declared.container.resources).unwrap_or_default();
    format!("{} {} {resources}", declared.name(), declared.image())
}

impl Worker {
    /// Starts a container and keeps the outcome for its status.
    pub(super) async fn start(&mut self, name: &str, starting: &Starting<'_>) -> Result<ContainerId, Halt> {
        let pod = self.pod.clone();
        let Some(declared) = pod.container(name) else {
            return Err(Halt::Failed(None));
        };
        match self.try_start(&pod, declared, starting).await {
            Ok(id) => {
                self.failures.record(name, Ok(()));
                self.forget_old_instances(name).await;
                Ok(id)
            }
            Err(Attempt::Ending) => Err(Halt::Ending),
            Err(Attempt::Failed(failure)) => {
                let wait = failure.retry_in;
                self.failures.record(name, Err(failure));
                self.forget_old_instances(name).await;
                Err(Halt::Failed(wait))
            }
        }
    }

    async fn try_start(
        &mut self,
        pod: &Pod,
        declared: &Declared,
        starting: &Starting<'_>,
    ) -> Result<ContainerId, Attempt> {
        self.back_off(pod, declared, starting.seen)?;
        let node = self.node.clone();
        let mut pulls = std::mem::take(&mut self.pulls);
        let images = async {
            let volumes = ImageVolumes::of(&node, pod, &mut pulls);
            let volumes = starting.image_volumes.get_or_init(|| volumes).await;
            let volumes = volumes.mounted_by(declared, &node, pod)?;
            Ok::<_, StartFailure>((volumes, pulls.image(&node, pod, declared).await?))
        };
        let images = self.while_telling(starting.seen, images).await;
        self.pulls = pulls;
        let (image_volumes, image) = images.ok_or(Attempt::Ending)??;
        let ips = starting
            .seen
            .sandbox()
            .map(|sandbox| sandbox.ips.clone())
            .unwrap_or_default();
        let fails = |message: &str| {
            node.container_event(
                pod,
                declared,
                EventType::Warning,
                "Failed",
                &format!("Error: {message}"),
            );
        };
        let target = target(declared, starting.seen).inspect_err(|failure| fails(&failure.message))?;
        let start = Start {
            pod,
            declared,
            image: &image,
            attempt: self.next_attempt(declared, starting.seen),
            volumes: starting.volumes,
            image_volumes: &image_volumes,
            ips: if pod.host_network() { &node.host_ips } else { &ips },
            target,
        };
        let config = node
            .edges
            .container_config(start)
            .await
            .inspect_err(|failure| fails(&failure.message))?;
        let Some(sandbox) = starting.seen.sandbox().map(|sandbox| sandbox.id.clone()) else {
            return Err(StartFailure::new("CreateContainerError", "the pod has no sandbox").into());
        };
        let id = match node.runtime.create_container(&sandbox, &config).await {
            Ok(id) => id,
            Err(error) => {
                fails(&error.to_string());
                return Err(StartFailure::new("CreateContainerError", error.to_string()).into());
            }
        };
        self.made_from.insert(id.clone(), MadeFrom::new(declared));
        node.container_event(pod, declared, EventType::Normal, "Created", "Container created");
        if let Err(error) = node.runtime.start_container(&id).await {
            fails(&error.to_string());
            return Err(StartFailure::new("RunContainerError", error.to_string()).into());
        }
        node.container_event(pod, declared, EventType::Normal, "Started", "Container started");
        self.post_start(pod, declared, starting.seen, &id).await?;
        Ok(id)
    }

    /// Refuses to start a container whose crash back-off runs.
    fn back_off(&mut self, pod: &Pod, declared: &Declared, seen: &Seen) -> Result<(), StartFailure> {
        let Some(ended) = seen.newest_ended(declared.name()) else {
            return Ok(());
        };
        let now = self.node.clock.now();
        let since = ended.finished_at.unwrap_or(ended.created_at);
        let key = backoff_key(declared);
        let Some(left) = self.crashes.remaining(&key, since, now) else {
            self.crashes.bump(&key, since, now);
            return Ok(());
        };
        let (name, full_name) = (declared.name(), pod.full_name());
        let message = format!("Back-off restarting failed container {name} in pod {full_name}");
        self.node
            .container_event(pod, declared, EventType::Warning, "BackOff", &message);
        let delay = go_duration(self.crashes.delay(&key));
        let message = format!("back-off {delay} restarting failed container={name} pod={full_name}");
        Err(StartFailure::back_off("CrashLoopBackOff", message, left))
    }

    fn next_attempt(&self, declared: &Declared, seen: &Seen) -> u32 {
        if let Some(newest) = seen.newest(declared.name()) {
            return newest.attempt + 1;
        }
        // Of containers that the runtime has forgotten only the published count is left; where one was
        // lost while it ran, its restart is counted there already.
        self.publisher.restarts_of(declared.name())
    }

    async fn post_start(
        &mut self,
        pod: &Pod,
        declared: &Declared,
        seen: &Seen,
        id: &ContainerId,
    ) -> Result<(), Attempt> {
        let lifecycle = declared.container.lifecycle.as_ref();
        let Some(handler) = lifecycle.and_then(|lifecycle| lifecycle.post_start.as_ref()) else {
            return Ok(());
        };
        self.hooked = Some(id.clone());
        let node = self.node.clone();
        let aim = Aim {
            pod,
            declared,
            id,
            ip: seen.sandbox().and_then(|sandbox| sandbox.ips.first().copied()),
        };
        let hook = node.edges.hook(aim, handler, None);
        let outcome = self.while_telling(seen, hook).await.ok_or(Attempt::Ending)?;
        let message = match outcome {
            Ok(warning) => {
                node.hook_event(pod, warning.as_deref());
                return Ok(());
            }
            Err(message) => message,
        };
        // The hook's output may hold secrets: it goes into the status, not into the event.
        node.container_event(
            pod,
            declared,
            EventType::Warning,
            "FailedPostStartHook",
            "PostStartHook failed",
        );
        let kill = Kill {
            id: id.clone(),
            name: declared.name().to_owned(),
            message: "FailedPostStartHook".to_owned(),
            reason: KillReason::Other,
        };
        let killer = Killer {
            node: &node,
            pod,
            seen,
            grace: None,
            again: false,
        };
        let killing = killer.one(&kill, None);
        self.while_telling(seen, killing).await.ok_or(Attempt::Ending)?;
        self.ended_within = true;
        Err(StartFailure::new("PostStartHookError", message).into())
    }

    /// Of each container the runtime keeps the newest two instances: `state` and `lastState`.
    async fn forget_old_instances(&self, name: &str) {
        let Ok(status) = self.node.runtime.pod_status(&self.pod.reference()).await else {
            return;
        };
        let old = status.containers.iter().filter(|status| status.name == name).skip(2);
        for ended in old.filter(|status| status.state == ContainerState::Exited) {
            // What can't be removed now is removed with the pod.
            drop(self.node.runtime.remove_container(&ended.id).await);
        }
    }
}

/// The container whose processes an ephemeral container is to see; it has to be there already
/// (`kuberuntime_container.go`, `getTargetID`).
fn target(declared: &Declared, seen: &Seen) -> Result<Option<ContainerId>, StartFailure> {
    let Some(name) = &declared.target else {
        return Ok(None);
    };
    match seen.newest(name) {
        Some(target) => Ok(Some(target.id.clone())),
        None => Err(StartFailure::new(
            "CreateContainerConfigError",
            format!("unable to find target container {name}"),
        )),
    }
}

enum Attempt {
    Ending,
    Failed(StartFailure),
}

impl From<StartFailure> for Attempt {
    fn from(failure: StartFailure) -> Self {
        Self::Failed(failure)
    }
}

/// Whole seconds in Go's words: `10s`, `1m20s`, `5m0s`.
fn go_duration(duration: Duration) -> String {
    match (duration.as_secs() / 60, duration.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (seconds, expected) in [(10, "10s"), (80, "1m20s"), (300, "5m0s")] {
            assert_eq!(go_duration(Duration::from_secs(seconds)), expected);
        }
    }
}
