//! The objects that a service account token is bound to: a token is valid only as long as they exist
//! (`pkg/serviceaccount/claims.go`, `Validate`).

use jiff::Timestamp;

use crate::{
    store::{Key, Resource, Store},
    tokens::{LEEWAY, ObjectReference, Subject},
};

/// Returns whether the service account of a token exists, and the pod, Secret or node that the token is bound to.
pub(crate) fn all_exist(store: &Store, subject: &Subject, now: Timestamp) -> bool {
    let exists = |resource, object: &ObjectReference| exists(store, resource, &subject.namespace, object, now);
    // The node of a pod is named for information only.
    let node = subject.node.as_ref().filter(|_| subject.pod.is_none());
    let bound = [
        (Resource::Pods, subject.pod.as_ref()),
        (Resource::Secrets, subject.secret.as_ref()),
        (Resource::Nodes, node),
    ];
    exists(Resource::ServiceAccounts, &subject.service_account)
        && bound
            .into_iter()
            .all(|(resource, object)| object.is_none_or(|object| exists(resource, object)))
}

/// Returns whether it is the same object, and not one of its name that came later. While it is being deleted its tokens are
/// valid until the leeway is over.
fn exists(store: &Store, resource: Resource, namespace: &str, object: &ObjectReference, now: Timestamp) -> bool {
    let namespace = if resource.namespaced() { namespace } else { "" };
    store
        .get(&Key::new(resource, namespace, object.name.as_str()))
        .is_some_and(|found| {
            let meta = &found["metadata"];
            let deleted: Option<Timestamp> = meta["deletionTimestamp"].as_str().and_then(|time| time.parse().ok());
            meta["uid"].as_str().unwrap_or_default() == object.uid
                && deleted.is_none_or(|deleted| now.duration_since(deleted) <= LEEWAY)
        })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;
    use crate::store::StoreError;

    const BOUND: [Resource; 3] = [Resource::Pods, Resource::Secrets, Resource::Nodes];

    fn reference(name: &str) -> ObjectReference {
        ObjectReference {
            name: name.to_owned(),
            uid: "1".to_owned(),
        }
    }

    fn key(resource: Resource, name: &str) -> Key {
        let namespace = if resource.namespaced() { "shop" } else { "" };
        Key::new(resource, namespace, name)
    }

    /// A store with one object of each kind, and a token that is bound to the one of `resource`.
    fn bound_to(resource: Resource) -> (Store, Subject) {
        let store = Store::in_memory();
        for (resource, name) in BOUND
            .map(|resource| (resource, "x"))
            .into_iter()
            .chain([(Resource::ServiceAccounts, "robot")])
        {
            store
                .create(key(resource, name), json!({"metadata": {"name": name, "uid": "1"}}))
                .unwrap();
        }
        let bound = |kind| (kind == resource).then(|| reference("x"));
        let subject = Subject {
            namespace: "shop".to_owned(),
            service_account: reference("robot"),
            pod: bound(Resource::Pods),
            secret: bound(Resource::Secrets),
            node: bound(Resource::Nodes),
            token_id: String::new(),
        };
        (store, subject)
    }

    #[test]
    fn token_is_invalid_once_its_bound_object_is_gone() {
        let now = Timestamp::UNIX_EPOCH;
        for resource in BOUND {
            let (store, subject) = bound_to(resource);
            assert!(all_exist(&store, &subject, now), "{resource:?}");
            store.delete(&key(resource, "x"), None).unwrap();
            assert!(!all_exist(&store, &subject, now), "{resource:?}");
            // One of the same name that came later is another object.
            store
                .create(key(resource, "x"), json!({"metadata": {"name": "x", "uid": "2"}}))
                .unwrap();
            assert!(!all_exist(&store, &subject, now), "{resource:?}");
        }
    }

    #[test]
    fn token_is_invalid_once_its_service_account_is_gone() {
        let (store, subject) = bound_to(Resource::Pods);
        store.delete(&key(Resource::ServiceAccounts, "robot"), None).unwrap();
        assert!(!all_exist(&store, &subject, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn token_of_a_deleted_pod_is_valid_for_a_minute() {
        let (store, subject) = bound_to(Resource::Pods);
        store
            .modify(&key(Resource::Pods, "x"), |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:00:00Z");
                Ok::<_, StoreError>(())
            })
            .unwrap();
        let after = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        assert!(all_exist(&store, &subject, after(60)));
        assert!(!all_exist(&store, &subject, after(61)));
    }

    #[test]
    fn node_of_a_bound_pod_need_not_exist() {
        let (store, mut subject) = bound_to(Resource::Pods);
        subject.node = Some(reference("elsewhere"));
        assert!(all_exist(&store, &subject, Timestamp::UNIX_EPOCH));
    }
}
