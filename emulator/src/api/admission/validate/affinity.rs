//! Which nodes and which neighbours a pod wants.

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, WeightedPodAffinityTerm,
};

use super::{label_keys, selector};
use crate::api::admission::{
    field_error::{Errors, Path},
    names,
};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Checks `spec.affinity`.
pub(super) fn check(affinity: &Affinity, path: &Path, errors: &mut Errors) {
    if let Some(node) = &affinity.node_affinity {
        check_node(node, &path.child("nodeAffinity"), errors);
    }
    if let Some(pod) = &affinity.pod_affinity {
        let path = path.child("podAffinity");
        terms(&pod.required_during_scheduling_ignored_during_execution, &path, errors);
        weighted(&pod.preferred_during_scheduling_ignored_during_execution, &path, errors);
    }
    if let Some(pod) = &affinity.pod_anti_affinity {
        let path = path.child("podAntiAffinity");
        terms(&pod.required_during_scheduling_ignored_during_execution, &path, errors);
        weighted(&pod.preferred_during_scheduling_ignored_during_execution, &path, errors);
    }
}

fn check_node(node: &NodeAffinity, path: &Path, errors: &mut Errors) {
    if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
        let path = path.child(REQUIRED).child("nodeSelectorTerms");
        if required.node_selector_terms.is_empty() {
            errors.required(&path, "must have at least one node selector term");
        }
        for (index, term) in required.node_selector_terms.iter().enumerate() {
            node_term(term, true, &path.index(index), errors);
        }
    }
    let preferred = node
        .preferred_during_scheduling_ignored_during_execution
        .iter()
        .flatten();
    for (index, term) in preferred.enumerate() {
        let path = path.child(PREFERRED).index(index);
        weight(term.weight, &path, errors);
        node_term(&term.preference, false, &path.child("preference"), errors);
    }
}

fn node_term(term: &NodeSelectorTerm, check_values: bool, path: &Path, errors: &mut Errors) {
    for (index, requirement) in term.match_expressions.iter().flatten().enumerate() {
        let path = path.child("matchExpressions").index(index);
        by_label(requirement, check_values, &path, errors);
    }
    for (index, requirement) in term.match_fields.iter().flatten().enumerate() {
        let path = path.child("matchFields").index(index);
        let values = requirement.values.as_deref().unwrap_or_default();
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.len() != 1 => errors.required(
                &path.child("values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            ),
            "In" | "NotIn" => {}
            other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
        }
        if requirement.key != "metadata.name" {
            errors.invalid(
                &path.child("key"),
                requirement.key.as_str(),
                "not a valid field selector key",
            );
        }
    }
}

fn by_label(requirement: &NodeSelectorRequirement, check_values: bool, path: &Path, errors: &mut Errors) {
    let values = requirement.values.as_deref().unwrap_or_default();
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => errors.required(
            &path.child("values"),
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
        "Exists" | "DoesNotExist" if !values.is_empty() => errors.forbidden(
            &path.child("values"),
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        "Gt" | "Lt" if values.len() != 1 => errors.required(
            &path.child("values"),
            "must be specified single value when `operator` is 'Lt' or 'Gt'",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
    errors.invalid_each(&path.child("key"), &requirement.key, names::qualified(&requirement.key));
    if check_values {
        for (index, value) in values.iter().enumerate() {
            errors.invalid_each(&path.child("values").index(index), value, names::label_value(value));
        }
    }
}

fn weight(weight: i32, path: &Path, errors: &mut Errors) {
    if !(1..=100).contains(&weight) {
        errors.invalid(&path.child("weight"), weight, "must be in the range 1-100");
    }
}

fn terms(terms: &Option<Vec<PodAffinityTerm>>, path: &Path, errors: &mut Errors) {
    for (index, term) in terms.iter().flatten().enumerate() {
        pod_term(term, &path.child(REQUIRED).index(index), errors);
    }
}

fn weighted(terms: &Option<Vec<WeightedPodAffinityTerm>>, path: &Path, errors: &mut Errors) {
    for (index, term) in terms.iter().flatten().enumerate() {
        let path = path.child(PREFERRED).index(index);
        weight(term.weight, &path, errors);
        pod_term(&term.pod_affinity_term, &path.child("podAffinityTerm"), errors);
    }
}

fn pod_term(term: &PodAffinityTerm, path: &Path, errors: &mut Errors) {
    if let Some(one) = &term.label_selector {
        selector::check(one, &path.child("labelSelector"), errors);
    }
    if let Some(one) = &term.namespace_selector {
        selector::check(one, &path.child("namespaceSelector"), errors);
    }
    label_keys::check(
        term.match_label_keys.as_deref().unwrap_or_default(),
        term.mismatch_label_keys.as_deref().unwrap_or_default(),
        term.label_selector.as_ref(),
        path,
        errors,
    );
    for namespace in term.namespaces.iter().flatten() {
        errors.invalid_each(&path.child("namespace"), namespace, names::dns_label(namespace));
    }
    let key = path.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.required(&key, "can not be empty");
    }
    errors.invalid_each(&key, &term.topology_key, names::qualified(&term.topology_key));
}
