//! The objects of the emulator: versions, conflicts, watches.
//!
//! One sequence numbers every change (`metadata.resourceVersion`). A reader never waits for a writer longer
//! than one write takes; a watcher reads the recent changes at its own pace.

mod disk;
mod history;
mod resource;
mod watch;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use self::{disk::Disk, history::History};
pub use self::{history::Expired, resource::Resource, watch::Watch};

/// What an object is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What kind of object.
    pub resource: Resource,
    /// Empty for what belongs to no namespace.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl Key {
    /// A key; `namespace` is empty for what belongs to none.
    pub fn new(resource: Resource, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            resource,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// How an object changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct WatchEvent {
    /// What happened.
    pub change: Change,
    /// The version that this change made.
    pub version: u64,
    /// Which object.
    pub key: Key,
    /// The object after the change; as it last was, with the version of the deletion, when deleted.
    pub object: Arc<Value>,
    /// The object before the change: a watch with a selector needs it to tell who left the selection.
    pub previous: Option<Arc<Value>>,
}

/// Why a write was not done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("not found")]
    NotFound,
    /// There is one already.
    #[error("already exists")]
    AlreadyExists,
    /// The object has another version than the writer had read.
    #[error("the object has been modified; please apply your changes to the latest version and try again")]
    Conflict,
    /// The disk did not take it; nothing was changed.
    #[error("{0}")]
    Disk(String),
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    history: History,
    /// Absent where the objects are gone with the process.
    disk: Option<Disk>,
}

/// The objects of one moment.
pub struct Objects<'a>(&'a State);

impl Objects<'_> {
    /// All objects of a kind, of one namespace or of all, by namespace and name.
    pub fn list(&self, resource: Resource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let first = Key::new(resource, namespace.unwrap_or_default(), "");
        self.0
            .objects
            .range(first..)
            .take_while(|(key, _)| key.resource == resource && namespace.is_none_or(|n| key.namespace == n))
            .map(|(_, object)| object.clone())
            .collect()
    }
}

/// All objects. Cheap to clone: every clone is the same store.
#[derive(Clone)]
pub struct Store {
    state: Arc<Mutex<State>>,
    latest: Arc<tokio::sync::watch::Sender<u64>>,
}

impl Store {
    /// A store that is gone with the process.
    pub fn in_memory() -> Self {
        Self {
            state: Arc::default(),
            latest: Arc::new(tokio::sync::watch::Sender::new(0)),
        }
    }

    /// The store in the file `path`, with all that was stored there before.
    ///
    /// Watches start from its newest version; older ones have to list first.
    ///
    /// # Errors
    /// `Disk` where the file can't be read, written or understood.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut disk = Disk::open(path)?;
        let (objects, version) = disk.load()?;
        let store = Self::in_memory();
        {
            let mut state = store.lock();
            state.version = version;
            state.objects = objects
                .into_iter()
                .map(|(key, object)| (key, Arc::new(object)))
                .collect();
            state.history.restart(version);
            state.disk = Some(disk);
        }
        store.latest.send_replace(version);
        Ok(store)
    }

    /// The version of the newest change.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.lock().objects.get(key).cloned()
    }

    /// All objects of a kind, of one namespace or of all, by namespace and name; and the version they were read at.
    pub fn list(&self, resource: Resource, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let state = self.lock();
        (Objects(&state).list(resource, namespace), state.version)
    }

    /// The same as it was at an earlier version.
    ///
    /// # Errors
    /// `Expired` where not all changes since are kept.
    pub fn list_at(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        version: u64,
    ) -> Result<Vec<Arc<Value>>, Expired> {
        let state = self.lock();
        let wanted = |key: &Key| key.resource == resource && namespace.is_none_or(|n| key.namespace == n);
        let first = Key::new(resource, namespace.unwrap_or_default(), "");
        let mut objects: BTreeMap<&Key, Arc<Value>> = state
            .objects
            .range(first..)
            .take_while(|(key, _)| wanted(key))
            .map(|(key, object)| (key, object.clone()))
            .collect();
        // The newest change is taken back first.
        for event in state.history.since(version)?.rev().filter(|event| wanted(&event.key)) {
            match &event.previous {
                Some(previous) => objects.insert(&event.key, previous.clone()),
                None => objects.remove(&event.key),
            };
        }
        Ok(objects.into_values().collect())
    }

    /// Adds an object; sets its `metadata.resourceVersion` and nothing else.
    ///
    /// # Errors
    /// `AlreadyExists`, `Disk`.
    pub fn create(&self, key: Key, object: Value) -> Result<Arc<Value>, StoreError> {
        self.create_if(key, object, |_, _| Ok::<_, StoreError>(()))
    }

    /// Adds an object if `allow` permits it, judged by the objects that there are then: no other write comes in between.
    ///
    /// # Errors
    /// `AlreadyExists`, `Disk`, or what `allow` returns.
    pub fn create_if<E: From<StoreError>>(
        &self,
        key: Key,
        object: Value,
        allow: impl FnOnce(&Objects<'_>, &Value) -> Result<(), E>,
    ) -> Result<Arc<Value>, E> {
        let mut state = self.lock();
        allow(&Objects(&state), &object)?;
        if state.objects.contains_key(&key) {
            return Err(StoreError::AlreadyExists.into());
        }
        Ok(self.write(&mut state, key, Change::Added, Some(object))?)
    }

    /// Reads several objects of one moment.
    pub fn read<T>(&self, read: impl FnOnce(&Objects<'_>) -> T) -> T {
        read(&Objects(&self.lock()))
    }

    /// Changes an object under the lock, so that no other write comes between reading and writing.
    ///
    /// `change` gets the object as it is and returns whether it is to be written; unchanged objects are not.
    ///
    /// # Errors
    /// `NotFound`, `Disk`, or what `change` returns.
    pub fn modify<E: From<StoreError>>(
        &self,
        key: &Key,
        change: impl FnOnce(&mut Value) -> Result<(), E>,
    ) -> Result<Arc<Value>, E> {
        self.modify_among(key, |_, object| change(object))
    }

    /// The same, judged by the other objects that there are then.
    ///
    /// # Errors
    /// `NotFound`, `Disk`, or what `change` returns.
    pub fn modify_among<E: From<StoreError>>(
        &self,
        key: &Key,
        change: impl FnOnce(&Objects<'_>, &mut Value) -> Result<(), E>,
    ) -> Result<Arc<Value>, E> {
        let mut state = self.lock();
        let before = state.objects.get(key).cloned().ok_or(StoreError::NotFound)?;
        let mut after = Value::clone(&before);
        change(&Objects(&state), &mut after)?;
        if after == *before {
            return Ok(before);
        }
        Ok(self.write(&mut state, key.clone(), Change::Modified, Some(after))?)
    }

    /// Takes an object out; with `version`, only if it still has that one.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`, `Disk`.
    pub fn delete(&self, key: &Key, version: Option<u64>) -> Result<Arc<Value>, StoreError> {
        let mut state = self.lock();
        let before = state.objects.get(key).ok_or(StoreError::NotFound)?;
        if version.is_some_and(|wanted| version_of(before) != Some(wanted)) {
            return Err(StoreError::Conflict);
        }
        self.write(&mut state, key.clone(), Change::Deleted, None)
    }

    /// Every change after version `from`, of one namespace or of all.
    pub fn watch(&self, resource: Resource, namespace: Option<&str>, from: u64) -> Watch {
        Watch::new(
            self.clone(),
            self.latest.subscribe(),
            resource,
            namespace.map(str::to_owned),
            from,
        )
    }

    fn write(
        &self,
        state: &mut State,
        key: Key,
        change: Change,
        object: Option<Value>,
    ) -> Result<Arc<Value>, StoreError> {
        let version = state.version + 1;
        let previous = state.objects.get(&key).cloned();
        let mut object = object
            .or_else(|| previous.as_deref().cloned())
            .ok_or(StoreError::NotFound)?;
        object["metadata"]["resourceVersion"] = Value::String(version.to_string());
        let json = object.to_string();
        if let Some(disk) = &mut state.disk {
            disk.write(&key, (change != Change::Deleted).then_some(&*json), version)?;
        }
        let object = Arc::new(object);
        match change {
            Change::Deleted => state.objects.remove(&key),
            Change::Added | Change::Modified => state.objects.insert(key.clone(), object.clone()),
        };
        state.version = version;
        let event = WatchEvent {
            change,
            version,
            key,
            object: object.clone(),
            previous,
        };
        state.history.push(event, json.len());
        self.latest.send_replace(version);
        Ok(object)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held can't have left a half-done write: the fields change last, together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `metadata.resourceVersion` as a number.
pub fn version_of(object: &Value) -> Option<u64> {
    object["metadata"]["resourceVersion"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> Key {
        Key::new(Resource::Pods, "default", name)
    }

    #[test]
    fn what_was_stored_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let store = Store::open(&path).unwrap();
        store.create(key("a"), json!({"metadata": {"name": "a"}})).unwrap();
        store.create(key("b"), json!({"metadata": {"name": "b"}})).unwrap();
        store.delete(&key("a"), None).unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.version(), 3);
        assert!(store.get(&key("a")).is_none());
        assert_eq!(version_of(&store.get(&key("b")).unwrap()), Some(2));
    }

    #[tokio::test]
    async fn a_watch_from_before_the_restart_has_to_list_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let store = Store::open(&path).unwrap();
        store.create(key("a"), json!({})).unwrap();
        store.create(key("b"), json!({})).unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert!(store.watch(Resource::Pods, None, 1).next().await.is_err());
        let mut watch = store.watch(Resource::Pods, None, 2);
        store.create(key("c"), json!({})).unwrap();
        assert_eq!(watch.next().await.unwrap().version, 3);
    }

    #[test]
    fn an_earlier_moment_is_seen_as_it_was() {
        let store = Store::in_memory();
        store
            .create(key("a"), json!({"metadata": {"name": "a"}, "n": 1}))
            .unwrap();
        store.create(key("b"), json!({"metadata": {"name": "b"}})).unwrap();
        let changed = store.modify::<StoreError>(&key("a"), |object| {
            object["n"] = json!(2);
            Ok(())
        });
        changed.unwrap();
        store.delete(&key("b"), None).unwrap();
        store.create(key("c"), json!({"metadata": {"name": "c"}})).unwrap();
        let at = |version| -> Vec<(String, Value)> {
            let objects = store.list_at(Resource::Pods, None, version).unwrap();
            let seen = objects
                .iter()
                .map(|object| (object["metadata"]["name"].to_string(), object["n"].clone()));
            seen.collect()
        };
        let [a, b, c] = ["\"a\"", "\"b\"", "\"c\""].map(str::to_owned);
        assert_eq!(at(1), [(a.clone(), json!(1))]);
        assert_eq!(at(2), [(a.clone(), json!(1)), (b, Value::Null)]);
        assert_eq!(at(4), [(a.clone(), json!(2))]);
        assert_eq!(at(5), [(a, json!(2)), (c, Value::Null)]);
        assert!(store.list_at(Resource::Nodes, None, 1).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_is_no_store_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        std::fs::write(&path, "something else").unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Disk(_))));
    }
}
