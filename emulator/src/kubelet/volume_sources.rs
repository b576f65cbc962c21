//! The ConfigMaps and Secrets that a pod's volumes are filled from: when one of them changes, the pod's volumes are refreshed.
//! A real kubelet waits for the pod's next sync (`pkg/kubelet/volumemanager`), up to 90 seconds.

use std::collections::HashSet;

use super::pod::Pod;
use crate::store::{Key, Resource, Store, Watch};

/// Returns the objects that the content of a pod's volumes comes from, also those that do not exist yet.
pub(super) fn of(pod: &Pod) -> HashSet<Key> {
    let mut sources = HashSet::new();
    let mut add = |resource, name: &str| {
        sources.insert(Key::new(resource, pod.namespace.as_str(), name));
    };
    for volume in pod.spec.volumes.iter().flatten() {
        if let Some(source) = &volume.config_map {
            add(Resource::ConfigMaps, &source.name);
        }
        if let Some(source) = &volume.secret {
            add(Resource::Secrets, source.secret_name.as_deref().unwrap_or_default());
        }
        let projected = volume
            .projected
            .iter()
            .flat_map(|source| source.sources.iter().flatten());
        for projection in projected {
            if let Some(source) = &projection.config_map {
                add(Resource::ConfigMaps, &source.name);
            }
            if let Some(source) = &projection.secret {
                add(Resource::Secrets, &source.name);
            }
        }
    }
    sources
}

/// The changes of all ConfigMaps and Secrets.
pub(super) struct SourceWatch {
    store: Store,
    config_maps: Watch,
    secrets: Watch,
}

impl SourceWatch {
    /// Returns the changes from now on.
    pub(super) fn new(store: Store) -> Self {
        let watch = |resource| store.watch(resource, None, store.version());
        Self {
            config_maps: watch(Resource::ConfigMaps),
            secrets: watch(Resource::Secrets),
            store,
        }
    }

    /// Waits for the next object that changes; returns none where changes may have been missed.
    pub(super) async fn next(&mut self) -> Option<Key> {
        let event = tokio::select! {
            event = self.config_maps.next() => event,
            event = self.secrets.next() => event,
        };
        match event {
            Ok(event) => Some(event.key),
            Err(_) => {
                *self = Self::new(self.store.clone());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn volumes_name_their_config_maps_and_secrets() {
        let pod = Pod::read(&json!({"metadata": {"name": "p", "namespace": "shop", "uid": "u"}, "spec": {
            "containers": [],
            "volumes": [
                {"name": "a", "configMap": {"name": "one"}},
                {"name": "b", "secret": {"secretName": "two", "optional": true}},
                {"name": "c", "projected": {"sources": [
                    {"configMap": {"name": "three"}}, {"secret": {"name": "four"}}, {"serviceAccountToken": {"path": "t"}},
                ]}},
                {"name": "d", "emptyDir": {}},
            ],
        }}))
        .unwrap();
        let key = |resource, name: &str| Key::new(resource, "shop", name);
        let expected = HashSet::from([
            key(Resource::ConfigMaps, "one"),
            key(Resource::Secrets, "two"),
            key(Resource::ConfigMaps, "three"),
            key(Resource::Secrets, "four"),
        ]);
        assert_eq!(of(&pod), expected);
    }
}
