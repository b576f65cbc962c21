//! Discovery at once: all groups with all that is in them (KEP-3352).

use serde_json::{Value, json};

use super::{GROUPS, resources};

/// `/api` or `/apis` with all that there is below it, and its media type, for clients that ask for it so; kubectl does from
/// 1.30 on.
pub(in crate::api) fn aggregated(path: &str, accept: &str) -> Option<(String, Value)> {
    let version = accept.split(',').find_map(|media| {
        let mut parts = media.split(';').map(str::trim);
        let is_json = parts.next() == Some("application/json");
        let parts: Vec<&str> = parts.collect();
        let asks = |part: &str| parts.contains(&part);
        let wanted = is_json && asks("g=apidiscovery.k8s.io") && asks("as=APIGroupDiscoveryList");
        let mut versions = ["v2", "v2beta1"].into_iter().filter(|_| wanted);
        versions.find(|version| asks(&format!("v={version}")))
    })?;
    let groups: Vec<Value> = match path.trim_end_matches('/') {
        "/api" => vec![aggregated_group("", "v1")],
        "/apis" => {
            let groups = GROUPS.into_iter();
            // A group without resources keeps kubectl from remembering the others. Whoever asks so has no need of it.
            let groups = groups.filter(|(name, _)| !resources(name).is_empty());
            groups.map(|(name, version)| aggregated_group(name, version)).collect()
        }
        _ => return None,
    };
    let media = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": groups,
    });
    Some((media, list))
}

fn aggregated_group(group: &str, version: &str) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for entry in resources(group) {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        let kind = json!({
            "group": entry["group"].as_str().unwrap_or(group),
            "version": entry["version"].as_str().unwrap_or(version),
            "kind": entry["kind"],
        });
        if let Some((_, part)) = text("name").split_once('/') {
            let part = json!({"subresource": part, "responseKind": kind, "verbs": entry["verbs"]});
            match all.last_mut().map(|resource| &mut resource["subresources"]) {
                Some(Value::Array(parts)) => parts.push(part),
                Some(none) => *none = json!([part]),
                None => {}
            }
            continue;
        }
        let mut resource = json!({
            "resource": entry["name"],
            "responseKind": kind,
            "scope": if entry["namespaced"] == true { "Namespaced" } else { "Cluster" },
            "singularResource": entry["singularName"],
            "verbs": entry["verbs"],
        });
        for field in ["shortNames", "categories"] {
            if entry[field].is_array() {
                resource[field] = entry[field].clone();
            }
        }
        all.push(resource);
    }
    let mut metadata = json!({"creationTimestamp": null});
    if !group.is_empty() {
        metadata["name"] = group.into();
    }
    let version = json!({"version": version, "resources": all, "freshness": "Current"});
    json!({"metadata": metadata, "versions": [version]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::discovery::document;

    #[test]
    fn all_at_once_is_what_is_told_one_by_one() {
        let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
            application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        let (media, core) = aggregated("/api", accept).unwrap();
        assert_eq!(
            media,
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        );
        let (_, others) = aggregated("/apis", accept).unwrap();
        let groups = core["items"]
            .as_array()
            .unwrap()
            .iter()
            .chain(others["items"].as_array().unwrap());
        for group in groups {
            let version = group["versions"][0]["version"].as_str().unwrap();
            let path = match group["metadata"]["name"].as_str() {
                Some(name) => format!("/apis/{name}/{version}"),
                None => format!("/api/{version}"),
            };
            let mut names: Vec<String> = Vec::new();
            for resource in group["versions"][0]["resources"].as_array().unwrap() {
                let name = resource["resource"].as_str().unwrap();
                names.push(name.to_owned());
                let parts = resource["subresources"].as_array().into_iter().flatten();
                names.extend(parts.map(|part| format!("{name}/{}", part["subresource"].as_str().unwrap())));
            }
            let list = document(&path).unwrap();
            let told: Vec<&str> = list["resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, told, "{path}");
        }
        assert_eq!(aggregated("/api", "application/json"), None);
        assert_eq!(aggregated("/api/v1", accept), None);
    }
}
