//! Warnings about where a pod may run: deprecated labels of nodes (`pkg/api/node/util.go`), selectors without effect.

use serde_json::Value;

use super::{Warnings, items, text};
use crate::api::admission::names;

/// Labels of nodes that have another name today.
const DEPRECATED_LABELS: [(&str, &str); 8] = [
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "beta.kubernetes.io/arch",
        "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    (
        "beta.kubernetes.io/os",
        "deprecated since v1.14; use \"kubernetes.io/os\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "node-role.kubernetes.io/master",
        "use \"node-role.kubernetes.io/control-plane\" instead",
    ),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
];

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const NULL_SELECTOR: &str = "a null labelSelector results in matching no pod";

fn deprecated(label: &str) -> Option<&'static str> {
    let found = DEPRECATED_LABELS.iter().find(|(known, _)| *known == label);
    found.map(|(_, message)| *message)
}

/// The node selector, node affinity and topology spread constraints.
pub(super) fn check(spec: &Value, warnings: &mut Warnings) {
    let mut labels: Vec<&String> = spec["nodeSelector"]
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .collect();
    labels.sort();
    for label in labels {
        if let Some(message) = deprecated(label) {
            warnings.add(format!("spec.nodeSelector[{label}]"), message);
        }
    }
    let affinity = &spec["affinity"]["nodeAffinity"];
    let path = format!("spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms");
    for (path, term) in items(&affinity[REQUIRED]["nodeSelectorTerms"], &path) {
        node_selector_term(term, false, &path, warnings);
    }
    for (path, term) in items(&affinity[PREFERRED], &format!("spec.affinity.nodeAffinity.{PREFERRED}")) {
        node_selector_term(&term["preference"], true, &format!("{path}.preference"), warnings);
    }
    for (path, constraint) in items(&spec["topologySpreadConstraints"], "spec.topologySpreadConstraints") {
        let key = text(constraint, "topologyKey");
        if let Some(message) = deprecated(key) {
            warnings.add(format!("{path}.topologyKey"), format_args!("{key} is {message}"));
        }
        if constraint["labelSelector"].is_null() {
            warnings.add(format!("{path}.labelSelector"), NULL_SELECTOR);
        }
    }
}

/// Values of required terms are validated: only those of preferred ones are left to be warned of.
fn node_selector_term(term: &Value, checks_values: bool, path: &str, warnings: &mut Warnings) {
    for (path, expression) in items(&term["matchExpressions"], &format!("{path}.matchExpressions")) {
        let key = text(expression, "key");
        if let Some(message) = deprecated(key) {
            warnings.add(format!("{path}.key"), format_args!("{key} is {message}"));
        }
        for (path, value) in items(&expression["values"], &format!("{path}.values")).filter(|_| checks_values) {
            let value = value.as_str().unwrap_or_default();
            for mistake in names::label_value(value) {
                warnings.add(path.clone(), format_args!("{value} is invalid, {mistake}"));
            }
        }
    }
}

/// Terms of pod affinity that match no pod.
pub(super) fn label_selectors(spec: &Value, warnings: &mut Warnings) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let affinity = &spec["affinity"][kind];
        for (path, term) in items(&affinity[REQUIRED], &format!("spec.affinity.{kind}.{REQUIRED}")) {
            if term["labelSelector"].is_null() {
                warnings.add(format!("{path}.labelSelector"), NULL_SELECTOR);
            }
        }
        for (path, term) in items(&affinity[PREFERRED], &format!("spec.affinity.{kind}.{PREFERRED}")) {
            if term["podAffinityTerm"]["labelSelector"].is_null() {
                warnings.add(format!("{path}.podAffinityTerm.labelSelector"), NULL_SELECTOR);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::admission::warnings::texts;

    #[test]
    fn deprecated_node_labels_are_warned_of_everywhere() {
        for (label, message) in DEPRECATED_LABELS {
            let term = json!({"matchExpressions": [{"key": "foo"}, {"key": label}]});
            let pod = json!({"spec": {
                "nodeSelector": {label: "true", "foo": "bar"},
                "affinity": {"nodeAffinity": {
                    REQUIRED: {"nodeSelectorTerms": [term]}, PREFERRED: [{"preference": term}],
                }},
                "topologySpreadConstraints": [
                    {"topologyKey": "foo", "labelSelector": {}}, {"topologyKey": label, "labelSelector": {}},
                ],
            }});
            let affinity = "spec.affinity.nodeAffinity";
            let expected = [
                format!("spec.nodeSelector[{label}]: {message}"),
                format!("{affinity}.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[1].key: {label} is {message}"),
                format!("{affinity}.{PREFERRED}[0].preference.matchExpressions[1].key: {label} is {message}"),
                format!("spec.topologySpreadConstraints[1].topologyKey: {label} is {message}"),
            ];
            assert_eq!(texts(&pod), expected);
        }
    }

    #[test]
    fn null_label_selectors_are_warned_of() {
        let terms = |wrap: fn(Value) -> Value| json!([wrap(json!({"labelSelector": {}})), wrap(json!({}))]);
        let affinity = json!({REQUIRED: terms(|term| term), PREFERRED: terms(|term| json!({"podAffinityTerm": term}))});
        let pod = json!({"spec": {
            "affinity": {"podAffinity": affinity, "podAntiAffinity": affinity},
            "topologySpreadConstraints": [{"labelSelector": {}}, {}],
        }});
        let mut expected = vec![format!(
            "spec.topologySpreadConstraints[1].labelSelector: {NULL_SELECTOR}"
        )];
        for kind in ["podAffinity", "podAntiAffinity"] {
            expected.push(format!(
                "spec.affinity.{kind}.{REQUIRED}[1].labelSelector: {NULL_SELECTOR}"
            ));
            let path = format!("spec.affinity.{kind}.{PREFERRED}[1].podAffinityTerm.labelSelector");
            expected.push(format!("{path}: {NULL_SELECTOR}"));
        }
        assert_eq!(texts(&pod), expected);
    }

    #[test]
    fn values_that_are_no_labels_are_warned_of_where_preferred() {
        let term = json!({"matchExpressions": [{"key": "foo", "operator": "In", "values": ["ok", "-1"]}]});
        let pod = json!({"spec": {"affinity": {"nodeAffinity": {
            REQUIRED: {"nodeSelectorTerms": [term]}, PREFERRED: [{"weight": 10, "preference": term}],
        }}}});
        let found = texts(&pod);
        let start = format!(
            "spec.affinity.nodeAffinity.{PREFERRED}[0].preference.matchExpressions[0].values[1]: -1 is invalid, a valid label \
             must be an empty string or consist of"
        );
        assert!(found.len() == 1 && found[0].starts_with(&start), "{found:?}");
    }
}
