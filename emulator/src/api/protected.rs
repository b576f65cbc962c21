//! What no cluster can be without: a few namespaces, and the system's PriorityClasses.

use serde_json::json;

use super::admission::SYSTEM_CLASSES;
use super::status::Status;
use crate::store::Resource;

const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

/// The refusal to delete what has to stay.
pub(super) fn refusal(resource: Resource, name: &str) -> Option<Status> {
    let why = match resource {
        Resource::Namespaces if IMMORTAL.contains(&name) => "this namespace may not be deleted",
        Resource::PriorityClasses if SYSTEM_CLASSES.iter().any(|(class, ..)| *class == name) => {
            "this is a system priority class and cannot be deleted"
        }
        _ => return None,
    };
    let mut status = Status::forbidden(format!("{} \"{name}\" is forbidden: {why}", resource.qualified()));
    status.details = Some(Box::new(json!({"name": name, "kind": resource.plural()})));
    Some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_cluster_has_is_protected() {
        let message = |resource, name| refusal(resource, name).map(|status| status.message);
        assert_eq!(
            message(Resource::PriorityClasses, "system-node-critical").unwrap(),
            "priorityclasses.scheduling.k8s.io \"system-node-critical\" is forbidden: this is a system priority class and cannot be deleted"
        );
        assert_eq!(
            message(Resource::Namespaces, "default").unwrap(),
            "namespaces \"default\" is forbidden: this namespace may not be deleted"
        );
        assert_eq!(message(Resource::ConfigMaps, "default"), None);
        assert_eq!(message(Resource::PriorityClasses, "high"), None);
    }
}
