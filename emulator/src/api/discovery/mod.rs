//! What the server says about itself: groups, resources, version.

mod aggregated;

use serde_json::{Value, json};

pub(super) use self::aggregated::aggregated;
use super::event_form::EVENTS_GROUP;
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

/// The groups besides the core, each with its one version.
const GROUPS: [(&str, &str); 8] = [
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
    ("coordination.k8s.io", "v1"),
    ("events.k8s.io", "v1"),
    ("metrics.k8s.io", "v1beta1"),
    ("node.k8s.io", "v1"),
    // Of `pods/eviction`: clients before kubectl 1.22 evict only where they find the group.
    ("policy", "v1"),
    ("scheduling.k8s.io", "v1"),
];

/// Kinds that are asked and never stored: group, plural, kind.
const REVIEWS: [(&str, &str, &str); 3] = [
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    (
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
    ),
    (
        "authorization.k8s.io",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
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
            "groups": GROUPS.map(|(name, version)| group(name, version)),
        })),
        "/api/v1" => Some(json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": resources("")})),
        "/version" => Some(version()),
        path => group_document(path.strip_prefix("/apis/")?),
    }
}

/// Where kubectl looks for the kind of an object that it finds in no group.
pub(super) const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// The list of CustomResourceDefinitions: none. Without it kubectl fails on what it can't list, and never says that there is
/// no such kind.
pub(super) fn definitions(version: u64) -> Value {
    json!({
        "kind": "CustomResourceDefinitionList",
        "apiVersion": "apiextensions.k8s.io/v1",
        "metadata": {"resourceVersion": version.to_string()},
        "items": [],
    })
}

/// The kind that a path below `/apis` takes reviews of.
pub(super) fn review(path: &str) -> Option<&'static str> {
    let (group, plural) = path.strip_prefix("/apis/")?.split_once("/v1/")?;
    let mut all = REVIEWS.iter();
    let (.., kind) = all.find(|(of, name, _)| *of == group && *name == plural)?;
    Some(kind)
}

fn group_document(path: &str) -> Option<Value> {
    let (name, asked) = path.split_once('/').unwrap_or((path, ""));
    let (_, version) = GROUPS.iter().find(|(group, _)| *group == name)?;
    match asked {
        "" => {
            let mut group = group(name, version);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            Some(group)
        }
        asked if asked == *version => Some(json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": format!("{name}/{version}"),
            "resources": resources(name),
        })),
        _ => None,
    }
}

fn group(name: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [version.clone()], "preferredVersion": version})
}

/// What there is in a group.
fn resources(group: &str) -> Vec<Value> {
    let reviews = REVIEWS.iter().filter(|(of, ..)| *of == group).map(|(_, plural, kind)| {
        json!({
            "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind,
            "verbs": ["create"],
        })
    });
    let mut resources: Vec<Value> = reviews.collect();
    let stored = Resource::ALL.into_iter();
    resources.extend(
        stored
            .filter(|resource| resource.group() == group)
            .flat_map(stored_entries),
    );
    match group {
        EVENTS_GROUP => resources.extend(stored_entries(Resource::Events)),
        "" => resources.insert(
            0,
            json!({
                "name": "bindings", "singularName": "binding", "namespaced": true, "kind": "Binding",
                "verbs": ["create"],
            }),
        ),
        "metrics.k8s.io" => resources.extend([("nodes", false, "NodeMetrics"), ("pods", true, "PodMetrics")].map(
            |(plural, namespaced, kind)| {
                json!({
                    "name": plural, "singularName": "", "namespaced": namespaced, "kind": kind,
                    "verbs": ["get", "list"],
                })
            },
        )),
        _ => {}
    }
    resources
}

/// A kind and its subresources.
fn stored_entries(resource: Resource) -> Vec<Value> {
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
    let mut entries = vec![entry];
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
        entries.push(entry);
    }
    entries
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
    use crate::api::{metrics, target::Target};

    #[test]
    fn every_group_that_is_listed_is_there() {
        let groups = document("/apis").unwrap();
        for group in groups["groups"].as_array().unwrap() {
            let version = group["preferredVersion"]["groupVersion"].as_str().unwrap();
            let list = document(&format!("/apis/{version}")).unwrap();
            let resources = list["resources"].as_array().unwrap();
            assert!(!resources.is_empty() || version == "policy/v1", "{version}");
            for resource in resources {
                let name = resource["name"].as_str().unwrap();
                let path = format!("/apis/{version}/{name}");
                let metrics = path.strip_prefix("/apis/metrics.k8s.io/v1beta1/");
                assert!(
                    review(&path) == resource["kind"].as_str()
                        || Target::of(&path).is_some_and(|target| target.resource.plural() == name)
                        || metrics.and_then(metrics::Target::parse).is_some(),
                    "{path}"
                );
            }
        }
        assert_eq!(document("/apis/apps/v1"), None);
        assert_eq!(document("/apis/metrics.k8s.io/v1"), None);
    }
}
