//! One sync of a pod: look, publish, decide, carry out.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};
use tokio::sync::OnceCell;

use super::{
    actions::{Actions, Changed, Kill, KillReason, actions},
    edges::VolumePaths,
    kill::Killer,
    memory_decrease,
    pod::Declared,
    pod_status::Life,
    restart_all, runtime_handler,
    seen::Seen,
    start::{Halt, Starting},
    start_failure::StartFailures,
    worker::{MOUNT, MadeFrom, Synced, Worker},
};
use crate::{
    events::EventType,
    runtime::{ContainerId, ContainerState, SandboxStatus},
};

/// How long a failed sync waits where nothing else says so.
const RETRY: Duration = Duration::from_secs(10);
/// The longest that a failed sync waits.
const MOST: Duration = Duration::from_secs(60);
/// Containers that end as soon as they have started are given this long to do so, before the status is taken.
const SETTLE: Duration = Duration::from_millis(30);

/// What the starts of one sync came to.
#[derive(Default)]
struct Tally {
    /// The shortest wait of the failures.
    retry: Option<Duration>,
    /// A container was started and ended within the sync: the runtime's two changes ask for two syncs.
    more: bool,
    started: Vec<ContainerId>,
}

impl Tally {
    fn failed(&mut self, wait: Option<Duration>) {
        let wait = wait.unwrap_or(RETRY).min(MOST);
        self.retry = Some(self.retry.map_or(wait, |retry| retry.min(wait)));
    }
}

/// Whether one of the limits that have changed is to be changed by a restart.
fn resize_restarts(declared: &Declared, made_from: &MadeFrom) -> bool {
    let amount = |resources: Option<&ResourceRequirements>, name: &str| {
        let of = |map: Option<&BTreeMap<String, Quantity>>| map.and_then(|map| map.get(name).cloned());
        resources.map(|resources| (of(resources.requests.as_ref()), of(resources.limits.as_ref())))
    };
    let policies = declared.container.resize_policy.iter().flatten();
    policies
        .into_iter()
        .filter(|policy| policy.restart_policy == "RestartContainer")
        .any(|policy| {
            let name = &policy.resource_name;
            amount(declared.container.resources.as_ref(), name) != amount(made_from.resources.as_ref(), name)
        })
}

/// What became of limits that change in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resized {
    /// There were none.
    Nothing,
    /// They have changed.
    Done,
    /// The kernel refused.
    Failed,
}

impl Worker {
    /// One sync.
    pub(super) async fn sync(&mut self) -> Synced {
        let more = std::mem::take(&mut self.one_more);
        let mut seen = match self.observe().await {
            Ok(seen) => seen,
            Err(_) => return Synced::Failed { retry: RETRY, more },
        };
        self.note_resized(&seen);
        let cut_short = self.show_fresh(&mut seen);
        self.looked_at = Some(seen.status.clone());
        if cut_short {
            self.publish(&seen, Life::Running);
            return Synced::Again;
        }
        if self.publish(&seen, Life::Running).is_terminal() {
            return Synced::End;
        }
        let Some(volumes) = self.set_up_volumes().await else {
            return Synced::Failed {
                retry: self.volume_backoff(),
                more,
            };
        };
        if restart_all::should(&self.pod, &seen, self.publisher.published()) {
            return self.reset(&seen).await;
        }
        let (changed, resized) = self.changed(&seen).await;
        let actions = actions(&self.pod, &seen, &self.results(), &changed);
        match self.carry_out(&actions, seen, &volumes).await {
            Err(Halt::Ending) => Synced::Again,
            Ok(_) if resized == Resized::Done => Synced::Again,
            Ok(_) if resized == Resized::Failed => Synced::Failed { retry: RETRY, more },
            Err(Halt::Failed(wait)) => Synced::Failed {
                retry: wait.unwrap_or(RETRY).min(MOST),
                more,
            },
            Ok(tally) => {
                self.one_more = tally.more;
                match tally.retry {
                    Some(retry) => Synced::Failed { retry, more },
                    None => Synced::Done { more },
                }
            }
        }
    }

    /// Removes all containers, so that the next sync starts the pod from its beginning.
    async fn reset(&mut self, seen: &Seen) -> Synced {
        let (node, pod) = (self.node.clone(), self.pod.clone());
        let killer = Killer {
            node: &node,
            pod: &pod,
            seen,
            // No preStop hook, and no more time than every container gets.
            grace: Some(0),
            again: false,
        };
        let work = async {
            for reset in restart_all::resets(&pod, seen) {
                if reset.kill {
                    let kill = Kill {
                        id: reset.id.clone(),
                        name: reset.name,
                        message: "killing".to_owned(),
                        reason: KillReason::Other,
                    };
                    killer.one(&kill, None).await;
                }
                // What can't be removed now is tried again by the next sync.
                drop(node.runtime.remove_container(&reset.id).await);
            }
        };
        let _ = self.while_telling(seen, work).await;
        self.failures = StartFailures::default();
        Synced::Again
    }

    async fn set_up_volumes(&mut self) -> Option<VolumePaths> {
        if let Some(volumes) = self.volumes.clone() {
            // Where volumes follow their sources, a sync has nothing to add to a pod that is as it was.
            if self.volumes_outdated || !self.node.renews_in_time {
                self.refresh_volumes().await;
            }
            return Some(volumes);
        }
        match self.node.edges.set_up_volumes(&self.pod).await {
            Ok(volumes) => {
                self.volume_failures = 0;
                self.mounting_since = None;
                self.volumes = Some(volumes.clone());
                Some(volumes)
            }
            Err(failures) => {
                self.volumes_have_failed(&failures);
                let mut missing: Vec<&str> = failures.iter().map(|failure| failure.volume.as_str()).collect();
                missing.sort_unstable();
                self.wait_for_volumes(&missing.join(" "));
                None
            }
        }
    }

    /// Says from time to time what the pod still waits for.
    fn wait_for_volumes(&mut self, missing: &str) {
        let now = self.node.clock.now();
        let since = *self.mounting_since.get_or_insert(now);
        if now.duration_since(since) >= MOUNT {
            self.mounting_since = Some(now);
            let volumes = format!("unmounted volumes=[{missing}], unattached volumes=[], failed to process volumes=[]");
            let message = format!("Unable to attach or mount volumes: {volumes}: context deadline exceeded");
            self.node
                .pod_event(&self.pod, EventType::Warning, "FailedMount", &message);
        }
    }

    /// Running containers that must be made anew because of what has changed in the spec, and in what words;
    /// limits that may change in place do.
    async fn changed(&mut self, seen: &Seen) -> (Vec<Changed>, Resized) {
        let pod = self.pod.clone();
        let (mut changed, mut resized) = (Vec::new(), Resized::Nothing);
        let refusal = self.memory_in_use(seen).await;
        // More room is made before the containers take it. Less is refused while they still have more: then it comes after.
        let of_pod = self
            .resizes
            .is_in_progress()
            .then(|| self.node.edges.pod_resources(&pod));
        let sandbox = seen.sandbox().map(|sandbox| sandbox.id.clone());
        if let (Some(sandbox), Some(limits), None) = (&sandbox, &of_pod, &refusal) {
            drop(self.node.runtime.update_sandbox_resources(sandbox, limits).await);
        }
        for running in seen.running() {
            let Some(declared) = pod.container(&running.name) else {
                continue;
            };
            let wanted = MadeFrom::new(declared);
            let Some(made_from) = self
                .made_from
                .get(&running.id)
                .filter(|made_from| **made_from != wanted)
            else {
                continue;
            };
            let name = running.name.clone();
            if made_from.image != wanted.image {
                changed.push(Changed {
                    name,
                    words: "definition changed",
                    announced: true,
                });
            } else if resize_restarts(declared, made_from) {
                changed.push(Changed {
                    name,
                    words: "resize requires restart",
                    announced: false,
                });
            } else if refusal.is_none() {
                let resources = self.node.edges.resources(&pod, declared);
                let updated = self.node.runtime.update_resources(&running.id, &resources).await;
                match updated {
                    Ok(()) => {
                        self.made_from.insert(running.id.clone(), wanted);
                        resized = Resized::Done;
                    }
                    // What the kernel refuses now (a limit below what is used) is tried again.
                    Err(error) => {
                        self.resize_failed(&error.to_string());
                        return (changed, Resized::Failed);
                    }
                }
            }
        }
        if let Some(refusal) = refusal {
            self.resize_failed(&refusal);
            return (changed, Resized::Failed);
        }
        if self.resizes.is_of_pod() {
            resized = Resized::Done;
        }
        if resized == Resized::Done
            && let (Some(sandbox), Some(limits)) = (&sandbox, &of_pod)
            && let Err(error) = self.node.runtime.update_sandbox_resources(sandbox, limits).await
        {
            self.resize_failed(&error.to_string());
            return (changed, Resized::Failed);
        }
        self.resizes.pod_is_done();
        (changed, resized)
    }

    /// Why limits can't change in place: memory that they would take away is in use.
    async fn memory_in_use(&self, seen: &Seen) -> Option<String> {
        let in_place = seen.running().filter_map(|running| {
            let declared = self.pod.container(&running.name)?;
            let made_from = self.made_from.get(&running.id)?;
            let changes = made_from.image == declared.image() && *made_from != MadeFrom::new(declared);
            let resources = made_from.resources.clone()?;
            (changes && !resize_restarts(declared, made_from)).then(|| (running.name.clone(), resources))
        });
        let had: BTreeMap<String, ResourceRequirements> = in_place.collect();
        if had.is_empty() {
            return None;
        }
        let used = self.node.edges.memory_with_files(&seen.status).await;
        memory_decrease::refusal(&self.pod, &had, &used)
    }

    async fn carry_out(&mut self, actions: &Actions, mut seen: Seen, volumes: &VolumePaths) -> Result<Tally, Halt> {
        let mut tally = Tally::default();
        if actions.create_sandbox && seen.next_attempt() > 0 {
            let message = "Pod sandbox changed, it will be killed and re-created.";
            self.node
                .pod_event(&self.pod, EventType::Normal, "SandboxChanged", message);
        }
        self.kill(actions, &seen).await?;
        if actions.kill_pod && !actions.create_sandbox {
            self.stop_sandboxes().await;
            return Ok(tally);
        }
        // What a container is started with is what was seen before the kills: a container that this sync
        // itself has killed is not backed off.
        if actions.create_sandbox {
            seen.status.sandboxes = self.make_sandbox(&seen).await?;
        }
        let image_volumes = OnceCell::new();
        for name in actions
            .start_ephemeral
            .iter()
            .chain(&actions.start_init)
            .chain(&actions.start)
        {
            let starting = Starting {
                seen: &seen,
                volumes,
                image_volumes: &image_volumes,
            };
            let init = actions.start_init.contains(name);
            match self.start(name, &starting).await {
                Ok(started) => tally.started.push(started),
                Err(Halt::Ending) => return Err(Halt::Ending),
                Err(Halt::Failed(wait)) => {
                    tally.more |= std::mem::take(&mut self.ended_within);
                    tally.failed(wait);
                    let sidecar = self
                        .pod
                        .container(name)
                        .is_some_and(|declared| declared.kind == super::pod::Kind::Sidecar);
                    if init && !sidecar {
                        break;
                    }
                }
            }
        }
        self.let_settle(&tally.started).await;
        Ok(tally)
    }

    async fn kill(&mut self, actions: &Actions, seen: &Seen) -> Result<(), Halt> {
        let (node, pod) = (self.node.clone(), self.pod.clone());
        let killer = Killer {
            node: &node,
            pod: &pod,
            seen,
            grace: None,
            again: false,
        };
        let work = async {
            if actions.kill_pod {
                killer.everything().await;
                return;
            }
            for kill in &actions.kill {
                killer.one(kill, None).await;
            }
        };
        self.while_telling(seen, work).await.ok_or(Halt::Ending)
    }

    /// Makes a sandbox instead of those that there are, and gives all that there are then.
    async fn make_sandbox(&mut self, seen: &Seen) -> Result<Vec<SandboxStatus>, Halt> {
        let attempt = seen.next_attempt();
        if attempt > 0 {
            self.stop_sandboxes().await;
        }
        for omitted in self.node.edges.omitted_dns(&self.pod) {
            self.node
                .pod_event(&self.pod, EventType::Warning, "DNSConfigForming", &omitted);
        }
        let config = self.node.edges.sandbox_config(&self.pod, attempt);
        let bound = match runtime_handler::check(&self.node.store, &self.pod) {
            Ok(()) => self.node.edges.bind_ports(&self.pod).await,
            Err(error) => Err(error),
        };
        let made = match bound {
            Ok(ports) => {
                self.ports = Some(ports);
                let made = self.node.runtime.run_sandbox(&config).await;
                made.map_err(|error| error.to_string())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            self.ports = None;
            let message = format!("Failed to create pod sandbox: {error}");
            self.node
                .pod_event(&self.pod, EventType::Warning, "FailedCreatePodSandBox", &message);
            return Err(Halt::Failed(None));
        }
        // That the sandbox stands is told before images are pulled, and nothing else (`kubelet.go`, `OnPodSandboxReady`).
        let seen = self.observe().await.map_err(|_| Halt::Failed(None))?;
        self.lead_ports(&seen);
        self.publish(&seen, Life::Busy);
        Ok(seen.status.sandboxes)
    }

    /// Several containers started in one sync: those that end at once are seen ended, only the last is seen running.
    async fn let_settle(&mut self, started: &[ContainerId]) {
        let Some((last, earlier)) = started.split_last() else {
            return;
        };
        let hooked = |id: &ContainerId, worker: &Self| worker.hooked.as_ref() == Some(id);
        if !hooked(last, self) {
            self.fresh = Some(last.clone());
        }
        if earlier.is_empty() {
            return;
        }
        let step = SETTLE / 6;
        for _ in 0..6 {
            let Ok(status) = self.node.runtime.pod_status(&self.pod.reference()).await else {
                return;
            };
            let running = |id: &ContainerId| {
                let found = status.containers.iter().find(|status| status.id == *id);
                found.is_some_and(|status| status.state == ContainerState::Running)
            };
            if !earlier.iter().any(running) {
                return;
            }
            tokio::time::sleep(step).await;
        }
    }
}
