//! Required affinity and anti-affinity between pods, where there is one node.

use k8s_openapi::api::core::v1::{PodAffinityTerm, PodSpec};
use serde_json::Value;

use super::selector::selects;

/// Why the pod may not be beside the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repelled {
    /// None of those is there that it wants to be with.
    NotAttracted,
    /// One is there that it does not want to be with.
    ByOwnTerms,
    /// One is there that does not want to be with it.
    ByExisting,
}

impl Repelled {
    /// The scheduler's words.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::NotAttracted => "node(s) didn't match pod affinity rules",
            Self::ByOwnTerms => "node(s) didn't match pod anti-affinity rules",
            Self::ByExisting => "node(s) didn't satisfy existing pods anti-affinity rules",
        }
    }
}

/// Why the pod may not be beside the others; the first reason in the order of `plugins/interpodaffinity/filtering.go`.
pub(super) fn unfit(pod: &Value, spec: &PodSpec, node: &Value, others: &[&Value]) -> Option<Repelled> {
    let affinity = spec.affinity.as_ref();
    let attracted = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
    let terms = attracted.and_then(|terms| terms.required_during_scheduling_ignored_during_execution.clone());
    for term in terms.unwrap_or_default() {
        let in_topology = node["metadata"]["labels"][&term.topology_key].is_string();
        // The first of a group may go where none is yet.
        let first = concerns(pod, &term, pod);
        if !in_topology || !(first || others.iter().any(|other| concerns(pod, &term, other))) {
            return Some(Repelled::NotAttracted);
        }
    }
    let repelled = |owner: &Value, term: &PodAffinityTerm, other: &Value| {
        node["metadata"]["labels"][&term.topology_key].is_string() && concerns(owner, term, other)
    };
    if anti_affinity(spec)
        .iter()
        .any(|term| others.iter().any(|other| repelled(pod, term, other)))
    {
        return Some(Repelled::ByOwnTerms);
    }
    // Reading a whole spec is dear, and hardly any pod has such terms.
    let particular = |other: &&&Value| other["spec"]["affinity"]["podAntiAffinity"].is_object();
    for other in others.iter().filter(particular) {
        let spec: PodSpec = serde_json::from_value(other["spec"].clone()).unwrap_or_default();
        if anti_affinity(&spec).iter().any(|term| repelled(other, term, pod)) {
            return Some(Repelled::ByExisting);
        }
    }
    None
}

fn anti_affinity(spec: &PodSpec) -> Vec<PodAffinityTerm> {
    let anti = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    anti.and_then(|terms| terms.required_during_scheduling_ignored_during_execution.clone())
        .unwrap_or_default()
}

fn concerns(owner: &Value, term: &PodAffinityTerm, other: &Value) -> bool {
    let namespace = &other["metadata"]["namespace"];
    let named = term.namespaces.as_ref().filter(|namespaces| !namespaces.is_empty());
    let in_namespace = match (named, &term.namespace_selector) {
        (Some(namespaces), _) => namespaces.iter().any(|named| *namespace == named.as_str()),
        (None, Some(_)) => true,
        (None, None) => *namespace == owner["metadata"]["namespace"],
    };
    in_namespace && selects(term.label_selector.as_ref(), &other["metadata"]["labels"])
}
