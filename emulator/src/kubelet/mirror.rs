//! Mirror pods: how static pods are seen through the API.

use serde_json::{Value, json};

use super::{node::Node, pod::Pod, pod_status::Computed};
use crate::{
    runtime::MIRROR_ANNOTATION,
    store::{Key, Resource},
};

/// Makes the mirror of a static pod where there is none; whether a status can be written to it.
///
/// The first status comes when the sandbox stands, as a real kubelet's does.
pub(super) fn ensure(node: &Node, pod: &Pod, computed: &Computed) -> bool {
    let key = Key::new(Resource::Pods, &pod.namespace, &pod.name);
    if let Some(existing) = node.store.get(&key) {
        let annotations = &existing["metadata"]["annotations"];
        if annotations[MIRROR_ANNOTATION] == pod.uid && !existing["metadata"]["deletionTimestamp"].is_string() {
            return computed.sandbox_is_ready() || existing["status"]["startTime"].is_string();
        }
        if !annotations[MIRROR_ANNOTATION].is_string() {
            // Somebody else's pod has the name; the static pod runs unseen.
            return false;
        }
        // The file has changed: the old mirror goes.
        drop(node.store.delete(&key, None));
    }
    if computed.is_over() {
        return false;
    }
    // Without room on the disk there is no mirror now; the next sync tries again.
    drop(node.store.create(key, mirror(node, pod)));
    computed.sandbox_is_ready()
}

fn mirror(node: &Node, pod: &Pod) -> Value {
    let mut mirror = pod.object.clone();
    let owner = node.store.get(&Key::new(Resource::Nodes, "", &node.name));
    let meta = &mut mirror["metadata"];
    meta["annotations"][MIRROR_ANNOTATION] = json!(pod.uid);
    meta["uid"] = json!(crate::uid::new());
    meta["creationTimestamp"] = json!(super::container_status::seconds(node.clock.now()));
    meta["generation"] = json!(1);
    if let Some(owner) = owner {
        meta["ownerReferences"] = json!([{
            "apiVersion": "v1",
            "controller": true,
            "kind": "Node",
            "name": node.name,
            "uid": owner["metadata"]["uid"],
        }]);
    }
    mirror["status"] = json!({"phase": "Pending", "qosClass": super::qos::qos_class(pod)});
    mirror
}
