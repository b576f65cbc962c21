//! The row of a ResourceQuota.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{AGE, Column, NAME};

pub(super) const COLUMNS: [Column; 4] = [
    NAME,
    ("Request", "string", "", false),
    ("Limit", "string", "", false),
    AGE,
];

pub(super) fn cells(quota: &Value, age: Value) -> Vec<Value> {
    let status = &quota["status"];
    let hard: BTreeMap<&String, &Value> = status["hard"].as_object().into_iter().flatten().collect();
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, hard) in hard {
        let used = status["used"][name].as_str().unwrap_or("0");
        let column = if name.starts_with("limits.") {
            &mut limits
        } else {
            &mut requests
        };
        column.push(format!("{name}: {used}/{}", hard.as_str().unwrap_or("0")));
    }
    vec![
        quota["metadata"]["name"].clone(),
        json!(requests.join(", ")),
        json!(limits.join(", ")),
        age,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_shows_used_of_hard_with_limits_apart() {
        let quota = json!({"metadata": {"name": "q"}, "status": {
            "hard": {"requests.cpu": "1", "pods": "2", "limits.memory": "1Gi"}, "used": {"pods": "1"}}});
        let expected = [
            json!("q"),
            json!("pods: 1/2, requests.cpu: 0/1"),
            json!("limits.memory: 0/1Gi"),
            json!("5s"),
        ];
        assert_eq!(cells(&quota, json!("5s")), expected);
    }
}
