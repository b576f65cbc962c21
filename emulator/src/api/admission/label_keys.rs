//! `matchLabelKeys` and `mismatchLabelKeys`: the pod's own values of these labels become conditions of the label selector
//! beside them (`pkg/registry/core/pod/strategy.go`, KEP-3633, KEP-3243).

use serde_json::{Value, json};

use super::tree;

/// Merges the keys into the selectors of a new pod.
pub(super) fn apply(pod: &mut Value) {
    let labels = pod["metadata"]["labels"].clone();
    let Some(spec) = tree::object(pod, "spec") else { return };
    for constraint in tree::items(spec, "topologySpreadConstraints") {
        merge(constraint, "matchLabelKeys", "In", &labels);
    }
    let Some(affinity) = tree::object(spec, "affinity") else {
        return;
    };
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(terms) = tree::object(affinity, kind) else {
            continue;
        };
        for term in tree::items(terms, "requiredDuringSchedulingIgnoredDuringExecution") {
            merge_both(term, &labels);
        }
        for weighted in tree::items(terms, "preferredDuringSchedulingIgnoredDuringExecution") {
            if let Some(term) = tree::object(weighted, "podAffinityTerm") {
                merge_both(term, &labels);
            }
        }
    }
}

fn merge_both(term: &mut Value, labels: &Value) {
    merge(term, "matchLabelKeys", "In", labels);
    merge(term, "mismatchLabelKeys", "NotIn", labels);
}

/// A selector that is not there selects nothing: there is nothing to merge into.
fn merge(term: &mut Value, field: &str, operator: &str, labels: &Value) {
    let keys = term.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(selector) = tree::object(term, "labelSelector") else {
        return;
    };
    for key in keys.iter().filter_map(Value::as_str) {
        if let Some(value) = labels[key].as_str() {
            let condition = json!({"key": key, "operator": operator, "values": [value]});
            tree::push(selector, "matchExpressions", condition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pods_own_labels_become_conditions_of_the_selector() {
        let term = json!({"labelSelector": {"matchLabels": {"app": "x"}}, "matchLabelKeys": ["hash", "missing"],
            "mismatchLabelKeys": ["tenant"], "topologyKey": "zone"});
        let mut pod = json!({"metadata": {"labels": {"hash": "1", "tenant": "t"}}, "spec": {
            "topologySpreadConstraints": [{"matchLabelKeys": ["hash"]}],
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": term}]}}}});
        apply(&mut pod);
        let terms = &pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
        assert_eq!(
            terms[0]["podAffinityTerm"]["labelSelector"]["matchExpressions"],
            json!([{"key": "hash", "operator": "In", "values": ["1"]}, {"key": "tenant", "operator": "NotIn", "values": ["t"]}])
        );
        assert_eq!(
            pod["spec"]["topologySpreadConstraints"],
            json!([{"matchLabelKeys": ["hash"]}])
        );
    }
}
