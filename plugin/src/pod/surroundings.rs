//! What stands around a pod, as far as it explains the pod's state and could be fetched.

use super::condition::Condition;
use super::event::Event;
use super::reference::Reference;

/// What was fetched from around a pod; nothing is there that was not needed or not permitted.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The pod's node.
    pub node: Option<NodeState>,
    /// Objects that the pod refers to and that do not exist.
    pub missing: Vec<Reference>,
    /// Claims of the pod that exist and are not bound, with their phase.
    pub unbound: Vec<(Reference, String)>,
    /// Services that select the pod.
    pub services: Vec<ServiceState>,
    /// Disruption budgets that select the pod.
    pub budgets: Vec<BudgetState>,
    /// Who made the pod.
    pub owner: Option<OwnerState>,
    /// What containers use now, where the cluster measures it.
    pub usage: Vec<Usage>,
    /// Events about other objects than the pod.
    pub events: Vec<RelatedEvent>,
    /// What could not be read, and why: `nodes "n1": forbidden`.
    pub unread: Vec<String>,
}

impl Surroundings {
    /// The events about one object, in the order in which they happened.
    pub fn events_of<'a>(&'a self, kind: &'a str, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Event> {
        self.events
            .iter()
            .filter(move |one| one.kind == kind && one.name == name)
            .map(|one| &one.event)
    }
}

/// An event about another object than the pod.
#[derive(Clone, Debug)]
pub struct RelatedEvent {
    /// The object's kind.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// The event.
    pub event: Event,
}

/// A node.
#[derive(Clone, Debug, Default)]
pub struct NodeState {
    /// Its name.
    pub name: String,
    /// Whether the API still knows it.
    pub exists: bool,
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// A Service that selects the pod.
#[derive(Clone, Debug, Default)]
pub struct ServiceState {
    /// Its name.
    pub name: String,
    /// Endpoints that get traffic.
    pub ready: usize,
    /// All its endpoints.
    pub total: usize,
}

/// A PodDisruptionBudget that selects the pod.
#[derive(Clone, Debug, Default)]
pub struct BudgetState {
    /// Its name.
    pub name: String,
    /// How many pods may be evicted now.
    pub allowed: i32,
    /// How many are healthy.
    pub healthy: i32,
    /// How many have to be.
    pub desired: i32,
}

/// The controller that made the pod.
#[derive(Clone, Debug, Default)]
pub struct OwnerState {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The controller's own owner, such as the Deployment of a ReplicaSet: kind and name.
    pub above: Option<(String, String)>,
    /// How many of its pods are ready (for a Job: how many have succeeded).
    pub ready: i32,
    /// How many it wants.
    pub wanted: i32,
}

/// What a container uses.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// The container.
    pub container: String,
    /// CPU in cores, as it is measured: `250m`.
    pub cpu: String,
    /// Memory in bytes, as it is measured: `60Mi`.
    pub memory: String,
}
