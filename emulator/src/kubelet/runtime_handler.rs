//! Which runtime a pod's RuntimeClass asks for (`pkg/kubelet/runtimeclass`).

use crate::store::{Key, Resource, Store};

use super::pod::Pod;

/// The handler that a container runtime has as shipped; it is the node's only one.
const HANDLER: &str = "runc";

/// Looks up the handler of a pod.
///
/// # Errors
/// That the class is gone, or that the node has no such handler.
pub(super) fn check(store: &Store, pod: &Pod) -> Result<(), String> {
    let Some(class) = pod.spec.runtime_class_name.as_deref().filter(|class| !class.is_empty()) else {
        return Ok(());
    };
    let Some(found) = store.get(&Key::new(Resource::RuntimeClasses, "", class)) else {
        return Err(format!("runtimeclass.node.k8s.io \"{class}\" not found"));
    };
    match found["handler"].as_str().unwrap_or_default() {
        HANDLER => Ok(()),
        other => Err(format!(
            "rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"{other}\" is configured"
        )),
    }
}
