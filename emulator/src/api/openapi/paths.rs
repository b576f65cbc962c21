//! Which requests there are for each kind, as far as clients look: the kind of each path, and the parameters of
//! what writes.

use serde_json::{Map, Value, json};

use crate::api::event_form::EVENTS_GROUP;
use crate::store::Resource;

/// Parameters of every request that writes.
pub(super) const WRITE_PARAMETERS: [&str; 4] = ["dryRun", "fieldManager", "fieldValidation", "pretty"];

const PATCH_TYPES: [&str; 4] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

/// Every kind with its group; events have two.
pub(super) fn served() -> impl Iterator<Item = (Resource, &'static str)> {
    let stored = Resource::ALL.into_iter().map(|resource| (resource, resource.group()));
    stored.chain([(Resource::Events, EVENTS_GROUP)])
}

/// The path of a kind's list in a group, and of one object.
pub(super) fn of(resource: Resource, group: &str) -> (String, String) {
    let namespace = if resource.namespaced() {
        "namespaces/{namespace}/"
    } else {
        ""
    };
    let root = match group {
        "" => "/api/v1".to_owned(),
        group => format!("/apis/{group}/v1"),
    };
    let list = format!("{root}/{namespace}{}", resource.plural());
    let one = format!("{list}/{{name}}");
    (list, one)
}

/// OpenAPI 3.0.
pub(super) fn v3(group: &str) -> Value {
    paths(
        Some(group),
        |name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}),
    )
}

/// Swagger 2.0.
pub(super) fn v2() -> Value {
    paths(
        None,
        |name| json!({"name": name, "in": "query", "type": "string", "uniqueItems": true}),
    )
}

fn paths(group: Option<&str>, parameter: impl Fn(&str) -> Value) -> Value {
    let mut paths = Map::new();
    for (resource, own) in served().filter(|(_, own)| group.is_none_or(|group| group == *own)) {
        let (list, one) = of(resource, own);
        let operation = |action: &str, writes: bool| {
            let mut operation = json!({
                "operationId": format!("{action}CoreV1{}", resource.kind()),
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": action,
                "x-kubernetes-group-version-kind": {"group": own, "kind": resource.kind(), "version": "v1"},
            });
            if writes {
                operation["parameters"] = WRITE_PARAMETERS.iter().map(|name| parameter(name)).collect();
            }
            operation
        };
        let mut patch = operation("patch", true);
        let body = json!({"type": "object"});
        let content: Map<String, Value> = PATCH_TYPES
            .iter()
            .map(|media| ((*media).to_owned(), json!({"schema": body})))
            .collect();
        patch["requestBody"] = json!({"content": content, "required": true});
        paths.insert(
            list,
            json!({"get": operation("list", false), "post": operation("post", true)}),
        );
        paths.insert(
            one,
            json!({
                "get": operation("get", false),
                "put": operation("put", true),
                "patch": patch,
                "delete": operation("delete", false),
            }),
        );
    }
    Value::Object(paths)
}
