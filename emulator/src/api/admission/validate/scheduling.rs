//! Tolerations, gates, spreading.

use k8s_openapi::api::core::v1::{PodReadinessGate, PodSchedulingGate, Toleration, TopologySpreadConstraint};

use super::{label_keys, selector};
use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

/// Checks `spec.tolerations`.
pub(super) fn tolerations(tolerations: &[Toleration], path: &Path, errors: &mut Errors) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let path = path.index(index);
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (key, operator, value, effect) = (
            text(&toleration.key),
            text(&toleration.operator),
            text(&toleration.value),
            text(&toleration.effect),
        );
        if !key.is_empty() {
            errors.invalid_each(&path.child("key"), &key, names::qualified(&key));
        }
        if key.is_empty() && operator != "Exists" {
            errors.invalid(
                &path.child("operator"),
                operator.as_str(),
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
            errors.invalid(
                &path.child("effect"),
                effect.as_str(),
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        match operator.as_str() {
            "Equal" | "" => {
                let wrong = names::label_value(&value);
                if !wrong.is_empty() {
                    errors.invalid(&path.child("operator"), value.as_str(), wrong.join(";"));
                }
            }
            "Exists" if !value.is_empty() => errors.invalid(
                &path.child("operator"),
                value.as_str(),
                "value must be empty when `operator` is 'Exists'",
            ),
            "Exists" => {}
            // Whether they are to be had is for the feature to say.
            "Lt" | "Gt" => errors.invalid_each(&path.child("value"), &value, decimal_integer(&value)),
            other => errors.not_supported(&path.child("operator"), other, &["Equal", "Exists"]),
        }
        if !matches!(effect.as_str(), "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
            let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
            errors.not_supported(&path.child("effect"), &effect, &effects);
        }
    }
}

/// What is wrong with a whole number as it is usually written (`validate/content/decimal_int.go`).
fn decimal_integer(text: &str) -> Vec<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_canonical = text == "0"
        || digits.starts_with(|digit| matches!(digit, '1'..='9')) && digits.bytes().all(|digit| digit.is_ascii_digit());
    match text {
        "" => vec!["must be non-empty".to_owned()],
        _ if is_canonical => Vec::new(),
        _ => vec!["must be a valid decimal integer in canonical form".to_owned()],
    }
}

/// Checks `spec.readinessGates`.
pub(super) fn readiness_gates(gates: &[PodReadinessGate], path: &Path, errors: &mut Errors) {
    for (index, gate) in gates.iter().enumerate() {
        let path = path.index(index).child("conditionType");
        errors.invalid_each(&path, &gate.condition_type, names::qualified(&gate.condition_type));
    }
}

/// Checks `spec.schedulingGates`.
pub(super) fn scheduling_gates(gates: &[PodSchedulingGate], path: &Path, errors: &mut Errors) {
    let mut seen = std::collections::HashSet::new();
    for (index, gate) in gates.iter().enumerate() {
        let path = path.index(index);
        errors.invalid_each(&path, &gate.name, names::qualified(&gate.name));
        if !seen.insert(&gate.name) {
            errors.duplicate(&path, gate.name.as_str());
        }
    }
}

/// Checks `spec.topologySpreadConstraints`.
pub(super) fn spread(constraints: &[TopologySpreadConstraint], path: &Path, errors: &mut Errors) {
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        if constraint.max_skew <= 0 {
            errors.invalid(&path.child("maxSkew"), constraint.max_skew, "must be greater than zero");
        }
        if constraint.topology_key.is_empty() {
            errors.required(&path.child("topologyKey"), "can not be empty");
        }
        match constraint.when_unsatisfiable.as_str() {
            "DoNotSchedule" | "ScheduleAnyway" => {}
            other => {
                errors.not_supported(
                    &path.child("whenUnsatisfiable"),
                    other,
                    &["DoNotSchedule", "ScheduleAnyway"],
                );
            }
        }
        if let Some(least) = constraint.min_domains {
            min_domains(least, &constraint.when_unsatisfiable, &path.child("minDomains"), errors);
        }
        for (field, policy) in [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ] {
            if let Some(other) = policy
                .as_deref()
                .filter(|policy| !matches!(*policy, "Honor" | "Ignore"))
            {
                errors.not_supported(&path.child(field), other, &["Honor", "Ignore"]);
            }
        }
        label_keys::check(
            constraint.match_label_keys.as_deref().unwrap_or_default(),
            &[],
            constraint.label_selector.as_ref(),
            &path,
            errors,
        );
        if let Some(one) = &constraint.label_selector {
            selector::check(one, &path.child("labelSelector"), errors);
        }
    }
}

fn min_domains(least: i32, when_unsatisfiable: &str, path: &Path, errors: &mut Errors) {
    if least <= 0 {
        errors.invalid(path, least, "must be greater than zero");
    }
    if when_unsatisfiable != "DoNotSchedule" {
        let why = format!(
            "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not whenUnsatisfiable={when_unsatisfiable}"
        );
        errors.invalid(path, least, why);
    }
}
