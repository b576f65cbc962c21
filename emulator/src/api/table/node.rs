//! The row of a node.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AGE, Column, NAME, age::since};

pub(super) const COLUMNS: [Column; 10] = [
    NAME,
    ("Status", "string", "", false),
    ("Roles", "string", "", false),
    AGE,
    ("Version", "string", "", false),
    ("Internal-IP", "string", "", true),
    ("External-IP", "string", "", true),
    ("OS-Image", "string", "", true),
    ("Kernel-Version", "string", "", true),
    ("Container-Runtime", "string", "", true),
];

pub(super) fn cells(node: &Value, now: Timestamp) -> Vec<Value> {
    let status = &node["status"];
    let info = |field: &str| {
        json!(
            status["nodeInfo"][field]
                .as_str()
                .filter(|text| !text.is_empty())
                .unwrap_or("<unknown>")
        )
    };
    let address = |kind: &str| {
        let addresses = status["addresses"].as_array().into_iter().flatten();
        let found = addresses
            .filter(|address| address["type"] == kind)
            .find_map(|address| address["address"].as_str());
        json!(found.unwrap_or("<none>"))
    };
    vec![
        node["metadata"]["name"].clone(),
        json!(state(node)),
        json!(roles(node)),
        json!(since(&node["metadata"]["creationTimestamp"], now)),
        status["nodeInfo"]["kubeletVersion"].clone(),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn state(node: &Value) -> String {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions
        .filter(|condition| condition["type"] == "Ready")
        .map(|condition| &condition["status"])
        .next();
    let mut state = match ready {
        Some(status) if status == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node["spec"]["unschedulable"] == true {
        state.push_str(",SchedulingDisabled");
    }
    state
}

fn roles(node: &Value) -> String {
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let mut roles: Vec<&str> = labels
        .filter_map(|(label, value)| match label.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if label == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    if roles.is_empty() {
        "<none>".to_owned()
    } else {
        roles.join(",")
    }
}
