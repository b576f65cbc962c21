//! The documents that describe the API: kubectl checks manifests by them, merges by them and explains from them.

mod definitions;
mod paths;
mod protobuf;
mod swagger;

use std::sync::OnceLock;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::definitions::{Dialect, definitions};
use super::discovery::VERSION;

/// The groups that are described, by what follows `/openapi/v3/`.
const GROUPS: [(&str, &str); 5] = [
    ("api/v1", ""),
    ("apis/coordination.k8s.io/v1", "coordination.k8s.io"),
    ("apis/events.k8s.io/v1", "events.k8s.io"),
    ("apis/node.k8s.io/v1", "node.k8s.io"),
    ("apis/scheduling.k8s.io/v1", "scheduling.k8s.io"),
];

/// `/openapi/v3`: which documents there are. The hash changes when a document does, so that clients may keep it.
pub(super) fn v3_index() -> Value {
    static PATHS: OnceLock<Value> = OnceLock::new();
    let paths = PATHS.get_or_init(|| {
        let paths = GROUPS.iter().map(|(path, group)| {
            let digest = Sha256::digest(v3(group).to_string());
            let hash: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
            let url = format!("/openapi/v3/{path}?hash={hash}");
            ((*path).to_owned(), json!({ "serverRelativeURL": url }))
        });
        Value::Object(paths.collect())
    });
    json!({ "paths": paths })
}

/// `/openapi/v3/…`: one group's document.
pub(super) fn v3_document(path: &str) -> Option<Value> {
    let (_, group) = GROUPS.iter().find(|(known, _)| *known == path)?;
    Some(v3(group))
}

fn v3(group: &str) -> Value {
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION},
        "paths": paths::v3(group),
        "components": {"schemas": definitions(Dialect::V3, Some(group))},
    })
}

/// `/openapi/v2`: as JSON, or as the protobuf message that clients before kubectl 1.27 ask for.
pub(super) fn v2(protobuf: bool) -> Vec<u8> {
    let definitions = definitions(Dialect::V2, None);
    if protobuf {
        return swagger::document(VERSION, &definitions);
    }
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": VERSION},
        "paths": paths::v2(),
        "definitions": definitions,
    })
    .to_string()
    .into_bytes()
}

/// Everything of a Pod that the server knows, by the names of its schemas.
#[cfg(test)]
pub(super) fn schemas() -> serde_json::Map<String, Value> {
    definitions(Dialect::V2, Some(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_described_with_what_merging_needs() {
        let document = v3("");
        let schemas = &document["components"]["schemas"];
        let pod = &schemas["io.k8s.api.core.v1.Pod"];
        assert_eq!(
            pod["x-kubernetes-group-version-kind"],
            json!([{"group": "", "kind": "Pod", "version": "v1"}])
        );
        assert_eq!(pod["required"].as_array().map_or(0, Vec::len), 0);
        let spec = &pod["properties"]["spec"];
        assert_eq!(
            spec["allOf"],
            json!([{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}])
        );
        let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
        assert!(
            schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["tolerations"]["x-kubernetes-patch-strategy"].is_null()
        );
        let quantity = &schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"];
        assert_eq!(quantity["oneOf"], json!([{"type": "string"}, {"type": "number"}]));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str));
                    map.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        for document in [
            v3(""),
            v3("coordination.k8s.io"),
            v3("events.k8s.io"),
            v3("scheduling.k8s.io"),
            serde_json::from_slice(&v2(false)).unwrap(),
        ] {
            let mut found = Vec::new();
            references(&document, &mut found);
            assert!(found.len() > 3);
            for reference in found {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
        }
    }

    #[test]
    fn patches_of_pods_are_said_to_take_field_validation() {
        let document = v3("");
        let patch = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Pod");
        let parameters = patch["parameters"].as_array().unwrap();
        assert!(
            parameters
                .iter()
                .any(|parameter| parameter["name"] == "fieldValidation")
        );
        assert!(document["paths"]["/api/v1/nodes/{name}"]["get"].is_object());
    }
}
