//! Every namespace has a service account `default` and the ConfigMap `kube-root-ca.crt`; a namespace that is
//! being deleted is emptied first.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::deletion,
    clock::Clock,
    store::{Key, Resource, Store, StoreError},
};

/// The namespaces that every cluster has.
pub const BUILT_IN: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// How often a namespace that is being emptied is looked at again.
const RETRY: Duration = Duration::from_millis(50);

/// Keeps every namespace as it should be; never ends.
pub(super) async fn run(store: &Store, clock: &Clock, root_ca: &str) {
    let watch = |resource| store.watch(resource, None, store.version());
    let mut namespaces = watch(Resource::Namespaces);
    let mut accounts = watch(Resource::ServiceAccounts);
    let mut config_maps = watch(Resource::ConfigMaps);
    loop {
        let mut emptying = false;
        ensure_built_in(store, clock.now());
        for namespace in store.list(Resource::Namespaces, None).0 {
            let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
            if namespace["metadata"]["deletionTimestamp"].is_null() {
                provide(store, name, root_ca, clock.now());
            } else {
                emptying |= !empty(store, &namespace, clock.now());
            }
        }
        let lagging = tokio::select! {
            change = namespaces.next() => change.is_err(),
            change = accounts.next() => change.is_err(),
            change = config_maps.next() => change.is_err(),
            () = tokio::time::sleep(RETRY), if emptying => false,
        };
        if lagging {
            // What was missed is seen all the same: everything is looked at again.
            namespaces = watch(Resource::Namespaces);
            accounts = watch(Resource::ServiceAccounts);
            config_maps = watch(Resource::ConfigMaps);
        }
    }
}

/// Makes the namespaces that every cluster has, where they are missing.
pub fn ensure_built_in(store: &Store, now: Timestamp) {
    for name in BUILT_IN {
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": metadata(name, None, now),
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        });
        create(store, Key::new(Resource::Namespaces, "", name), namespace, |object| {
            object["metadata"]["labels"] = json!({"kubernetes.io/metadata.name": name});
        });
    }
}

/// Gives a namespace what every namespace has, at once: a pod is refused until then.
pub fn provide(store: &Store, namespace: &str, root_ca: &str, now: Timestamp) {
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default", Some(namespace), now)});
    create(
        store,
        Key::new(Resource::ServiceAccounts, namespace, "default"),
        account,
        |_| {},
    );
    let name = "kube-root-ca.crt";
    let config_map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(name, Some(namespace), now),
        "data": {"ca.crt": root_ca},
    });
    let description = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal \
                       endpoints such as the internal service IP or kubernetes.default.svc. No other usage is \
                       guaranteed across distributions of Kubernetes clusters.";
    let key = Key::new(Resource::ConfigMaps, namespace, name);
    create(store, key.clone(), config_map, |object| {
        object["metadata"]["annotations"] = json!({"kubernetes.io/description": description});
    });
    let restored = store.modify(&key, |object| {
        object["data"] = json!({"ca.crt": root_ca});
        Ok::<_, StoreError>(())
    });
    drop(restored); // A full disk: tried again with the next change.
}

/// Deletes what is in a namespace, pods with their grace period; once it is empty, the namespace itself. Returns false while
/// something is left in it.
fn empty(store: &Store, namespace: &Value, now: Timestamp) -> bool {
    let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
    let mut left = false;
    for resource in Resource::ALL.into_iter().filter(|resource| resource.namespaced()) {
        for object in store.list(resource, Some(name)).0 {
            // A full disk, or it has changed: tried again soon.
            drop(deletion::carry_out(store, resource, &object, None, now, |_| {}));
        }
        left |= !store.list(resource, Some(name)).0.is_empty();
    }
    if left {
        return false;
    }
    let removed = deletion::carry_out(store, Resource::Namespaces, namespace, None, now, |namespace| {
        // Its own finalizers hold it for others.
        namespace["spec"]["finalizers"] = json!([]);
    });
    matches!(removed, Ok(()) | Err(StoreError::NotFound))
}

fn create(store: &Store, key: Key, mut object: Value, complete: impl FnOnce(&mut Value)) {
    if store.get(&key).is_some() {
        return;
    }
    complete(&mut object);
    let created = store.create(key, object);
    drop(created); // Somebody was faster, or the disk is full: tried again with the next change.
}

fn metadata(name: &str, namespace: Option<&str>, now: Timestamp) -> Value {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata["uid"] = json!(crate::uid::new());
    metadata["creationTimestamp"] = json!(seconds(now));
    metadata
}

/// A time as Kubernetes writes it: whole seconds.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00.5Z".parse().unwrap()
    }

    #[test]
    fn a_namespace_gets_its_service_account_and_the_ca_once() {
        let store = Store::in_memory();
        ensure_built_in(&store, now());
        provide(&store, "default", "PEM", now());
        let version = store.version();
        provide(&store, "default", "PEM", now());
        ensure_built_in(&store, now());
        assert_eq!(store.version(), version);
        let map = store
            .get(&Key::new(Resource::ConfigMaps, "default", "kube-root-ca.crt"))
            .unwrap();
        assert_eq!(map["data"]["ca.crt"], "PEM");
        assert_eq!(map["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
        provide(&store, "default", "NEW", now());
        let map = store
            .get(&Key::new(Resource::ConfigMaps, "default", "kube-root-ca.crt"))
            .unwrap();
        assert_eq!(map["data"]["ca.crt"], "NEW");
    }

    #[test]
    fn a_namespace_goes_once_its_pods_have_gone() {
        let store = Store::in_memory();
        let namespace = json!({"metadata": {"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["example.com/hold"]}, "spec": {"finalizers": ["kubernetes"]}});
        let of_namespace = Key::new(Resource::Namespaces, "", "shop");
        store.create(of_namespace.clone(), namespace.clone()).unwrap();
        provide(&store, "shop", "PEM", now());
        let pod = json!({
            "metadata": {"name": "web", "namespace": "shop", "generation": 1},
            "spec": {"nodeName": "emulator", "terminationGracePeriodSeconds": 30},
        });
        let key = Key::new(Resource::Pods, "shop", "web");
        store.create(key.clone(), pod).unwrap();
        assert!(!empty(&store, &namespace, now()));
        let pod = store.get(&key).unwrap();
        assert_eq!(pod["metadata"]["deletionTimestamp"], "2026-01-01T00:00:30Z");
        assert_eq!(pod["metadata"]["generation"], 2);
        store.delete(&key, None).unwrap();
        assert!(empty(&store, &namespace, now()));
        assert_eq!(store.list(Resource::ConfigMaps, Some("shop")).0.len(), 0);
        let held = store.modify(&of_namespace, |namespace| {
            assert_eq!(namespace["spec"]["finalizers"], json!([]));
            namespace["metadata"]["finalizers"] = json!([]);
            Ok::<_, StoreError>(())
        });
        assert!(empty(&store, &held.unwrap(), now()));
        assert!(store.get(&of_namespace).is_none());
    }
}
