//! Conditions on labels: `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

/// Whether the value of a label (none where it is absent) meets the condition.
pub(super) fn matches(label: Option<&str>, operator: &str, values: &[String]) -> bool {
    let listed = label.is_some_and(|label| values.iter().any(|value| value == label));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let compared = || Some((number(label)?, number(values.first().map(String::as_str))?));
    match operator {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        "Gt" => compared().is_some_and(|(label, value)| label > value),
        "Lt" => compared().is_some_and(|(label, value)| label < value),
        _ => false,
    }
}

/// Whether a label selector takes an object with these labels; none takes nothing, an empty one everything.
pub(super) fn selects(selector: Option<&LabelSelector>, labels: &Value) -> bool {
    let Some(selector) = selector else { return false };
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels[key] == value.as_str());
    equal
        && selector.match_expressions.iter().flatten().all(|expression| {
            let values = expression.values.clone().unwrap_or_default();
            matches(labels[&expression.key].as_str(), &expression.operator, &values)
        })
}
