//! The scopes of a quota: which pods it is about (`pkg/quota/v1/evaluator/core/pods.go`).

use serde_json::Value;

use crate::api::admission::qos_class;

pub(in crate::api::admission) const TERMINATING: &str = "Terminating";
pub(in crate::api::admission) const NOT_TERMINATING: &str = "NotTerminating";
pub(in crate::api::admission) const BEST_EFFORT: &str = "BestEffort";
pub(in crate::api::admission) const NOT_BEST_EFFORT: &str = "NotBestEffort";
const PRIORITY_CLASS: &str = "PriorityClass";
pub(in crate::api::admission) const CROSS_NAMESPACE_POD_AFFINITY: &str = "CrossNamespacePodAffinity";
const VOLUME_ATTRIBUTES_CLASS: &str = "VolumeAttributesClass";

/// Every scope.
pub(in crate::api::admission) const ALL: [&str; 7] = [
    TERMINATING,
    NOT_TERMINATING,
    BEST_EFFORT,
    NOT_BEST_EFFORT,
    PRIORITY_CLASS,
    CROSS_NAMESPACE_POD_AFFINITY,
    VOLUME_ATTRIBUTES_CLASS,
];

/// Whether a scope can narrow the limit of one of Kubernetes' own resources.
pub(in crate::api::admission) fn applies_to(scope: &str, resource: &str) -> bool {
    let computes = matches!(
        resource,
        "cpu" | "memory" | "limits.cpu" | "limits.memory" | "requests.cpu" | "requests.memory"
    );
    match scope {
        BEST_EFFORT => resource == "pods",
        TERMINATING | NOT_TERMINATING | NOT_BEST_EFFORT | PRIORITY_CLASS | CROSS_NAMESPACE_POD_AFFINITY => {
            resource == "pods" || computes
        }
        VOLUME_ATTRIBUTES_CLASS => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        _ => true,
    }
}

/// Whether a pod is in all scopes of a quota.
pub(super) fn match_pod(quota: &Value, pod: &Value) -> bool {
    let scopes = quota["spec"]["scopes"].as_array().into_iter().flatten();
    let mut scopes = scopes.filter_map(Value::as_str);
    let expressions = quota["spec"]["scopeSelector"]["matchExpressions"].as_array();
    let mut expressions = expressions.into_iter().flatten();
    scopes.all(|scope| matches(scope, "Exists", &Value::Null, pod))
        && expressions.all(|expression| {
            let text = |field: &str| expression[field].as_str().unwrap_or_default();
            matches(text("scopeName"), text("operator"), &expression["values"], pod)
        })
}

/// Whether a quota has scopes, which no object but a pod is in.
pub(super) fn is_scoped(quota: &Value) -> bool {
    let has = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
    has(&quota["spec"]["scopes"]) || has(&quota["spec"]["scopeSelector"]["matchExpressions"])
}

fn matches(scope: &str, operator: &str, values: &Value, pod: &Value) -> bool {
    let spec = &pod["spec"];
    let is_terminating = spec["activeDeadlineSeconds"]
        .as_i64()
        .is_some_and(|seconds| seconds >= 0);
    match scope {
        TERMINATING => is_terminating,
        NOT_TERMINATING => !is_terminating,
        BEST_EFFORT => qos_class(spec) == "BestEffort",
        NOT_BEST_EFFORT => qos_class(spec) != "BestEffort",
        PRIORITY_CLASS => priority_class(spec["priorityClassName"].as_str(), operator, values),
        CROSS_NAMESPACE_POD_AFFINITY => has_affinity_across_namespaces(&spec["affinity"]),
        _ => false,
    }
}

fn priority_class(class: Option<&str>, operator: &str, values: &Value) -> bool {
    let class = class.filter(|class| !class.is_empty());
    let is_listed = class.is_some_and(|class| values.as_array().is_some_and(|all| all.iter().any(|one| one == class)));
    match operator {
        "Exists" => class.is_some(),
        "DoesNotExist" => class.is_none(),
        "In" => is_listed,
        "NotIn" => !is_listed,
        _ => false,
    }
}

fn has_affinity_across_namespaces(affinity: &Value) -> bool {
    let across = |term: &Value| {
        term["namespaces"].as_array().is_some_and(|all| !all.is_empty()) || !term["namespaceSelector"].is_null()
    };
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let list = |field: &str| affinity[kind][field].as_array().into_iter().flatten();
        list("requiredDuringSchedulingIgnoredDuringExecution").any(across)
            || list("preferredDuringSchedulingIgnoredDuringExecution").any(|one| across(&one["podAffinityTerm"]))
    })
}
