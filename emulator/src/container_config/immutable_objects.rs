//! Immutable ConfigMaps and Secrets: a kubelet reads one once and keeps it as long as a pod has it, also when it is deleted
//! meanwhile (`pkg/kubelet/util/manager/watch_based_manager.go`).

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use crate::store::{Key, Store};

/// The immutable objects that pods of the node have. Every clone is the same.
#[derive(Clone, Default)]
pub struct ImmutableObjects(Arc<Mutex<HashMap<Key, Kept>>>);

struct Kept {
    object: Arc<Value>,
    /// The UIDs of the pods.
    pods: HashSet<String>,
}

impl ImmutableObjects {
    /// Returns an object for a pod: as it is in the store, or as it was when it was first read, if it is immutable.
    pub fn get(&self, store: &Store, uid: &str, key: &Key) -> Option<Arc<Value>> {
        let mut all = self.lock();
        if let Some(kept) = all.get_mut(key) {
            kept.pods.insert(uid.to_owned());
            return Some(kept.object.clone());
        }
        let object = store.get(key)?;
        if object["immutable"] == true {
            let kept = Kept {
                object: object.clone(),
                pods: HashSet::from([uid.to_owned()]),
            };
            all.insert(key.clone(), kept);
        }
        Some(object)
    }

    /// Forgets what a pod had and no other pod has.
    pub fn forget(&self, uid: &str) {
        self.lock().retain(|_, kept| {
            kept.pods.remove(uid);
            !kept.pods.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Resource;

    #[test]
    fn immutable_object_is_kept_until_its_last_pod_is_gone() {
        let (store, objects) = (Store::in_memory(), ImmutableObjects::default());
        let key = Key::new(Resource::ConfigMaps, "shop", "settings");
        let data = |uid: &str| Some(objects.get(&store, uid, &key)?["data"].clone());
        store
            .create(key.clone(), json!({"data": 1, "immutable": true}))
            .unwrap();
        assert_eq!(data("a"), Some(json!(1)));
        store.delete(&key, None).unwrap();
        assert_eq!((data("a"), data("b")), (Some(json!(1)), Some(json!(1))));
        objects.forget("a");
        assert_eq!(data("b"), Some(json!(1)));
        objects.forget("b");
        assert_eq!(data("b"), None);
    }

    #[test]
    fn mutable_object_is_read_each_time() {
        let (store, objects) = (Store::in_memory(), ImmutableObjects::default());
        let key = Key::new(Resource::Secrets, "shop", "password");
        store
            .create(key.clone(), json!({"data": 1, "immutable": false}))
            .unwrap();
        assert!(objects.get(&store, "a", &key).is_some());
        store.delete(&key, None).unwrap();
        assert!(objects.get(&store, "a", &key).is_none());
    }
}
