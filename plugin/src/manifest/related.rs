//! What a file holds beside its pods: other objects, and events of any object.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event as Recorded, Node, PersistentVolumeClaim, Pod, ReplicationController};
use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::findings::needs::Needs;
use crate::pod::condition::Condition;
use crate::pod::event::{self, Event};
use crate::pod::surroundings::{NodeState, OwnerState, RelatedEvent, Surroundings};

/// The kinds whose times lie in the past: objects of other kinds may hold dates that are still to come.
const DATED: [&str; 14] = [
    "Pod",
    "Event",
    "Node",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "ReplicationController",
    "Service",
    "ConfigMap",
    "Secret",
];

/// Objects and events of some files.
#[derive(Clone, Debug, Default)]
pub struct Related {
    objects: Vec<Value>,
    events: Vec<Recorded>,
    newest: Option<Timestamp>,
}

/// An object that makes pods, and its events.
#[derive(Clone, Debug)]
pub struct OwnerOfFile {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its events, in the order in which they happened.
    pub events: Vec<Event>,
}

impl Related {
    /// Takes an object in.
    pub(super) fn add(&mut self, kind: &str, object: &Value) {
        if DATED.contains(&kind) {
            self.newest = self.newest.max(newest(kind, object));
        }
        if !matches!(kind, "Pod" | "Event") {
            self.objects.push(object.clone());
        }
    }

    /// Takes an event in.
    pub(super) fn add_event(&mut self, recorded: &Recorded) {
        self.events.push(recorded.clone());
    }

    /// The newest time that the files tell of anything that has happened.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// What the files hold about a pod, as far as its state calls for it: the same as is fetched for a pod of a cluster.
    pub fn around(&self, pod: &Pod, needs: &Needs) -> Surroundings {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let mut around = Surroundings {
            node: needs.node.as_deref().and_then(|name| self.node(name)),
            owner: needs
                .owner
                .as_ref()
                .and_then(|(kind, name)| self.owner(namespace, kind, name)),
            events: self.events_in(namespace),
            ..Surroundings::default()
        };
        for reference in &needs.references {
            let claim: Option<PersistentVolumeClaim> = match reference.kind {
                crate::pod::reference::Kind::Claim => {
                    self.typed(Some(namespace), "PersistentVolumeClaim", &reference.name)
                }
                _ => None,
            };
            let phase = claim.and_then(|claim| claim.status?.phase).unwrap_or_default();
            if !phase.is_empty() && phase != "Bound" {
                around.unbound.push((reference.clone(), phase));
            }
        }
        around
    }

    fn find(&self, namespace: Option<&str>, kind: &str, name: &str) -> Option<&Value> {
        self.objects.iter().find(|object| {
            let own = object.pointer("/metadata/namespace").and_then(Value::as_str);
            object["kind"] == kind
                && object.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
                && namespace.is_none_or(|namespace| own.unwrap_or("default") == namespace)
        })
    }

    fn typed<T: DeserializeOwned>(&self, namespace: Option<&str>, kind: &str, name: &str) -> Option<T> {
        serde_json::from_value(self.find(namespace, kind, name)?.clone()).ok()
    }

    fn node(&self, name: &str) -> Option<NodeState> {
        let node: Node = self.typed(None, "Node", name)?;
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        Some(NodeState {
            name: name.to_owned(),
            exists: true,
            conditions: conditions
                .into_iter()
                .map(|condition| Condition {
                    kind: condition.type_,
                    status: condition.status,
                    reason: condition.reason.filter(|reason| !reason.is_empty()),
                    message: condition.message.filter(|message| !message.is_empty()),
                    since: condition.last_transition_time.map(|time| time.0),
                })
                .collect(),
        })
    }

    fn owner(&self, namespace: &str, kind: &str, name: &str) -> Option<OwnerState> {
        let here = Some(namespace);
        let (ready, wanted) = match kind {
            "ReplicaSet" => {
                let set: ReplicaSet = self.typed(here, kind, name)?;
                (set.status.and_then(|status| status.ready_replicas), set.spec.replicas)
            }
            "StatefulSet" => {
                let set: StatefulSet = self.typed(here, kind, name)?;
                (set.status.and_then(|status| status.ready_replicas), set.spec.replicas)
            }
            "DaemonSet" => {
                let status = self.typed::<DaemonSet>(here, kind, name)?.status.unwrap_or_default();
                (Some(status.number_ready), Some(status.desired_number_scheduled))
            }
            "ReplicationController" => {
                let set: ReplicationController = self.typed(here, kind, name)?;
                let ready = set.status.and_then(|status| status.ready_replicas);
                (ready, set.spec.and_then(|spec| spec.replicas))
            }
            "Job" => {
                let job: Job = self.typed(here, kind, name)?;
                let succeeded = job.status.and_then(|status| status.succeeded);
                (succeeded, job.spec.and_then(|spec| spec.completions))
            }
            _ => return None,
        };
        let owners = self.find(here, kind, name)?.pointer("/metadata/ownerReferences");
        let above = owners
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .find(|owner| owner["controller"] == true);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(OwnerState {
            kind: kind.to_owned(),
            name: name.to_owned(),
            above: above.map(|owner| (text(&owner["kind"]), text(&owner["name"]))),
            ready: ready.unwrap_or(0),
            wanted: wanted.unwrap_or(0),
        })
    }

    /// The events of all objects but pods.
    fn events_in(&self, namespace: &str) -> Vec<RelatedEvent> {
        let mut by_object: BTreeMap<(&str, &str), Vec<Event>> = BTreeMap::new();
        for recorded in &self.events {
            let object = &recorded.involved_object;
            let own = object.namespace.as_deref().or(recorded.metadata.namespace.as_deref());
            let (Some(kind), Some(name)) = (object.kind.as_deref(), object.name.as_deref()) else {
                continue;
            };
            if kind != "Pod" && (own.unwrap_or("default") == namespace || kind == "Node") {
                by_object.entry((kind, name)).or_default().push(Event::of(recorded));
            }
        }
        by_object
            .into_iter()
            .flat_map(|((kind, name), events)| {
                event::merged(events).into_iter().map(move |event| RelatedEvent {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    event,
                })
            })
            .collect()
    }

    /// The objects of which an event says that they cannot make their pods.
    pub fn failing_owners(&self) -> Vec<OwnerOfFile> {
        let mut owners: Vec<OwnerOfFile> = Vec::new();
        for recorded in &self.events {
            let object = &recorded.involved_object;
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let (kind, name) = (text(&object.kind), text(&object.name));
            if kind == "Pod" {
                continue;
            }
            let namespace = object.namespace.clone().or_else(|| recorded.metadata.namespace.clone());
            let namespace = namespace.unwrap_or_else(|| "default".to_owned());
            let event = Event::of(recorded);
            let same = owners
                .iter_mut()
                .find(|owner| (&owner.kind, &owner.name, &owner.namespace) == (&kind, &name, &namespace));
            match same {
                Some(owner) => owner.events.push(event),
                None => owners.push(OwnerOfFile {
                    kind,
                    name,
                    namespace,
                    events: vec![event],
                }),
            }
        }
        for owner in &mut owners {
            owner.events = event::merged(std::mem::take(&mut owner.events));
        }
        owners.retain(|owner| crate::findings::failed_create::newest(&owner.events).is_some());
        owners
    }
}

/// The newest time in what a server wrote into an object: its metadata and status, and all of an event.
pub(super) fn newest(kind: &str, object: &Value) -> Option<Timestamp> {
    let mut newest = None;
    if kind == "Event" {
        collect_times(object, &mut newest);
    } else {
        for part in ["metadata", "status"] {
            collect_times(&object[part], &mut newest);
        }
    }
    newest
}

/// A deletion's deadline lies ahead, and what people write may be any date.
fn collect_times(value: &Value, newest: &mut Option<Timestamp>) {
    match value {
        Value::String(text) => *newest = (*newest).max(text.parse::<Timestamp>().ok()),
        Value::Array(items) => items.iter().for_each(|item| collect_times(item, newest)),
        Value::Object(members) => {
            let members = members.iter().filter(|(key, _)| {
                !matches!(
                    key.as_str(),
                    "annotations" | "labels" | "message" | "note" | "deletionTimestamp"
                )
            });
            members.for_each(|(_, member)| collect_times(member, newest));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::reading::Reading;
    use crate::manifest::{Source, read, read_with_owners};

    fn source(items: &[&str]) -> Source {
        Source {
            name: "saved.yaml".into(),
            text: items.join("\n---\n"),
        }
    }

    fn event(kind: &str, name: &str, reason: &str, message: &str, at: &str) -> String {
        format!(
            "{{apiVersion: v1, kind: Event, metadata: {{name: {name}.{reason}, namespace: shop, uid: e}}, type: Warning, reason: \
             {reason}, message: '{message}', involvedObject: {{kind: {kind}, name: {name}, namespace: shop}}, lastTimestamp: \
             \"{at}\"}}"
        )
    }

    const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: db-0, namespace: shop, uid: u, creationTimestamp: \
                       \"2026-01-01T00:00:00Z\"}, spec: {containers: [{name: db, image: a, env: [{name: END, value: \
                       \"2030-01-01T00:00:00Z\"}]}], volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]}, status: {phase: \
                       Pending, conditions: [{type: PodScheduled, status: \"False\", reason: Unschedulable, message: \"pod has unbound \
                       immediate PersistentVolumeClaims\"}]}}";

    #[test]
    fn claims_own_event_explains_why_it_has_no_volume() {
        let told = event(
            "PersistentVolumeClaim",
            "data",
            "ProvisioningFailed",
            "storageclass.storage.k8s.io \"fast\" not found",
            "2026-01-01T00:20:00Z",
        );
        let sources = [source(&[POD, &told])];
        let contents = read(&sources).unwrap();
        assert_eq!(contents.related.newest(), "2026-01-01T00:20:00Z".parse().ok());
        let reading = Reading::of_file(contents.pods[0].pod.clone(), &contents.related);
        let causes: Vec<String> = reading.findings[0].causes.iter().map(ToString::to_string).collect();
        assert!(
            causes.iter().any(|cause| cause.contains("StorageClass fast")),
            "{causes:?}"
        );
    }

    #[test]
    fn owner_that_cannot_create_pods_is_read_without_a_pod() {
        let refused = event(
            "ReplicaSet",
            "web-1",
            "FailedCreate",
            "Error creating: pods \"web-1-a\" is forbidden: exceeded quota: compute, requested: cpu=1, used: cpu=4, limited: cpu=4",
            "2026-01-01T00:20:00Z",
        );
        let sources = [source(&[&refused])];
        assert!(read(&sources).is_err());
        let owners = read_with_owners(&sources).unwrap().related.failing_owners();
        assert_eq!(
            (owners[0].kind.as_str(), owners[0].name.as_str()),
            ("ReplicaSet", "web-1")
        );
        let later = event(
            "ReplicaSet",
            "web-1",
            "SuccessfulCreate",
            "Created pod: web-1-b",
            "2026-01-01T00:21:00Z",
        );
        assert!(read_with_owners(&[source(&[&refused, &later])]).is_err());
    }

    #[test]
    fn saved_node_is_read_like_a_fetched_one() {
        let node = "{apiVersion: v1, kind: Node, metadata: {name: n1, uid: node-1}, status: {conditions: [{type: Ready, status: \
                    \"False\", reason: KubeletNotReady, message: PLEG is not healthy}]}}";
        let mut related = Related::default();
        let sources = [source(&[node])];
        for document in crate::manifest::documents(&sources[0]).unwrap() {
            related.add(&document.kind, &document.value);
        }
        let needs = Needs {
            node: Some("n1".into()),
            ..Needs::default()
        };
        let around = related.around(&Pod::default(), &needs);
        assert_eq!(around.node.unwrap().conditions[0].status, "False");
    }
}
