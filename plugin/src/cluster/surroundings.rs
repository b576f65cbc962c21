//! What stands around a pod: fetched at once, each thing only if it is needed, and left out where it may not be read.

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod, Secret, ServiceAccount};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::core::{ApiResource, DynamicObject};
use serde_json::Value;

use super::error::ClusterError;
use super::pods::PodAndEvents;
use super::{Cluster, Kind};
use crate::findings::reading::Reading;
use crate::findings::{self, needs::Needs};
use crate::pod::condition::Condition;
use crate::pod::history::History;
use crate::pod::reference::{self, Reference};
use crate::pod::surroundings::{NodeState, Surroundings, Usage};

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

    /// Looks at what stands around the pods whose stories are told with what is wrong with them, some of them at a time.
    pub async fn look_around_stories(&self, histories: &mut [History]) {
        futures::stream::iter(histories)
            .for_each_concurrent(AT_ONCE, |history| self.look_around_story(history))
            .await;
    }

    async fn look_around_story(&self, history: &mut History) {
        let facts = &history.facts;
        let found = findings::of(facts, &history.events);
        let needs = Needs::of(facts, &found, findings::verdict(facts, &found));
        if history.gone.is_none() && !needs.is_empty() {
            history.around = self.surroundings(&facts.pod, &needs).await;
        }
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
