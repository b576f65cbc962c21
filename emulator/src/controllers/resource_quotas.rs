//! The status of every ResourceQuota: what is limited, and what is used of it (`pkg/controller/resourcequota`).

use futures::future::select_all;
use jiff::Timestamp;

use crate::{
    api::admission::resource_quota,
    clock::Clock,
    store::{Key, Resource, Store, StoreError, Watch},
};

/// Keeps every status up to date; never ends.
pub(super) async fn run(store: &Store, clock: &Clock) {
    let counted = |resource: &Resource| resource.namespaced() && *resource != Resource::Events;
    loop {
        let from = store.version();
        for quota in store.list(Resource::ResourceQuotas, None).0 {
            let namespace = quota["metadata"]["namespace"].as_str().unwrap_or_default();
            sync(store, namespace, clock.now());
        }
        let watches = Resource::ALL.into_iter().filter(counted);
        let followers = watches.map(|resource| Box::pin(follow(store, clock, store.watch(resource, None, from))));
        // Where changes were missed, everything is counted again.
        select_all(followers).await;
    }
}

/// Counts a namespace again with each change in it, until changes are missed.
async fn follow(store: &Store, clock: &Clock, mut changes: Watch) {
    while let Ok(change) = changes.next().await {
        sync(store, &change.key.namespace, clock.now());
    }
}

/// Counts what a namespace uses, for each of its quotas.
pub(crate) fn sync(store: &Store, namespace: &str, now: Timestamp) {
    for quota in store.list(Resource::ResourceQuotas, Some(namespace)).0 {
        let name = quota["metadata"]["name"].as_str().unwrap_or_default();
        let key = Key::new(Resource::ResourceQuotas, namespace, name);
        let written = store.modify_among(&key, |objects, quota| {
            let list = |resource| objects.list(resource, Some(namespace));
            quota["status"] = resource_quota::status(quota, &list, now);
            Ok::<_, StoreError>(())
        });
        drop(written); // It is gone, or the disk is full: the next change counts again.
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn status_follows_the_pods_of_the_namespace() {
        let store = Store::in_memory();
        let quota = Key::new(Resource::ResourceQuotas, "shop", "q");
        let object = json!({"metadata": {"name": "q", "namespace": "shop"}, "spec": {"hard": {"pods": "2"}}});
        store.create(quota.clone(), object).unwrap();
        let mut quotas = store.watch(Resource::ResourceQuotas, None, store.version());
        let clock = Clock::system();
        let controller = run(&store, &clock);
        let test = async {
            let mut status = async || quotas.next().await.unwrap().object["status"].clone();
            assert_eq!(status().await, json!({"hard": {"pods": "2"}, "used": {"pods": "0"}}));
            let pod = Key::new(Resource::Pods, "shop", "p");
            store
                .create(pod.clone(), json!({"metadata": {"name": "p"}, "spec": {}}))
                .unwrap();
            assert_eq!(status().await["used"]["pods"], "1");
            let ended = store.modify(&pod, |pod| {
                pod["status"]["phase"] = json!("Succeeded");
                Ok::<_, StoreError>(())
            });
            ended.unwrap();
            assert_eq!(status().await["used"]["pods"], "0");
            // A namespace without quotas is left alone.
            store
                .create(Key::new(Resource::Pods, "other", "p"), json!({"spec": {}}))
                .unwrap();
            assert_eq!(store.list(Resource::ResourceQuotas, Some("other")).0.len(), 0);
        };
        tokio::select! {
            () = controller => unreachable!("it never ends"),
            () = test => {}
        }
    }
}
