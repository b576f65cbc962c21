//! A LimitRange's defaults: limits from the maximum, requests from limits and from the minimum.

use serde_json::Value;

use crate::api::admission::tree;

/// Fills in what the limits of containers leave out (`SetDefaults_LimitRangeItem`).
pub(super) fn apply(range: &mut Value) {
    let Some(spec) = tree::object(range, "spec") else {
        return;
    };
    for item in tree::items(spec, "limits").filter(|item| item["type"] == "Container") {
        for (from, to) in [
            ("max", "default"),
            ("default", "defaultRequest"),
            ("min", "defaultRequest"),
        ] {
            let Some(amounts) = item.get(from).and_then(Value::as_object).cloned() else {
                continue;
            };
            let defaults = tree::object_or_new(item, to);
            for (name, amount) in amounts {
                tree::default(defaults, &name, amount);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_come_from_max_and_requests_from_limits_or_min() {
        let mut range = json!({"spec": {"limits": [
            {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}, "default": {"memory": "4Mi"},
             "defaultRequest": {"memory": "2Mi"}},
            {"type": "Pod", "max": {"cpu": "2"}},
        ]}});
        apply(&mut range);
        let limits = &range["spec"]["limits"];
        assert_eq!(limits[0]["default"], json!({"memory": "4Mi", "cpu": "2"}));
        assert_eq!(limits[0]["defaultRequest"], json!({"memory": "2Mi", "cpu": "2"}));
        assert_eq!(limits[1], json!({"type": "Pod", "max": {"cpu": "2"}}));
    }
}
