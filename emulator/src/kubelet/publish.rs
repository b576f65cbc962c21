//! Writing a pod's status into its object, and taking the object away in the end.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodStatus;
use serde_json::{Value, json};

use super::{
    conditions::is_owned,
    container_status::seconds,
    node::Node,
    phase::Phase,
    pod::Pod,
    pod_status::{Computed, Verdict, refused},
};
use crate::{
    runtime::MIRROR_ANNOTATION,
    store::{Key, Resource, StoreError},
};

/// What is published of one pod.
pub(super) struct Publisher {
    key: Key,
    published: PodStatus,
    /// The same as it is written; kept for pods whose object is gone or not there yet.
    status: Value,
    owing: bool,
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the object of that name is another pod's")]
    Another,
}

impl Publisher {
    pub(super) fn new(pod: &Pod) -> Self {
        Self {
            key: Key::new(Resource::Pods, &pod.namespace, &pod.name),
            published: pod.status.clone(),
            status: pod.object["status"].clone(),
            owing: false,
        }
    }

    /// Whether the disk did not take the last status: it is to be written soon, not when something else happens.
    pub(super) fn is_owing(&self) -> bool {
        self.owing
    }

    /// The status as it stands.
    pub(super) fn published(&self) -> &PodStatus {
        &self.published
    }

    /// The phase as it stands.
    pub(super) fn phase(&self) -> Phase {
        self.published
            .phase
            .as_deref()
            .and_then(Phase::parse)
            .unwrap_or_default()
    }

    /// `status.startTime`.
    pub(super) fn started_at(&self) -> Option<Timestamp> {
        self.published.start_time.as_ref().map(|time| time.0)
    }

    /// Whether a container is shown as ready.
    pub(super) fn is_ready(&self, container: &str) -> bool {
        let lists = [
            &self.published.container_statuses,
            &self.published.init_container_statuses,
        ];
        let mut all = lists.into_iter().flatten().flatten();
        all.any(|status| status.name == container && status.ready)
    }

    /// The restart count that the next instance of a container gets, where only the status tells of the ones before.
    pub(super) fn restarts_of(&self, container: &str) -> u32 {
        let lists = [
            &self.published.container_statuses,
            &self.published.init_container_statuses,
        ];
        let mut all = lists.into_iter().flatten().flatten();
        let Some(shown) = all.find(|status| status.name == container) else {
            return 0;
        };
        let ended = super::container_status::state(shown).terminated.is_some();
        u32::try_from(shown.restart_count).unwrap_or(0) + u32::from(ended)
    }

    /// Takes over conditions that others have set; whether a readiness gate is among them.
    pub(super) fn take_conditions(&mut self, pod: &Pod, conditions: &Value) -> bool {
        // What comes from the watch may be older than what was written last: the kubelet's own conditions stay.
        let of = |all: &Value, owned: bool| -> Vec<Value> {
            let all = all.as_array().into_iter().flatten();
            all.filter(|condition| is_owned(condition["type"].as_str().unwrap_or_default()) == owned)
                .cloned()
                .collect()
        };
        let others = of(conditions, false);
        if pod.is_static || of(&self.status["conditions"], false) == others {
            return false;
        }
        let gates = |status: &PodStatus| -> Vec<(String, String)> {
            let all = status.conditions.iter().flatten();
            let gates = || pod.spec.readiness_gates.iter().flatten();
            all.filter(|condition| gates().any(|gate| gate.condition_type == condition.type_))
                .map(|condition| (condition.type_.clone(), condition.status.clone()))
                .collect()
        };
        let before = gates(&self.published);
        let mut all = of(&self.status["conditions"], true);
        all.extend(others);
        self.status["conditions"] = all.into();
        self.read_back();
        before != gates(&self.published)
    }

    /// Writes a status, if it is not what is there already.
    pub(super) fn publish(&mut self, node: &Node, pod: &Pod, computed: &Computed) {
        let now = node.clock.now();
        if pod.is_static && !super::mirror::ensure(node, pod, computed) {
            computed.write(pod, &mut self.status, &node.host_ips, now);
        } else {
            self.write(node, pod, |status| computed.write(pod, status, &node.host_ips, now));
        }
        self.read_back();
    }

    /// Writes that the node refuses the pod.
    pub(super) fn refuse(&mut self, node: &Node, pod: &Pod, verdict: &Verdict) {
        let now = node.clock.now();
        self.write(node, pod, |status| refused(pod, verdict, status, now));
        self.read_back();
    }

    fn write(&mut self, node: &Node, pod: &Pod, change: impl Fn(&mut Value)) {
        let written = node.store.modify(&self.key, |object| {
            if !is_of(object, pod) {
                return Err(WriteError::Another);
            }
            change(&mut object["status"]);
            Ok(())
        });
        self.owing = matches!(written, Err(WriteError::Store(StoreError::Disk(_))));
        match written {
            Ok(object) => self.status = object["status"].clone(),
            // The object is gone, or the disk is full: what would stand there is kept, and tried with the next sync.
            Err(_) => change(&mut self.status),
        }
    }

    fn read_back(&mut self) {
        if let Ok(published) = serde_json::from_value(self.status.clone()) {
            self.published = published;
        }
    }

    /// Takes the object away: the grace period ends, and without finalizers the object does. False where the disk
    /// does not take it; it is to be asked again.
    pub(super) fn remove(&self, node: &Node, pod: &Pod) -> bool {
        let now = seconds(node.clock.now());
        let marked = node.store.modify(&self.key, |object| {
            if !is_of(object, pod) {
                return Err(WriteError::Another);
            }
            let meta = &mut object["metadata"];
            meta["deletionTimestamp"] = json!(now);
            meta["deletionGracePeriodSeconds"] = json!(0);
            Ok(())
        });
        let object = match marked {
            Ok(object) => object,
            Err(error) => return !matches!(error, WriteError::Store(StoreError::Disk(_))),
        };
        let held = object["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|finalizers| !finalizers.is_empty());
        held || {
            let deleted = node.store.delete(&self.key, crate::store::version_of(&object));
            !matches!(deleted, Err(StoreError::Disk(_)))
        }
    }
}

/// Whether the object is this pod's, or its mirror.
fn is_of(object: &Value, pod: &Pod) -> bool {
    let meta = &object["metadata"];
    let uid = if pod.is_static {
        &meta["annotations"][MIRROR_ANNOTATION]
    } else {
        &meta["uid"]
    };
    *uid == pod.uid
}
