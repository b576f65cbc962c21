//! What a worker sees of its pod, and what it shows of it: to the API, and to the probers.

use super::{
    container_status::Sources,
    phase::Phase,
    pod::Declared,
    pod_status::{Computed, Life, compute, started},
    probe_state::{Results, Target},
    probers::{Probers, View},
    restart::is_to_start,
    restart_all,
    seen::Seen,
    worker::Worker,
};
use crate::runtime::{ContainerState, RuntimeError};

impl Worker {
    /// Asks the runtime about the pod.
    pub(super) async fn observe(&mut self) -> Result<Seen, RuntimeError> {
        let status = self.node.runtime.pod_status(&self.pod.reference()).await?;
        for ended in status
            .containers
            .iter()
            .filter(|status| status.state == ContainerState::Exited)
        {
            if !self.messages.contains_key(&ended.id)
                && let Some(declared) = self.pod.container(&ended.name)
            {
                let left = self.node.edges.termination_message(&self.pod, declared, ended).await;
                let both = [ended.message.as_str(), left.as_str()];
                let said: Vec<&str> = both.into_iter().filter(|message| !message.is_empty()).collect();
                self.messages.insert(ended.id.clone(), said.join(": "));
            }
        }
        self.messages
            .retain(|id, _| status.containers.iter().any(|status| status.id == *id));
        self.made_from
            .retain(|id, _| status.containers.iter().any(|status| status.id == *id));
        Ok(Seen {
            status,
            messages: self.messages.clone(),
        })
    }

    /// Shows a container that was started last as running once, even if it has ended already; whether it had.
    pub(super) fn show_fresh(&mut self, seen: &mut Seen) -> bool {
        let Some(fresh) = self.fresh.take() else { return false };
        let started = seen.status.containers.iter_mut().find(|status| status.id == fresh);
        let Some(started) = started.filter(|started| started.state == ContainerState::Exited) else {
            return false;
        };
        started.state = ContainerState::Running;
        started.finished_at = None;
        true
    }

    /// Computes the status, writes it where it has changed, and shows the probers the pod.
    pub(super) fn publish(&mut self, seen: &Seen, life: Life) -> Phase {
        let computed = self.compute(seen, life);
        self.publisher.publish(&self.node, &self.pod, &computed);
        if let Some(probers) = &self.probers {
            probers.show(self.view(seen, life));
            let asks = |declared: &&Declared| life == Life::Running && declared.container.readiness_probe.is_some();
            for declared in self.pod.containers.iter().filter(asks) {
                let status = computed.statuses().of(declared.name());
                if status.is_some_and(|status| status.started == Some(true) && !status.ready) {
                    probers.trigger_readiness(declared.name());
                }
            }
        }
        computed.phase
    }

    fn compute(&self, seen: &Seen, life: Life) -> Computed {
        let sources = Sources {
            pod: &self.pod,
            seen,
            previous: self.publisher.published(),
            failures: &self.failures,
            results: &self.results(),
            features: &self.node.features,
            resize: &self.resizes.conditions(),
            was_initialized: self.was_initialized,
            runtime: self.node.runtime.name().0,
        };
        compute(&sources, self.verdict.as_ref(), life, &self.node.host_ips)
    }

    pub(super) fn results(&self) -> Results {
        self.probers.as_ref().map(Probers::results).unwrap_or_default()
    }

    fn view(&self, seen: &Seen, life: Life) -> View {
        let targets = self.pod.containers.iter().filter_map(|declared| {
            let newest = seen.newest(declared.name())?;
            let ended = newest.state == ContainerState::Exited;
            let target = Target {
                id: newest.id.clone(),
                running_since: newest.started_at.filter(|_| newest.state == ContainerState::Running),
                over: ended && !is_to_start(&self.pod, declared, Some(newest)) && !restart_all::could(&self.pod),
                started: started(self.publisher.published(), &self.pod, declared.name()),
            };
            Some((declared.name().to_owned(), target))
        });
        View {
            pod: self.pod.clone(),
            targets: targets.collect(),
            ending: life >= Life::Ended || self.is_ending,
            ip: match seen.sandbox() {
                Some(_) if self.pod.host_network() => self.node.host_ips.first().copied(),
                sandbox => sandbox.and_then(|sandbox| sandbox.ips.first().copied()),
            },
        }
    }
}
