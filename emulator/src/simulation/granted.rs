//! What the assumed cluster has because the pod asks for it: claims, devices, AppArmor, pods to be near to.

use serde_json::{Value, json};

/// Takes the wishes that are granted out of a pod that was admitted, so that neither scheduler nor kubelet waits for them.
pub(super) fn grant(pod: &mut Value) {
    if let Some(annotations) = pod.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with("container.apparmor.security.beta.kubernetes.io/"));
    }
    for volume in items(pod, "/spec/volumes") {
        // A bound claim is mounted as quickly as an empty volume.
        let was_claimed = ["persistentVolumeClaim", "ephemeral"].map(|kind| remove(Some(&mut *volume), kind));
        if was_claimed.contains(&true) {
            volume["emptyDir"] = json!({});
        }
    }
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in items(pod, list) {
            remove(container.get_mut("securityContext"), "appArmorProfile");
            remove(container.get_mut("resources"), "claims");
            // A file that another container writes is there in time.
            if let Some(variables) = container.get_mut("env").and_then(Value::as_array_mut) {
                variables.retain(|variable| variable["valueFrom"]["fileKeyRef"].is_null());
            }
        }
    }
    remove(pod.pointer_mut("/spec/securityContext"), "appArmorProfile");
    // The pods that it wants to be near to run on the node.
    remove(
        pod.pointer_mut("/spec/affinity/podAffinity"),
        "requiredDuringSchedulingIgnoredDuringExecution",
    );
    remove(pod.get_mut("spec"), "resourceClaims");
    remove(pod.get_mut("spec"), "os");
}

fn items<'a>(pod: &'a mut Value, path: &str) -> impl Iterator<Item = &'a mut Value> {
    pod.pointer_mut(path)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

/// Removes a field; whether it was there.
fn remove(object: Option<&mut Value>, field: &str) -> bool {
    let members = object.and_then(Value::as_object_mut);
    members.is_some_and(|members| members.shift_remove(field).is_some())
}
