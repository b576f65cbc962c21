//! The row of an event.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Column, age::since};

pub(super) const COLUMNS: [Column; 10] = [
    ("Last Seen", "string", "", false),
    ("Type", "string", "", false),
    ("Reason", "string", "", false),
    ("Object", "string", "", false),
    ("Subobject", "string", "", true),
    ("Source", "string", "", true),
    ("Message", "string", "", false),
    ("First Seen", "string", "", true),
    ("Count", "string", "", true),
    ("Name", "string", "name", true),
];

pub(super) fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let time = |field: &str| Some(&event[field]).filter(|time| time.is_string());
    let first = time("firstTimestamp")
        .or_else(|| time("eventTime"))
        .map_or_else(|| since(&Value::Null, now), |t| since(t, now));
    let mut last = time("lastTimestamp").map_or_else(|| first.clone(), |t| since(t, now));
    let mut count = event["count"].as_i64().filter(|count| *count != 0).unwrap_or(1);
    if event["series"].is_object() {
        last = since(&event["series"]["lastObservedTime"], now);
        count = event["series"]["count"].as_i64().unwrap_or(count);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let involved = &event["involvedObject"];
    let kind = text(&involved["kind"]).to_lowercase();
    let object = match text(&involved["name"]) {
        name if name.is_empty() => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        json!(last),
        json!(text(&event["type"])),
        json!(text(&event["reason"])),
        json!(object),
        json!(text(&involved["fieldPath"])),
        json!(source(event)),
        json!(text(&event["message"]).trim()),
        json!(first),
        json!(count),
        event["metadata"]["name"].clone(),
    ]
}

/// Who said it, and where.
fn source(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pick = |old: &Value, new: &Value| {
        Some(text(old))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| text(new))
    };
    let component = pick(&event["source"]["component"], &event["reportingComponent"]);
    let host = pick(&event["source"]["host"], &event["reportingInstance"]);
    [component, host]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}
