//! ResourceQuotas: what a namespace may use in all (`plugin/pkg/admission/resourcequota`, `pkg/quota/v1`).
//!
//! The usage is counted anew from the objects of the namespace each time: no change can be missed.

pub(super) mod scopes;
mod usage;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use self::usage::{concerns, is_tracked, unspecified};
use super::{
    defaults::{Amounts, amounts},
    quantity::Quantity,
};
use crate::store::Resource;

/// Lists the objects of a kind in the namespace.
pub type List<'a> = dyn Fn(Resource) -> Vec<Arc<Value>> + 'a;

/// Why the quotas of a namespace refuse a new object, or the resize of a pod from `old`.
pub fn refusal(
    resource: Resource,
    old: Option<&Value>,
    new: &Value,
    list: &List<'_>,
    now: Timestamp,
) -> Option<String> {
    let quotas = list(Resource::ResourceQuotas);
    quotas
        .iter()
        .find_map(|quota| refusal_of(quota, resource, old, new, list, now))
}

fn refusal_of(
    quota: &Value,
    resource: Resource,
    old: Option<&Value>,
    new: &Value,
    list: &List<'_>,
    now: Timestamp,
) -> Option<String> {
    let hard = amounts(&quota["spec"]["hard"]);
    let limited: BTreeSet<&str> = hard
        .keys()
        .map(String::as_str)
        .filter(|name| concerns(resource, name))
        .collect();
    if limited.is_empty() || !is_in_scope(quota, resource, new) {
        return None;
    }
    let name = quota["metadata"]["name"].as_str().unwrap_or_default();
    if resource == Resource::Pods {
        let missing = unspecified(new, &limited);
        if !missing.is_empty() {
            let missing: Vec<String> = missing
                .into_iter()
                .map(|(resource, containers)| {
                    let containers: Vec<String> = containers.into_iter().collect();
                    format!("{resource} for: {}", containers.join(","))
                })
                .collect();
            return Some(format!("failed quota: {name}: must specify {}", missing.join("; ")));
        }
    }
    let mut requested = usage::usage(resource, new, now);
    if let Some(old) = old.filter(|old| is_in_scope(quota, resource, old)) {
        let before = usage::usage(resource, old, now);
        for (name, amount) in &mut requested {
            *amount = amount.minus(before.get(name).copied().unwrap_or(Quantity::ZERO));
        }
    }
    requested.retain(|name, amount| hard.contains_key(name) && *amount != Quantity::ZERO);
    if requested.is_empty() {
        return None;
    }
    let used = used(quota, &hard, list, now);
    let of = |amounts: &Amounts, name: &str| amounts.get(name).copied().unwrap_or(Quantity::ZERO);
    requested.retain(|name, amount| of(&used, name).plus(*amount) > of(&hard, name));
    let only_exceeded = |amounts: &Amounts| {
        let exceeded = requested.keys().map(|name| format!("{name}={}", of(amounts, name)));
        exceeded.collect::<Vec<_>>().join(",")
    };
    (!requested.is_empty()).then(|| {
        format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            only_exceeded(&requested),
            only_exceeded(&used),
            only_exceeded(&hard)
        )
    })
}

/// The scopes are those of pods; nothing else is in any.
fn is_in_scope(quota: &Value, resource: Resource, object: &Value) -> bool {
    match resource {
        Resource::Pods => scopes::match_pod(quota, object),
        _ => !scopes::is_scoped(quota),
    }
}

/// What is used of each resource that a quota limits.
fn used(quota: &Value, hard: &Amounts, list: &List<'_>, now: Timestamp) -> Amounts {
    let mut used: Amounts = hard
        .keys()
        .filter(|name| is_tracked(name))
        .map(|name| (name.clone(), Quantity::ZERO))
        .collect();
    for resource in Resource::ALL.into_iter().filter(|resource| resource.namespaced()) {
        if !hard.keys().any(|name| concerns(resource, name)) {
            continue;
        }
        for object in list(resource)
            .iter()
            .filter(|object| is_in_scope(quota, resource, object))
        {
            for (name, amount) in usage::usage(resource, object, now) {
                if let Some(sum) = used.get_mut(&name) {
                    *sum = sum.plus(amount);
                }
            }
        }
    }
    used
}

/// The status of a quota: what it limits, and what is used of that (`pkg/controller/resourcequota`).
pub fn status(quota: &Value, list: &List<'_>, now: Timestamp) -> Value {
    let hard = amounts(&quota["spec"]["hard"]);
    if hard.is_empty() {
        return json!({});
    }
    let written = |amounts: &Amounts| -> BTreeMap<String, String> {
        amounts
            .iter()
            .map(|(name, amount)| (name.clone(), amount.to_string()))
            .collect()
    };
    let mut status = json!({"hard": written(&hard)});
    let used = used(quota, &hard, list, now);
    if !used.is_empty() {
        status["used"] = json!(written(&used));
    }
    status
}

#[cfg(test)]
mod tests;
