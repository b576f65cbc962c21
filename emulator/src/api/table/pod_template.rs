//! The row of a PodTemplate.

use serde_json::{Value, json};

use super::{Column, NAME};

pub(super) const COLUMNS: [Column; 4] = [
    NAME,
    ("Containers", "string", "", false),
    ("Images", "string", "", false),
    ("Pod Labels", "string", "", false),
];

pub(super) fn cells(object: &Value) -> Vec<Value> {
    let template = &object["template"];
    let of_containers = |field: &str| {
        let containers = template["spec"]["containers"].as_array().into_iter().flatten();
        let values: Vec<&str> = containers.filter_map(|container| container[field].as_str()).collect();
        json!(values.join(","))
    };
    vec![
        object["metadata"]["name"].clone(),
        of_containers("name"),
        of_containers("image"),
        json!(labels(&template["metadata"]["labels"])),
    ]
}

/// Labels as kubectl prints them: `a=1,b=2`.
fn labels(labels: &Value) -> String {
    let mut pairs: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort_unstable();
    if pairs.is_empty() {
        "<none>".to_owned()
    } else {
        pairs.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_lists_containers_images_and_labels() {
        let object = json!({"metadata": {"name": "t"}, "template": {
            "metadata": {"labels": {"b": "2", "a": "1"}},
            "spec": {"containers": [{"name": "x", "image": "i:1"}, {"name": "y", "image": "j:2"}]}}});
        assert_eq!(
            cells(&object),
            [json!("t"), json!("x,y"), json!("i:1,j:2"), json!("a=1,b=2")]
        );
        assert_eq!(cells(&json!({"metadata": {"name": "t"}}))[3], "<none>");
    }
}
