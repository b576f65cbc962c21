//! The PriorityClasses that every cluster has (`pkg/registry/scheduling/rest`).

use jiff::Timestamp;
use serde_json::json;

use crate::{
    api::admission::SYSTEM_CLASSES,
    store::{Key, Resource, Store},
};

/// Makes them, where they are missing.
pub fn ensure_built_in(store: &Store, now: Timestamp) {
    for (name, value, description) in SYSTEM_CLASSES {
        let class = json!({
            "apiVersion": Resource::PriorityClasses.api_version(),
            "kind": Resource::PriorityClasses.kind(),
            "metadata": {
                "name": name,
                "uid": crate::uid::new(),
                "generation": 1,
                "creationTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
            "value": value,
            "description": description,
            "preemptionPolicy": "PreemptLowerPriority",
        });
        // There from an earlier start, most often; a full disk is said by the next write.
        let _ = store.create(Key::new(Resource::PriorityClasses, "", name), class);
    }
}
