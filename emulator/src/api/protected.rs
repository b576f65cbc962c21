//! Namespaces that no cluster can be without.

use serde_json::json;

use super::status::Status;
use crate::store::Resource;

const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

/// The refusal to delete what has to stay.
pub(super) fn refusal(resource: Resource, name: &str) -> Option<Status> {
    (resource == Resource::Namespaces && IMMORTAL.contains(&name)).then(|| {
        let message = format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
        let mut status = Status::forbidden(message);
        status.details = Some(json!({"name": name, "kind": "namespaces"}));
        status
    })
}
