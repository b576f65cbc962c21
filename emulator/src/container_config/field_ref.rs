//! `fieldRef`: fields of the pod as text (`pkg/fieldpath`, `kubelet_pods.go` `podFieldSelectorRuntimeValue`).

use std::net::IpAddr;

use serde_json::Value;

use super::{Node, quoted::quoted};
use crate::kubelet::pod::Pod;

/// The value of a field, or `None` where there is no such field.
pub fn value(pod: &Pod, node: &Node, ips: &[IpAddr], path: &str) -> Option<String> {
    let metadata = &pod.object["metadata"];
    let joined = |ips: &[IpAddr]| ips.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(",");
    let first = |ips: &[IpAddr]| ips.first().map(IpAddr::to_string).unwrap_or_default();
    if let Some((map, key)) = subscript(path) {
        let value = metadata[map][key].as_str().unwrap_or_default();
        return Some(value.to_owned());
    }
    Some(match path {
        "metadata.name" => pod.name.clone(),
        "metadata.namespace" => pod.namespace.clone(),
        "metadata.uid" => pod.uid.clone(),
        "metadata.labels" => lines(&metadata["labels"]),
        "metadata.annotations" => lines(&metadata["annotations"]),
        "spec.nodeName" => pod.spec.node_name.clone().unwrap_or_default(),
        "spec.serviceAccountName" => pod.spec.service_account_name.clone().unwrap_or_default(),
        "status.hostIP" => first(&node.ips),
        "status.hostIPs" => joined(&node.ips),
        "status.podIP" => first(ips),
        "status.podIPs" => joined(ips),
        _ => return None,
    })
}

/// `metadata.labels['KEY']` as (`labels`, `KEY`).
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, key) = path.strip_prefix("metadata.")?.strip_suffix("']")?.split_once("['")?;
    matches!(map, "labels" | "annotations").then_some((map, key))
}

/// One `key="value"` a line, by key, as files of a downwardAPI volume hold them.
fn lines(map: &Value) -> String {
    let mut entries: Vec<(&String, &Value)> = map.as_object().into_iter().flatten().collect();
    entries.sort_by_key(|(key, _)| *key);
    let row = |(key, value): (&String, &Value)| format!("{key}={}", quoted(value.as_str().unwrap_or_default()));
    entries.into_iter().map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subscripts_and_lines() {
        assert_eq!(subscript("metadata.labels['a.b/c']"), Some(("labels", "a.b/c")));
        assert_eq!(subscript("metadata.labels"), None);
        assert_eq!(subscript("metadata.name['x']"), None);
        assert_eq!(
            lines(&json!({"b": "2", "a": "say \"hi\""})),
            "a=\"say \\\"hi\\\"\"\nb=\"2\""
        );
        assert_eq!(lines(&json!({"app-x": "1", "app": "2"})), "app=\"2\"\napp-x=\"1\"");
    }
}
