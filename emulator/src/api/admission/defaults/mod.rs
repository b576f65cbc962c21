//! What an object says where its author said nothing.

mod container;
mod limit_range;
mod pod;
mod resources;
mod volume;

use base64::Engine as _;
use serde_json::{Value, json};

use super::tree;
use crate::store::Resource;

pub(super) use self::resources::{Amounts, aggregate, aggregate_by, aggregate_requests, amounts, raise};

/// Fills in an object's defaults. Doing it twice changes nothing more.
pub fn apply(resource: Resource, object: &mut Value) {
    match resource {
        Resource::Pods => pod::apply(object),
        Resource::PodTemplates => pod::template(tree::object_or_new(object, "template")),
        Resource::LimitRanges => limit_range::apply(object),
        Resource::Secrets => secret(object),
        Resource::Namespaces => namespace(object),
        Resource::Events => event(object),
        Resource::PriorityClasses => tree::default(object, "preemptionPolicy", "PreemptLowerPriority"),
        Resource::ConfigMaps
        | Resource::Leases
        | Resource::Nodes
        | Resource::ResourceQuotas
        | Resource::RuntimeClasses
        | Resource::ServiceAccounts => {}
    }
}

/// `stringData` is for writing only: it ends up in `data`.
fn secret(secret: &mut Value) {
    if let Some(Value::Object(texts)) = secret.as_object_mut().and_then(|map| map.shift_remove("stringData")) {
        let data = tree::object_or_new(secret, "data");
        for (key, text) in texts {
            let text = text.as_str().unwrap_or_default();
            data[key] = base64::engine::general_purpose::STANDARD.encode(text).into();
        }
    }
    tree::default(secret, "type", "Opaque");
}

fn namespace(namespace: &mut Value) {
    if let Some(name) = namespace["metadata"]["name"].as_str().map(str::to_owned) {
        let labels = tree::object_or_new(&mut namespace["metadata"], "labels");
        labels["kubernetes.io/metadata.name"] = name.into();
    }
    let status = tree::object_or_new(namespace, "status");
    tree::default(status, "phase", "Active");
}

/// An event's empty fields are written, unlike others'.
fn event(event: &mut Value) {
    for (field, empty) in [
        ("source", json!({})),
        ("reportingComponent", json!("")),
        ("reportingInstance", json!("")),
        ("firstTimestamp", Value::Null),
        ("lastTimestamp", Value::Null),
        ("eventTime", Value::Null),
    ] {
        if event.get(field).is_none() {
            event[field] = empty;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secrets_texts_become_data() {
        let mut secret = json!({"stringData": {"a": "hi"}, "data": {"a": "AA==", "b": "AA=="}});
        apply(Resource::Secrets, &mut secret);
        assert_eq!(secret, json!({"data": {"a": "aGk=", "b": "AA=="}, "type": "Opaque"}));
    }

    #[test]
    fn a_namespace_carries_its_name_as_a_label() {
        let mut namespace = json!({"metadata": {"name": "x"}});
        apply(Resource::Namespaces, &mut namespace);
        assert_eq!(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"], "x");
        assert_eq!(namespace["status"]["phase"], "Active");
    }
}
