//! Ending containers: event, preStop hook, each one's turn, stop signal, all within the grace period.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use futures::future::join_all;
use k8s_openapi::api::core::v1::LifecycleHandler;
use tokio::{sync::watch, time::Instant};

use super::{
    actions::{Kill, KillReason},
    edges::Aim,
    node::Node,
    pod::{Declared, Kind, Pod},
    seen::Seen,
};
use crate::events::EventType;

/// However short the grace period, a container gets this long between its stop signal and SIGKILL.
const LEAST: Duration = Duration::from_secs(2);

/// How a pod's containers are killed.
pub(super) struct Killer<'a> {
    pub(super) node: &'a Node,
    pub(super) pod: &'a Pod,
    pub(super) seen: &'a Seen,
    /// Goes before what the pod says: it was deleted with this grace period.
    pub(super) grace: Option<i64>,
    /// The events and hooks have been done: only the grace period is new.
    pub(super) again: bool,
}

impl Killer<'_> {
    /// Kills everything that runs, sidecars after the others and in reverse order.
    pub(super) async fn everything(&self) {
        let kills: Vec<Kill> = self
            .seen
            .running()
            .map(|running| self.stop(&running.id.0, &running.name))
            .collect();
        let order = Order::new(self.pod, &kills);
        join_all(kills.iter().map(|kill| self.one(kill, Some(&order)))).await;
    }

    fn stop(&self, id: &str, name: &str) -> Kill {
        Kill {
            id: crate::runtime::ContainerId(id.to_owned()),
            name: name.to_owned(),
            message: format!("Stopping container {name}"),
            reason: KillReason::Other,
        }
    }

    /// Kills one container and returns when it has ended.
    pub(super) async fn one(&self, kill: &Kill, order: Option<&Order>) {
        let mut left = self.grace_period(kill);
        if let Some(declared) = self.pod.container(&kill.name)
            && !self.again
        {
            self.node
                .container_event(self.pod, declared, EventType::Normal, "Killing", &kill.message);
            if left > Duration::ZERO
                && let Some(handler) = pre_stop(declared)
            {
                let began = Instant::now();
                let mut hook = Box::pin(self.run_hook(declared, kill, handler));
                let in_time = tokio::time::timeout(left, &mut hook).await.is_ok();
                left = left.saturating_sub(Duration::from_secs(began.elapsed().as_secs()));
                if !in_time {
                    // It goes on while its container is stopped, and ends with it.
                    let mut stop = pin!(self.stop_container(kill, order, left));
                    tokio::select! {
                        () = &mut stop => drop(tokio::time::timeout(LEAST, hook).await),
                        () = &mut hook => stop.await,
                    }
                    return;
                }
            }
        }
        self.stop_container(kill, order, left).await;
    }

    /// Waits for the container's turn and stops it.
    async fn stop_container(&self, kill: &Kill, order: Option<&Order>, mut left: Duration) {
        if let Some(order) = order
            && left > Duration::ZERO
        {
            left = left.saturating_sub(order.wait_for_turn(&kill.name, left).await);
        }
        // It can't be told from here whether a container that would not stop is still there; the next look at it will tell.
        drop(self.node.runtime.stop_container(&kill.id, left.max(LEAST)).await);
        if let Some(order) = order {
            order.ended(&kill.name);
        }
    }

    fn grace_period(&self, kill: &Kill) -> Duration {
        let of_probe = self.pod.container(&kill.name).and_then(|declared| {
            let probe = match kill.reason {
                KillReason::Liveness => declared.container.liveness_probe.as_ref(),
                KillReason::Startup => declared.container.startup_probe.as_ref(),
                KillReason::Other => None,
            };
            probe?.termination_grace_period_seconds
        });
        let grace = self.grace.or(of_probe).unwrap_or_else(|| self.pod.termination_grace());
        Duration::from_secs(u64::try_from(grace).unwrap_or(0))
    }

    /// Runs the preStop hook to its end.
    async fn run_hook(&self, declared: &Declared, kill: &Kill, handler: &LifecycleHandler) {
        let aim = Aim {
            pod: self.pod,
            declared,
            id: &kill.id,
            ip: self.seen.sandbox().and_then(|sandbox| sandbox.ips.first().copied()),
        };
        match self.node.edges.hook(aim, handler, None).await {
            Ok(warning) => self.node.hook_event(self.pod, warning.as_deref()),
            // The hook's output may hold secrets: it is told nowhere.
            Err(_) => self.node.container_event(
                self.pod,
                declared,
                EventType::Warning,
                "FailedPreStopHook",
                "PreStopHook failed",
            ),
        }
    }
}

fn pre_stop(declared: &Declared) -> Option<&LifecycleHandler> {
    declared.container.lifecycle.as_ref()?.pre_stop.as_ref()
}

/// Who waits for whom when a pod ends.
pub(super) struct Order {
    ended: BTreeMap<String, watch::Sender<bool>>,
    before: BTreeMap<String, Vec<String>>,
}

impl Order {
    fn new(pod: &Pod, kills: &[Kill]) -> Self {
        let killed = |name: &str| kills.iter().any(|kill| kill.name == name);
        let mut before = BTreeMap::new();
        let mut earlier: Vec<String> = pod.regular().map(|declared| declared.name().to_owned()).collect();
        for sidecar in pod.of(&[Kind::Sidecar]).rev() {
            before.insert(
                sidecar.name().to_owned(),
                earlier.iter().filter(|name| killed(name)).cloned().collect(),
            );
            earlier.push(sidecar.name().to_owned());
        }
        Self {
            ended: kills
                .iter()
                .map(|kill| (kill.name.clone(), watch::Sender::new(false)))
                .collect(),
            before,
        }
    }

    /// Waits until the ones before it have ended, or `most` has passed; returns how long it took, in whole seconds.
    async fn wait_for_turn(&self, name: &str, most: Duration) -> Duration {
        let began = Instant::now();
        let all = async {
            for other in self.before.get(name).into_iter().flatten() {
                if let Some(ended) = self.ended.get(other) {
                    // The sender lives as long as this.
                    drop(ended.subscribe().wait_for(|ended| *ended).await);
                }
            }
        };
        drop(tokio::time::timeout(most, all).await);
        Duration::from_secs(began.elapsed().as_secs())
    }

    fn ended(&self, name: &str) {
        if let Some(ended) = self.ended.get(name) {
            ended.send_replace(true);
        }
    }
}
