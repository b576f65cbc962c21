//! What the pod and its containers may do.

use serde::Serialize;
use serde_json::Value;

use crate::pod::Facts;
use crate::pod::container::Container;
use crate::view::sheet::Sheet;
use crate::view::text::{Line, Tone};

/// The section about the pod as a whole.
pub fn lines(facts: &Facts) -> Vec<Line> {
    let Some(spec) = facts.spec() else {
        return Vec::new();
    };
    let mut sheet = Sheet::new();
    let shared: Vec<&str> = [
        (spec.host_network == Some(true), "network"),
        (spec.host_pid == Some(true), "processes"),
        (spec.host_ipc == Some(true), "IPC"),
    ]
    .into_iter()
    .filter_map(|(is_shared, name)| is_shared.then_some(name))
    .collect();
    if !shared.is_empty() {
        sheet.pair(
            0,
            "Shares With The Node",
            Line::new().tone(Tone::Warning, shared.join(", ")),
        );
    }
    if spec.share_process_namespace == Some(true) {
        sheet.pair(
            0,
            "Process Namespace",
            "shared by all containers; the pause process is PID 1 in it",
        );
    }
    if spec.host_users == Some(false) {
        sheet.pair(0, "User Namespace", "its own: root inside is nobody outside");
    }
    if spec.automount_service_account_token == Some(false) {
        sheet.pair(0, "Service Account Token", "not mounted");
    }
    if let Some(context) = &spec.security_context {
        let words = settings(context);
        if !words.is_empty() {
            sheet.block(0, "Security Context", words);
        }
    }
    sheet.lines(29)
}

/// The rows about one container.
pub(super) fn container_rows(container: &Container, sheet: &mut Sheet) {
    let Some(context) = &container.spec.security_context else {
        return;
    };
    let words = settings(context);
    if !words.is_empty() {
        sheet.block(4, "Security Context", words);
    }
}

/// Settings by their own names: these are looked up, not read as prose.
fn settings(context: &impl Serialize) -> Vec<String> {
    let mut words = Vec::new();
    flatten("", &serde_json::to_value(context).unwrap_or_default(), &mut words);
    words
}

fn flatten(path: &str, value: &Value, words: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, member, words);
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| match item {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                })
                .collect();
            words.push(format!("{path}: {}", items.join(", ")));
        }
        Value::String(text) => words.push(format!("{path}: {text}")),
        Value::Null => {}
        other => words.push(format!("{path}: {other}")),
    }
}
