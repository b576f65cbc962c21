//! Requests and limits.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Lints, Place, places};
use crate::findings::message::say;
use crate::pod::quantity;

/// Nothing runs in less.
const LEAST_MEMORY: f64 = 1024.0 * 1024.0;

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    let has_pod_limit = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.as_ref())
        .is_some_and(|limits| limits.contains_key("memory"));
    for place in places(spec) {
        let resources = place.container.resources.as_ref();
        let requests = resources.and_then(|resources| resources.requests.as_ref());
        let limits = resources.and_then(|resources| resources.limits.as_ref());
        amounts(&place, "requests", requests, lints);
        amounts(&place, "limits", limits, lints);
        for (resource, request) in requests.into_iter().flatten() {
            let limit = limits.and_then(|limits| limits.get(resource));
            let values = limit
                .and_then(|limit| quantity::value(&limit.0))
                .zip(quantity::value(&request.0));
            if let (Some(limit), Some((most, asked))) = (limit, values)
                && asked > most
            {
                lints.refused(
                    place.at(&format!("resources.requests.{resource}")),
                    say("lint.request-over-limit")
                        .with("resource", resource.as_str())
                        .with("request", request.0.as_str())
                        .with("limit", limit.0.as_str()),
                    say("lint.request-over-limit.help"),
                );
            }
        }
        if place.is_init && !place.is_sidecar() {
            continue;
        }
        let has =
            |list: Option<&BTreeMap<String, Quantity>>, name: &str| list.is_some_and(|list| list.contains_key(name));
        if !has(limits, "memory") && !has_pod_limit {
            lints.note(
                place.path.clone(),
                say("lint.no-memory-limit").with("container", place.container.name.as_str()),
                say("lint.no-memory-limit.help"),
            );
        }
        let asks_nothing = requests.is_none_or(BTreeMap::is_empty) && limits.is_none_or(BTreeMap::is_empty);
        if asks_nothing && spec.resources.is_none() {
            lints.note(
                place.path.clone(),
                say("lint.no-requests").with("container", place.container.name.as_str()),
                say("lint.no-requests.help"),
            );
        }
    }
}

/// Amounts with a unit that is not meant: `128m` of memory is an eighth of a byte, `500Mi` of CPU a machine room.
fn amounts(place: &Place<'_>, list: &str, amounts: Option<&BTreeMap<String, Quantity>>, lints: &mut Lints) {
    for (resource, amount) in amounts.into_iter().flatten() {
        let path = place.at(&format!("resources.{list}.{resource}"));
        let Some(value) = quantity::value(&amount.0) else {
            lints.refused(
                path,
                say("lint.no-quantity").with("amount", amount.0.as_str()),
                say("lint.no-quantity.help"),
            );
            continue;
        };
        let is_memory = matches!(resource.as_str(), "memory" | "ephemeral-storage");
        if is_memory && value > 0.0 && value < LEAST_MEMORY {
            lints.warn(
                path,
                say("lint.tiny-memory").with("amount", amount.0.as_str()),
                say("lint.tiny-memory.help"),
            );
        } else if resource == "cpu" && value >= 1024.0 {
            lints.warn(
                path,
                say("lint.huge-cpu").with("amount", amount.0.as_str()),
                say("lint.huge-cpu.help"),
            );
        }
    }
}
