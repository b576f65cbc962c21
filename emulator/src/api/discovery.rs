//! What the server says about itself: groups, resources, version.

use serde_json::{Value, json};

use super::request::subresources;
use crate::store::Resource;

/// The Kubernetes release that the emulator follows.
pub const VERSION: &str = "v1.36.0";

/// The verbs of every kind.
const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// The verbs of a kind: namespaces are deleted one by one.
fn verbs(resource: Resource) -> Vec<&'static str> {
    let possible = |verb: &&str| resource != Resource::Namespaces || *verb != "deletecollection";
    VERBS.into_iter().filter(possible).collect()
}

/// The groups besides the core, with the kinds that can be asked there.
const REVIEWS: [(&str, &[(&str, &str)]); 2] = [
    ("authentication.k8s.io", &[("selfsubjectreviews", "SelfSubjectReview")]),
    (
        "authorization.k8s.io",
        &[
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ],
    ),
];

/// The answer to a path of discovery.
pub(super) fn document(path: &str) -> Option<Value> {
    match path.trim_end_matches('/') {
        "/api" => Some(json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
        })),
        "/apis" => Some(json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": REVIEWS.map(|(name, _)| group(name)),
        })),
        "/api/v1" => Some(core()),
        "/version" => Some(version()),
        path => review_document(path.strip_prefix("/apis/")?),
    }
}

/// The kind that a path below `/apis` takes reviews of.
pub(super) fn review(path: &str) -> Option<&'static str> {
    let (group, plural) = path.strip_prefix("/apis/")?.split_once("/v1/")?;
    let (_, kinds) = REVIEWS.iter().find(|(name, _)| *name == group)?;
    kinds.iter().find(|(name, _)| *name == plural).map(|(_, kind)| *kind)
}

fn review_document(path: &str) -> Option<Value> {
    let (name, version) = path.split_once('/').unwrap_or((path, ""));
    let (_, kinds) = REVIEWS.iter().find(|(group, _)| *group == name)?;
    match version {
        "" => {
            let mut group = group(name);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            Some(group)
        }
        "v1" => {
            let resources: Vec<Value> = kinds
                .iter()
                .map(|(plural, kind)| {
                    let singular = kind.to_lowercase();
                    json!({"name": plural, "singularName": singular, "namespaced": false, "kind": kind, "verbs": ["create"]})
                })
                .collect();
            let version = format!("{name}/v1");
            Some(
                json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}),
            )
        }
        _ => None,
    }
}

fn group(name: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
    json!({"name": name, "versions": [version.clone()], "preferredVersion": version})
}

fn core() -> Value {
    let mut resources = Vec::new();
    for resource in Resource::ALL {
        let plural = resource.plural();
        let mut entry = json!({
            "name": plural,
            "singularName": resource.kind().to_lowercase(),
            "namespaced": resource.namespaced(),
            "kind": resource.kind(),
            "verbs": verbs(resource),
        });
        if !resource.short_names().is_empty() {
            entry["shortNames"] = json!(resource.short_names());
        }
        if resource == Resource::Pods {
            entry["categories"] = json!(["all"]);
        }
        resources.push(entry);
        for (name, kind, verbs) in subresources(resource) {
            let mut entry = json!({
                "name": format!("{plural}/{name}"),
                "singularName": "",
                "namespaced": resource.namespaced(),
                "kind": kind,
                "verbs": verbs,
            });
            let group = match *kind {
                "TokenRequest" => Some("authentication.k8s.io"),
                "Eviction" => Some("policy"),
                _ => None,
            };
            if let Some(group) = group {
                entry["group"] = group.into();
                entry["version"] = "v1".into();
            }
            resources.push(entry);
        }
    }
    json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": resources})
}

fn version() -> Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": format!("{VERSION}+kubectl-pod-{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("linux/{architecture}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_that_is_listed_is_there() {
        let groups = document("/apis").unwrap();
        for group in groups["groups"].as_array().unwrap() {
            let version = group["preferredVersion"]["groupVersion"].as_str().unwrap();
            let list = document(&format!("/apis/{version}")).unwrap();
            for resource in list["resources"].as_array().unwrap() {
                let path = format!("/apis/{version}/{}", resource["name"].as_str().unwrap());
                assert_eq!(review(&path), resource["kind"].as_str(), "{path}");
            }
        }
        assert_eq!(document("/apis/apps/v1"), None);
    }
}
