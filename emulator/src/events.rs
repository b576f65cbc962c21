//! Events about pods, as the kubelet and the scheduler write them: counted, aggregated, limited.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    clock::Clock,
    store::{Key, Resource, Store, StoreError},
};

/// From this many similar events in `SIMILAR_WITHIN` on they are written as one.
const SIMILAR: usize = 10;
const SIMILAR_WITHIN: SignedDuration = SignedDuration::from_secs(600);
/// Events of one object that may come at once.
const BURST: f64 = 25.0;
/// How long until one more may.
const REFILL: f64 = 300.0;
/// How many different events are remembered for counting.
const REMEMBERED: usize = 4096;

/// `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the Kubernetes event type of that name")]
pub enum EventType {
    Normal,
    Warning,
}

impl EventType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Writes events. Cheap to clone: every clone counts together.
#[derive(Clone)]
pub struct Recorder {
    store: Store,
    clock: Clock,
    node: Arc<str>,
    memory: Arc<Mutex<Memory>>,
    /// Whether a pod that has spent its budget is told of no more, as a kubelet does it.
    is_limited: bool,
}

#[derive(Default)]
struct Memory {
    written: HashMap<Identity, Written>,
    order: VecDeque<Identity>,
    similar: HashMap<Identity, Similar>,
    budgets: HashMap<String, Budget>,
    last_name: i128,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    uid: String,
    field_path: String,
    kind: EventType,
    reason: String,
    message: String,
}

struct Written {
    key: Key,
    count: i64,
}

struct Similar {
    messages: Vec<String>,
    last: Timestamp,
}

struct Budget {
    left: f64,
    at: Timestamp,
}

impl Recorder {
    /// A recorder for the kubelet of `node`.
    pub fn new(store: Store, clock: Clock, node: &str) -> Self {
        Self {
            store,
            clock,
            node: node.into(),
            memory: Arc::default(),
            is_limited: true,
        }
    }

    /// One that leaves nothing out: for a life that is looked at as a whole.
    #[must_use]
    pub fn unlimited(self) -> Self {
        Self {
            is_limited: false,
            ..self
        }
    }

    /// Records an event of the kubelet about a pod, or with `field_path` about one of its containers.
    pub fn event(&self, pod: &Value, field_path: &str, kind: EventType, reason: &str, message: &str) {
        let now = self.clock.now();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut identity = Identity {
            uid: text(&pod["metadata"]["uid"]),
            field_path: field_path.to_owned(),
            kind,
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        let message = memory.aggregate(&mut identity, now);
        if self.is_limited && !memory.spend(&identity.uid, now) {
            return;
        }
        if let Some(written) = memory.written.get_mut(&identity) {
            let counted = self.store.modify(&written.key, |event| {
                event["count"] = json!(written.count + 1);
                event["lastTimestamp"] = seconds(now);
                event["message"] = json!(message);
                Ok::<_, StoreError>(())
            });
            if counted.is_ok() {
                written.count += 1;
                return;
            }
        }
        let mut event = self.skeleton(pod, kind, reason, &message, now);
        event["count"] = json!(1);
        event["firstTimestamp"] = seconds(now);
        event["lastTimestamp"] = seconds(now);
        event["reportingComponent"] = json!("kubelet");
        event["reportingInstance"] = json!(*self.node);
        event["source"] = json!({"component": "kubelet", "host": *self.node});
        if !field_path.is_empty() {
            event["involvedObject"]["fieldPath"] = json!(field_path);
        }
        if let Some(key) = self.create(&mut memory, pod, event, now) {
            memory.remember(identity, key);
        }
    }

    /// Records an event of the scheduler about a pod, in the newer form without a count.
    pub fn scheduler_event(&self, pod: &Value, action: &str, kind: EventType, reason: &str, message: &str) {
        let now = self.clock.now();
        let mut event = self.skeleton(pod, kind, reason, message, now);
        event["action"] = json!(action);
        event["eventTime"] = json!(now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string());
        event["reportingComponent"] = json!("default-scheduler");
        event["reportingInstance"] = json!(format!("default-scheduler-{}", self.node));
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        self.create(&mut memory, pod, event, now);
    }

    /// Records an event of a controller about a pod.
    pub fn controller_event(&self, component: &str, pod: &Value, kind: EventType, reason: &str, message: &str) {
        let now = self.clock.now();
        let mut event = self.skeleton(pod, kind, reason, message, now);
        event["count"] = json!(1);
        event["firstTimestamp"] = seconds(now);
        event["lastTimestamp"] = seconds(now);
        event["reportingComponent"] = json!(component);
        event["source"] = json!({"component": component});
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        self.create(&mut memory, pod, event, now);
    }

    /// Stores a new event under a name of its own. One that can't be stored is lost: events are no record to rely on.
    fn create(&self, memory: &mut Memory, pod: &Value, mut event: Value, now: Timestamp) -> Option<Key> {
        // As through the API: a namespace that goes, or has gone, takes no new object. A later one of its name is another.
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let namespace = self.store.get(&Key::new(Resource::Namespaces, "", namespace))?;
        let made = |object: &Value| object["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
        // A static pod was made from a file, not in a namespace: it has no such time.
        let outlived = made(pod).is_some_and(|pod| made(&namespace).is_some_and(|namespace| namespace > pod));
        if !namespace["metadata"]["deletionTimestamp"].is_null() || outlived {
            return None;
        }
        loop {
            let key = memory.name(pod, now);
            event["metadata"]["name"] = json!(key.name);
            match self.store.create(key.clone(), event.clone()) {
                Ok(_) => return Some(key),
                Err(StoreError::AlreadyExists) => {}
                Err(_) => return None,
            }
        }
    }

    /// Records an event about the node, in the namespace of what has none.
    pub fn node_event(&self, node: &str, kind: EventType, reason: &str, message: &str) {
        let object = json!({"kind": "Node", "metadata": {"name": node, "namespace": "default", "uid": node}});
        self.event(&object, "", kind, reason, message);
    }

    fn skeleton(&self, pod: &Value, kind: EventType, reason: &str, message: &str, now: Timestamp) -> Value {
        let meta = &pod["metadata"];
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": "",
                "namespace": meta["namespace"],
                "uid": crate::uid::new(),
                "creationTimestamp": seconds(now),
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": pod["kind"].as_str().unwrap_or("Pod"),
                "name": meta["name"],
                "namespace": meta["namespace"],
                "resourceVersion": meta["resourceVersion"],
                "uid": meta["uid"],
            },
            "reason": reason,
            "message": message,
            "source": {},
            "firstTimestamp": null,
            "lastTimestamp": null,
            "type": kind.as_str(),
            "eventTime": null,
            "reportingComponent": "",
            "reportingInstance": "",
        })
    }
}

impl Memory {
    /// Many similar events with different messages become one; returns the message to write.
    fn aggregate(&mut self, identity: &mut Identity, now: Timestamp) -> String {
        let group = Identity {
            message: String::new(),
            ..identity.clone()
        };
        let similar = self.similar.entry(group).or_insert_with(|| Similar {
            messages: Vec::new(),
            last: now,
        });
        if now.duration_since(similar.last) > SIMILAR_WITHIN {
            similar.messages.clear();
        }
        similar.last = now;
        if !similar.messages.contains(&identity.message) && similar.messages.len() < SIMILAR {
            similar.messages.push(identity.message.clone());
        }
        if similar.messages.len() < SIMILAR {
            return identity.message.clone();
        }
        let message = format!("(combined from similar events): {}", identity.message);
        identity.message = String::new();
        message
    }

    /// Takes one event out of the object's budget; false where it is used up.
    fn spend(&mut self, uid: &str, now: Timestamp) -> bool {
        let budget = self
            .budgets
            .entry(uid.to_owned())
            .or_insert(Budget { left: BURST, at: now });
        let passed = now.duration_since(budget.at).as_secs_f64();
        budget.left = (budget.left + passed / REFILL).min(BURST);
        budget.at = now;
        if budget.left < 1.0 {
            return false;
        }
        budget.left -= 1.0;
        true
    }

    /// `POD.` and the time in hexadecimal nanoseconds, never the same twice.
    fn name(&mut self, pod: &Value, now: Timestamp) -> Key {
        self.last_name = now.as_nanosecond().max(self.last_name + 1);
        let meta = &pod["metadata"];
        let name = format!("{}.{:x}", text(&meta["name"]), self.last_name);
        Key::new(Resource::Events, text(&meta["namespace"]), name)
    }

    fn remember(&mut self, identity: Identity, key: Key) {
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.written.remove(&oldest);
            self.budgets.retain(|uid, _| *uid != oldest.uid);
            self.similar.retain(|group, _| group.uid != oldest.uid);
        }
        self.order.push_back(identity.clone());
        self.written.insert(identity, Written { key, count: 1 });
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn seconds(at: Timestamp) -> Value {
    json!(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> (Recorder, Store, Value) {
        let store = Store::in_memory();
        let namespace = json!({"metadata": {"name": "default"}});
        store
            .create(Key::new(Resource::Namespaces, "", "default"), namespace)
            .unwrap();
        let recorder = Recorder::new(store.clone(), Clock::system(), "emulator");
        (
            recorder,
            store,
            json!({"metadata": {"name": "p", "namespace": "default", "uid": "u"}}),
        )
    }

    #[test]
    fn a_namespace_that_goes_takes_no_more_events() {
        let (recorder, store, pod) = recorder();
        let namespace = Key::new(Resource::Namespaces, "", "default");
        store
            .modify::<StoreError>(&namespace, |object| {
                object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                Ok(())
            })
            .unwrap();
        recorder.event(&pod, "", EventType::Normal, "Killing", "late");
        store.delete(&namespace, None).unwrap();
        recorder.event(&pod, "", EventType::Normal, "Killing", "later");
        let next = json!({"metadata": {"name": "default", "creationTimestamp": "2026-01-01T00:00:01Z"}});
        store.create(namespace, next).unwrap();
        let mut earlier = pod.clone();
        earlier["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        recorder.event(&earlier, "", EventType::Normal, "Killing", "too late");
        assert_eq!(written(&store), []);
    }

    #[test]
    fn a_static_pod_has_events_though_nobody_created_it() {
        let (recorder, store, pod) = recorder();
        let namespace = Key::new(Resource::Namespaces, "", "default");
        store
            .modify::<StoreError>(&namespace, |object| {
                object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
                Ok(())
            })
            .unwrap();
        recorder.event(&pod, "", EventType::Normal, "Started", "Container started");
        assert_eq!(written(&store), [("Container started".to_owned(), 1)]);
    }

    fn written(store: &Store) -> Vec<(String, i64)> {
        let list = store.list(Resource::Events, None).0;
        list.iter()
            .map(|event| (text(&event["message"]), event["count"].as_i64().unwrap()))
            .collect()
    }

    #[test]
    fn the_same_event_again_raises_the_count() {
        let (recorder, store, pod) = recorder();
        for _ in 0..3 {
            recorder.event(
                &pod,
                "spec.containers{app}",
                EventType::Normal,
                "Created",
                "Container created",
            );
        }
        assert_eq!(written(&store), [("Container created".to_owned(), 3)]);
    }

    #[test]
    fn ten_similar_ones_are_combined() {
        let (recorder, store, pod) = recorder();
        for number in 0..12 {
            recorder.event(&pod, "", EventType::Warning, "Failed", &format!("try {number}"));
        }
        let all = written(&store);
        assert_eq!(all.len(), 10);
        assert_eq!(all[9], ("(combined from similar events): try 11".to_owned(), 3));
    }

    #[test]
    fn one_object_may_write_25_at_once() {
        let (recorder, store, pod) = recorder();
        for _ in 0..40 {
            recorder.event(&pod, "", EventType::Normal, "Again", "again");
        }
        assert_eq!(written(&store), [("again".to_owned(), 25)]);
    }
}
