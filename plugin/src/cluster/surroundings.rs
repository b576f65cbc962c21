//! What stands around a pod: fetched at once, each thing only if it is needed, and left out where it may not be read.

use futures::StreamExt;
use k8s_openapi::api::apps::v1::{DaemonSet, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    ConfigMap, Node, PersistentVolumeClaim, Pod, ReplicationController, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject};
use serde_json::Value;

use super::error::ClusterError;
use super::pods::PodAndEvents;
use super::{Cluster, Kind};
use crate::findings::needs::Needs;
use crate::findings::reading::Reading;
use crate::pod::condition::Condition;
use crate::pod::reference::{self, Reference};
use crate::pod::surroundings::{BudgetState, NodeState, OwnerState, ServiceState, Surroundings, Usage};

/// The label that ties endpoints to their Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// How many pods' surroundings are asked for at the same time: a server is not to be flooded.
const AT_ONCE: usize = 16;

impl Cluster {
    /// Completes what was read of a pod with what stands around it, where its state calls for that.
    pub async fn look_around(&self, reading: Reading) -> Reading {
        let needs = reading.needs();
        if needs.is_empty() {
            return reading;
        }
        let around = self.surroundings(&reading.facts.pod, &needs).await;
        reading.within(around)
    }

    /// Reads pods that were fetched, each within its surroundings, some of them at a time and in their order; `flags` are
    /// those that commands to paste need to reach the same cluster.
    pub async fn read(
        &self,
        found: Vec<Result<PodAndEvents, ClusterError>>,
        flags: &[String],
    ) -> Vec<Result<Reading, ClusterError>> {
        let now = Timestamp::now();
        let read = found.into_iter().map(|one| async move {
            match one {
                Ok(fetched) => Ok(self.look_around(Reading::of(fetched, now).with_flags(flags)).await),
                Err(error) => Err(error),
            }
        });
        futures::stream::iter(read).buffered(AT_ONCE).collect().await
    }

    /// Fetches what a pod's state calls for, in one round of requests. What cannot be read is said, and no error.
    pub async fn surroundings(&self, pod: &Pod, needs: &Needs) -> Surroundings {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let (node, references, services, budgets, owner, usage) = tokio::join!(
            self.node(needs.node.as_deref()),
            futures::future::join_all(
                needs
                    .references
                    .iter()
                    .map(|reference| self.reference(namespace, reference))
            ),
            self.services(namespace, pod, needs.services),
            self.budgets(namespace, pod, needs.budgets),
            self.owner(namespace, needs.owner.as_ref()),
            self.usage(namespace, pod, needs.usage),
        );
        let mut around = Surroundings::default();
        let mut unread = Vec::new();
        around.node = kept(node, "node", &mut unread).flatten();
        for (reference, state) in needs.references.iter().zip(references) {
            let what = format!("{} {}", reference.kind.name(), reference.name);
            match kept(state, &what, &mut unread) {
                Some(Presence::Missing) => around.missing.push(reference.clone()),
                Some(Presence::Unbound(phase)) => around.unbound.push((reference.clone(), phase)),
                Some(Presence::There) | None => {}
            }
        }
        around.services = kept(services, "services", &mut unread).unwrap_or_default();
        around.budgets = kept(budgets, "poddisruptionbudgets", &mut unread).unwrap_or_default();
        around.owner = kept(owner, "owner", &mut unread).flatten();
        around.usage = kept(usage, "metrics", &mut unread).unwrap_or_default();
        around.unread = unread;
        around
    }

    /// What the pod's containers use; nothing where the cluster measures nothing.
    async fn usage(&self, namespace: &str, pod: &Pod, is_needed: bool) -> Result<Vec<Usage>, ClusterError> {
        if !is_needed {
            return Ok(Vec::new());
        }
        let metrics = ApiResource {
            group: "metrics.k8s.io".to_owned(),
            version: "v1beta1".to_owned(),
            api_version: "metrics.k8s.io/v1beta1".to_owned(),
            kind: "PodMetrics".to_owned(),
            plural: "pods".to_owned(),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &metrics);
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let measured = match self.limited(api.get(name)).await {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            measured => measured?,
        };
        let text = |value: &Value, pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let containers = measured.data.get("containers").and_then(Value::as_array);
        Ok(containers
            .into_iter()
            .flatten()
            .map(|container| Usage {
                container: text(container, "/name"),
                cpu: text(container, "/usage/cpu"),
                memory: text(container, "/usage/memory"),
            })
            .collect())
    }

    async fn node(&self, name: Option<&str>) -> Result<Option<NodeState>, ClusterError> {
        let Some(name) = name else { return Ok(None) };
        let api: Api<Node> = Api::all(self.client.clone());
        match self.limited(api.get(name)).await {
            Ok(node) => Ok(Some(NodeState {
                name: name.to_owned(),
                exists: true,
                conditions: node
                    .status
                    .into_iter()
                    .flat_map(|status| status.conditions.unwrap_or_default())
                    .map(|condition| Condition {
                        kind: condition.type_,
                        status: condition.status,
                        reason: condition.reason.filter(|reason| !reason.is_empty()),
                        message: condition.message.filter(|message| !message.is_empty()),
                        since: condition.last_transition_time.map(|time| time.0),
                    })
                    .collect(),
            })),
            Err(error) if error.is_not_found() => Ok(Some(NodeState {
                name: name.to_owned(),
                ..NodeState::default()
            })),
            Err(error) => Err(error),
        }
    }

    /// Whether an object is there: its metadata is enough, so that no value of a Secret is ever fetched.
    async fn reference(&self, namespace: &str, reference: &Reference) -> Result<Presence, ClusterError> {
        let name = reference.name.as_str();
        match reference.kind {
            reference::Kind::ConfigMap => self.presence::<ConfigMap>(namespace, name).await,
            reference::Kind::Secret => self.presence::<Secret>(namespace, name).await,
            reference::Kind::ServiceAccount => self.presence::<ServiceAccount>(namespace, name).await,
            reference::Kind::Claim => match self.get::<PersistentVolumeClaim>(namespace, name).await {
                Ok(claim) => {
                    let phase = claim.status.and_then(|status| status.phase).unwrap_or_default();
                    Ok(if phase == "Bound" || phase.is_empty() {
                        Presence::There
                    } else {
                        Presence::Unbound(phase)
                    })
                }
                Err(error) if error.is_not_found() => Ok(Presence::Missing),
                Err(error) => Err(error),
            },
        }
    }

    async fn presence<K: Kind>(&self, namespace: &str, name: &str) -> Result<Presence, ClusterError> {
        match self.limited(self.api::<K>(Some(namespace)).get_metadata(name)).await {
            Ok(_) => Ok(Presence::There),
            Err(error) if error.is_not_found() => Ok(Presence::Missing),
            Err(error) => Err(error),
        }
    }

    async fn services(&self, namespace: &str, pod: &Pod, is_needed: bool) -> Result<Vec<ServiceState>, ClusterError> {
        if !is_needed {
            return Ok(Vec::new());
        }
        let (services, slices) = tokio::join!(
            self.list::<Service>(Some(namespace), ListParams::default()),
            self.list::<EndpointSlice>(Some(namespace), ListParams::default()),
        );
        let (services, slices) = match (services, slices) {
            // A server without Services has none that select the pod.
            (Err(error), _) | (_, Err(error)) if error.is_not_found() => return Ok(Vec::new()),
            (services, slices) => (services?, slices?),
        };
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        Ok(services
            .into_iter()
            .filter(|service| {
                let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
                selector.is_some_and(|selector| {
                    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
                })
            })
            .map(|service| {
                let name = service.metadata.name.unwrap_or_default();
                let own = slices.iter().filter(|slice| {
                    let labels = slice.metadata.labels.as_ref();
                    labels.and_then(|labels| labels.get(SERVICE_NAME)) == Some(&name)
                });
                let endpoints: Vec<bool> = own
                    .flat_map(|slice| slice.endpoints.iter().flatten())
                    .map(|endpoint| {
                        let conditions = endpoint.conditions.as_ref();
                        conditions.and_then(|conditions| conditions.ready).unwrap_or(true)
                    })
                    .collect();
                ServiceState {
                    name,
                    ready: endpoints.iter().filter(|is_ready| **is_ready).count(),
                    total: endpoints.len(),
                }
            })
            .collect())
    }

    async fn budgets(&self, namespace: &str, pod: &Pod, is_needed: bool) -> Result<Vec<BudgetState>, ClusterError> {
        if !is_needed {
            return Ok(Vec::new());
        }
        let budgets = match self
            .list::<PodDisruptionBudget>(Some(namespace), ListParams::default())
            .await
        {
            // A server without them (before 1.21, or none of Kubernetes' own) has none.
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            budgets => budgets?,
        };
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        Ok(budgets
            .into_iter()
            .filter(|budget| {
                let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
                selector.is_some_and(|selector| selects(selector, &labels))
            })
            .filter_map(|budget| {
                let status = budget.status?;
                Some(BudgetState {
                    name: budget.metadata.name.unwrap_or_default(),
                    allowed: status.disruptions_allowed.unwrap_or(0),
                    healthy: status.current_healthy.unwrap_or(0),
                    desired: status.desired_healthy.unwrap_or(0),
                })
            })
            .collect())
    }

    async fn owner(
        &self,
        namespace: &str,
        owner: Option<&(String, String)>,
    ) -> Result<Option<OwnerState>, ClusterError> {
        let Some((kind, name)) = owner else {
            return Ok(None);
        };
        let state = |above: Option<Vec<OwnerReference>>, ready: Option<i32>, wanted: Option<i32>| OwnerState {
            kind: kind.clone(),
            name: name.clone(),
            above: above
                .into_iter()
                .flatten()
                .find(|owner| owner.controller == Some(true))
                .map(|owner| (owner.kind, owner.name)),
            ready: ready.unwrap_or(0),
            wanted: wanted.unwrap_or(0),
        };
        let found = match kind.as_str() {
            "ReplicaSet" => self.get::<ReplicaSet>(namespace, name).await.map(|set| {
                state(
                    set.metadata.owner_references,
                    set.status.and_then(|status| status.ready_replicas),
                    set.spec.replicas,
                )
            }),
            "StatefulSet" => self.get::<StatefulSet>(namespace, name).await.map(|set| {
                state(
                    set.metadata.owner_references,
                    set.status.and_then(|status| status.ready_replicas),
                    set.spec.replicas,
                )
            }),
            "DaemonSet" => self.get::<DaemonSet>(namespace, name).await.map(|set| {
                let status = set.status.unwrap_or_default();
                state(
                    set.metadata.owner_references,
                    Some(status.number_ready),
                    Some(status.desired_number_scheduled),
                )
            }),
            "ReplicationController" => self.get::<ReplicationController>(namespace, name).await.map(|set| {
                state(
                    set.metadata.owner_references,
                    set.status.and_then(|status| status.ready_replicas),
                    set.spec.and_then(|spec| spec.replicas),
                )
            }),
            "Job" => self.get::<Job>(namespace, name).await.map(|job| {
                state(
                    job.metadata.owner_references,
                    job.status.and_then(|status| status.succeeded),
                    job.spec.and_then(|spec| spec.completions),
                )
            }),
            _ => return Ok(None),
        };
        match found {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether something that is referred to is there.
enum Presence {
    There,
    Missing,
    /// A claim in this phase.
    Unbound(String),
}

/// An answer, or a line about why there is none.
fn kept<T>(answer: Result<T, ClusterError>, what: &str, unread: &mut Vec<String>) -> Option<T> {
    answer.map_err(|error| unread.push(format!("{what}: {error}"))).ok()
}

/// Whether a label selector takes these labels (`apimachinery/pkg/apis/meta/v1/helpers.go`).
fn selects(selector: &LabelSelector, labels: &std::collections::BTreeMap<String, String>) -> bool {
    let by_labels = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let by_expressions = selector.match_expressions.iter().flatten().all(|expression| {
        let value = labels.get(&expression.key);
        let is_listed = value.is_some_and(|value| expression.values.iter().flatten().any(|other| other == value));
        match expression.operator.as_str() {
            "In" => is_listed,
            "NotIn" => !is_listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    });
    by_labels && by_expressions
}
