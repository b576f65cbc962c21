//! ResourceQuotas (`pkg/apis/core/validation`, `ValidateResourceQuota`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::resource_names::{is_standard_for_quotas, of_quota};
use crate::api::admission::{
    field_error::{Errors, Path},
    resource_quota::scopes,
};

/// The scopes that are either there or not, without values.
const WITHOUT_VALUES: [&str; 5] = [
    scopes::TERMINATING,
    scopes::NOT_TERMINATING,
    scopes::BEST_EFFORT,
    scopes::NOT_BEST_EFFORT,
    scopes::CROSS_NAMESPACE_POD_AFFINITY,
];

/// The scopes that exclude each other.
const OPPOSITES: [[&str; 2]; 2] = [
    [scopes::BEST_EFFORT, scopes::NOT_BEST_EFFORT],
    [scopes::TERMINATING, scopes::NOT_TERMINATING],
];

/// Checks a quota.
pub(super) fn check(quota: &Value, errors: &mut Errors) {
    let spec = Path::new("spec");
    amounts(&quota["spec"]["hard"], &spec.child("hard"), errors);
    check_scopes(&quota["spec"], &spec, errors);
    check_selector(&quota["spec"], &spec.child("scopeSelector"), errors);
    status(&quota["status"], errors);
}

/// Checks the status of a quota.
pub(in crate::api::admission) fn status(status: &Value, errors: &mut Errors) {
    for field in ["hard", "used"] {
        amounts(&status[field], &Path::new("status").child(field), errors);
    }
}

/// What of a quota may not change.
pub(in crate::api::admission) fn changes(old: &Value, new: &Value) -> Errors {
    let mut errors = Errors::default();
    let scopes = |quota: &Value| -> BTreeSet<String> { texts(&quota["spec"]["scopes"]).map(str::to_owned).collect() };
    if scopes(old) != scopes(new) {
        let path = Path::new("spec").child("scopes");
        errors.invalid(&path, new["spec"]["scopes"].clone(), "field is immutable");
    }
    errors
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn amounts(amounts: &Value, path: &Path, errors: &mut Errors) {
    for (name, amount) in amounts.as_object().into_iter().flatten() {
        of_quota(name, amount.as_str().unwrap_or_default(), &path.key(name), errors);
    }
}

fn check_scopes(spec: &Value, path: &Path, errors: &mut Errors) {
    let (path, value) = (path.child("scopes"), &spec["scopes"]);
    for scope in texts(value) {
        if !scopes::ALL.contains(&scope) {
            errors.invalid(&path, value.clone(), "unsupported scope");
        }
        for _ in unfit_resources(scope, spec) {
            errors.invalid(&path, value.clone(), "unsupported scope applied to resource");
        }
    }
    conflicts(&texts(value).collect::<Vec<_>>(), spec, &path, errors);
}

/// The limits of a quota that a scope cannot be applied to.
fn unfit_resources(scope: &str, spec: &Value) -> impl Iterator<Item = ()> {
    let hard = spec["hard"].as_object().into_iter().flatten();
    hard.filter(move |(name, _)| is_standard_for_quotas(name) && !scopes::applies_to(scope, name))
        .map(|_| ())
}

fn conflicts(given: &[&str], spec: &Value, path: &Path, errors: &mut Errors) {
    for pair in OPPOSITES {
        if pair.iter().all(|scope| given.contains(scope)) {
            errors.invalid(path, spec["scopes"].clone(), "conflicting scopes");
        }
    }
}

fn check_selector(spec: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("matchExpressions");
    let expressions: Vec<&Value> = spec["scopeSelector"]["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let scope_of = |expression: &Value| expression["scopeName"].as_str().unwrap_or_default().to_owned();
    for expression in &expressions {
        let scope = scope_of(expression);
        if !scopes::ALL.contains(&scope.as_str()) {
            errors.invalid(&path.child("scopeName"), scope.as_str(), "unsupported scope");
        }
        for _ in unfit_resources(&scope, spec) {
            let selector = spec["scopeSelector"].clone();
            errors.invalid(&path, selector, "unsupported scope applied to resource");
        }
        check_operator(&scope, expression, &path, errors);
    }
    let given: Vec<String> = expressions.iter().map(|expression| scope_of(expression)).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    conflicts(&given, spec, &path, errors);
}

fn check_operator(scope: &str, expression: &Value, path: &Path, errors: &mut Errors) {
    let operator = expression["operator"].as_str().unwrap_or_default();
    let values = &expression["values"];
    let has_values = values.as_array().is_some_and(|values| !values.is_empty());
    if WITHOUT_VALUES.contains(&scope) && operator != "Exists" {
        errors.invalid(
            &path.child("operator"),
            operator,
            "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, \
             ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        );
    }
    match operator {
        "In" | "NotIn" if !has_values => errors.required(
            &path.child("values"),
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ),
        "Exists" | "DoesNotExist" if has_values => errors.invalid(
            &path.child("values"),
            values.clone(),
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => errors.invalid(&path.child("operator"), other, "not a valid selector operator"),
    }
}
