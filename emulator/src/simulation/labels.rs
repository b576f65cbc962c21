//! The labels of the assumed node: what the pod selects, and the topologies that it spreads over.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::objects::text;

/// The value of a label whose value makes no difference.
const ANY: &str = "any";

/// Returns the labels of a node that the pod fits on, as far as there can be such a node.
pub(super) fn of_node(spec: &Value, name: &str) -> Value {
    let mut labels = BTreeMap::from([
        ("kubernetes.io/hostname", name.to_owned()),
        ("kubernetes.io/os", "linux".to_owned()),
        ("kubernetes.io/arch", "amd64".to_owned()),
    ]);
    for key in topology_keys(spec) {
        labels.entry(key).or_insert_with(|| ANY.to_owned());
    }
    for (key, value) in spec["nodeSelector"].as_object().into_iter().flatten() {
        labels.insert(key, text(value, "").to_owned());
    }
    let selected = |key: &str| spec["nodeSelector"][key].is_string();
    // One of the terms is enough.
    let fitting = terms(spec).as_array().into_iter().flatten();
    let mut fitting = fitting.filter_map(|term| satisfied(labels.clone(), term, selected));
    json!(fitting.next().unwrap_or(labels))
}

/// The terms of the required node affinity.
pub(super) fn terms(spec: &Value) -> &Value {
    &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
}

fn topology_keys(spec: &Value) -> impl Iterator<Item = &str> {
    let spread = spec["topologySpreadConstraints"].as_array();
    let affinity = ["podAffinity", "podAntiAffinity"]
        .map(|kind| spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"].as_array());
    let all = affinity.into_iter().chain([spread]).flatten().flatten();
    all.filter_map(|one| one["topologyKey"].as_str())
}

/// Changes labels that nothing else asks for until a term holds; none where it can't.
fn satisfied<'a>(
    mut labels: BTreeMap<&'a str, String>,
    term: &'a Value,
    selected: impl Fn(&str) -> bool,
) -> Option<BTreeMap<&'a str, String>> {
    let expressions: Vec<&Value> = term["matchExpressions"].as_array().into_iter().flatten().collect();
    for expression in &expressions {
        let key = expression["key"].as_str()?;
        let of_key: Vec<&&Value> = expressions.iter().filter(|other| other["key"] == key).collect();
        let holds = |value: Option<&str>| of_key.iter().all(|expression| holds(expression, value));
        if holds(labels.get(key).map(String::as_str)) {
            continue;
        }
        if selected(key) {
            return None;
        }
        match candidates(&of_key).into_iter().find(|value| holds(Some(value))) {
            Some(value) => labels.insert(key, value),
            None if holds(None) => labels.remove(key),
            None => return None,
        };
    }
    Some(labels)
}

/// The values among which one fits, if any does.
fn candidates(expressions: &[&&Value]) -> Vec<String> {
    let mut found = Vec::new();
    for expression in expressions {
        for value in expression["values"].as_array().into_iter().flatten() {
            let value = text(value, "");
            let beside = |step: i64| value.parse::<i64>().ok().map(|bound| (bound + step).to_string());
            match text(&expression["operator"], "") {
                "In" => found.push(value.to_owned()),
                "Gt" => found.extend(beside(1)),
                "Lt" => found.extend(beside(-1)),
                _ => {}
            }
        }
    }
    found.extend([ANY, "arm64", ""].map(str::to_owned));
    found
}

/// Whether an expression holds for a label's value (`apimachinery/pkg/labels`, `Requirement.Matches`).
fn holds(expression: &Value, value: Option<&str>) -> bool {
    let values = || {
        expression["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    };
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    match text(&expression["operator"], "") {
        "In" => value.is_some_and(|value| values().any(|one| one == value)),
        "NotIn" => value.is_none_or(|value| values().all(|one| one != value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => number(value)
            .zip(number(values().next()))
            .is_some_and(|(value, bound)| value > bound),
        "Lt" => number(value)
            .zip(number(values().next()))
            .is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(terms: Value) -> Value {
        let required = json!({"nodeSelectorTerms": terms});
        of_node(
            &json!({"nodeSelector": {"disk": "ssd"}, "topologySpreadConstraints": [{"topologyKey": "zone"}],
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}),
            "n",
        )
    }

    #[test]
    fn node_has_selected_labels_and_topologies() {
        let found = labels(json!([]));
        assert_eq!((&found["disk"], &found["zone"]), (&json!("ssd"), &json!(ANY)));
    }

    #[test]
    fn first_term_that_can_hold_is_satisfied() {
        let found = labels(json!([
            {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["hdd"]}]},
            {"matchExpressions": [
                {"key": "cores", "operator": "Gt", "values": ["4"]},
                {"key": "cores", "operator": "Lt", "values": ["8"]},
                {"key": "kubernetes.io/arch", "operator": "NotIn", "values": ["amd64"]},
                {"key": "size", "operator": "In", "values": ["s", "m"]},
                {"key": "size", "operator": "In", "values": ["m"]},
                {"key": "kubernetes.io/os", "operator": "DoesNotExist"}]}
        ]));
        assert_eq!(found["cores"], "5");
        assert_ne!(found["kubernetes.io/arch"], "amd64");
        assert_eq!(found["size"], "m");
        assert!(found["kubernetes.io/os"].is_null());
    }
}
