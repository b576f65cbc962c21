//! What the runtime shows of a pod, with the questions that decisions ask of it.

use std::collections::BTreeMap;

use super::pod::Pod;
use crate::runtime::{ContainerId, ContainerState, ContainerStatus, PodStatus, SandboxStatus};

/// The runtime's view of a pod at one moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Sandboxes and containers, newest first.
    pub status: PodStatus,
    /// The termination message of each ended container that left one.
    pub messages: BTreeMap<ContainerId, String>,
}

impl Seen {
    /// The newest instance of a container.
    pub fn newest(&self, name: &str) -> Option<&ContainerStatus> {
        self.status.containers.iter().find(|status| status.name == name)
    }

    /// Every instance of a container, newest first.
    pub fn instances<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a ContainerStatus> {
        self.status.containers.iter().filter(move |status| status.name == name)
    }

    /// The newest instance that has ended.
    pub fn newest_ended<'a>(&'a self, name: &'a str) -> Option<&'a ContainerStatus> {
        self.instances(name)
            .find(|status| status.state == ContainerState::Exited)
    }

    /// The newest sandbox.
    pub fn sandbox(&self) -> Option<&SandboxStatus> {
        self.status.sandboxes.first()
    }

    /// The newest instance of a container in the newest sandbox.
    pub fn newest_here(&self, name: &str) -> Option<&ContainerStatus> {
        let sandbox = &self.sandbox()?.id;
        self.newest(name).filter(|status| status.sandbox == *sandbox)
    }

    /// Whether a container of `spec.containers` was made in the sandbox that stands (`pkg/kubelet/container/helpers.go`,
    /// `HasAnyActiveRegularContainerStarted`).
    pub fn has_begun(&self, pod: &Pod) -> bool {
        self.sandbox().is_some_and(|newest| newest.ready)
            && pod
                .regular()
                .any(|declared| self.newest_here(declared.name()).is_some())
    }

    /// Containers whose first process runs.
    pub fn running(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.status
            .containers
            .iter()
            .filter(|status| status.state == ContainerState::Running)
    }

    /// Whether a sandbox must be made: there is none, or it is not usable.
    pub fn needs_sandbox(&self, pod: &Pod) -> bool {
        let ready = self.status.sandboxes.iter().filter(|sandbox| sandbox.ready).count();
        self.sandbox()
            .is_none_or(|newest| ready > 1 || !newest.ready || (newest.ips.is_empty() && !pod.host_network()))
    }

    /// The attempt number of the next sandbox.
    pub fn next_attempt(&self) -> u32 {
        self.sandbox().map_or(0, |sandbox| sandbox.attempt + 1)
    }

    /// Whether a container of `spec.containers` was ever made.
    pub fn any_regular_created(&self, pod: &Pod) -> bool {
        pod.regular().any(|declared| self.newest(declared.name()).is_some())
    }
}
