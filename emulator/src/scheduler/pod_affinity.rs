//! Required affinity and anti-affinity between pods, where there is one node.

use std::{borrow::Cow, sync::Arc};

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

/// The pod with the namespaces that its terms select by their labels among those that they name
/// (`plugins/interpodaffinity/plugin.go`).
pub(super) fn with_selected_namespaces<'a>(pod: &'a Value, namespaces: &[Arc<Value>]) -> Cow<'a, Value> {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let mut pod = Cow::Borrowed(pod);
    for kind in ["podAffinity", "podAntiAffinity"] {
        let count = pod["spec"]["affinity"][kind][REQUIRED].as_array().map_or(0, Vec::len);
        for index in 0..count {
            let selector = &pod["spec"]["affinity"][kind][REQUIRED][index]["namespaceSelector"];
            let Ok(selector) = serde_json::from_value(selector.clone()) else {
                continue;
            };
            let selected = namespaces.iter().map(|namespace| &namespace["metadata"]);
            let selected = selected.filter(|metadata| selects(Some(&selector), &metadata["labels"]));
            let selected: Vec<Value> = selected.map(|metadata| metadata["name"].clone()).collect();
            let term = &mut pod.to_mut()["spec"]["affinity"][kind][REQUIRED][index];
            match &mut term["namespaces"] {
                Value::Array(named) => named.extend(selected),
                none => *none = Value::Array(selected),
            }
        }
    }
    pod
}

fn concerns(owner: &Value, term: &PodAffinityTerm, other: &Value) -> bool {
    let namespace = &other["metadata"]["namespace"];
    let mut named = term.namespaces.iter().flatten();
    let own = term.namespaces.iter().flatten().next().is_none() && term.namespace_selector.is_none();
    let in_namespace =
        named.any(|named| *namespace == named.as_str()) || (own && *namespace == owner["metadata"]["namespace"]);
    in_namespace && selects(term.label_selector.as_ref(), &other["metadata"]["labels"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn neighbours_are_looked_for_in_the_namespaces_that_are_selected() {
        let namespace =
            |name: &str, team: &str| Arc::new(json!({"metadata": {"name": name, "labels": {"team": team}}}));
        let namespaces = [namespace("one", "a"), namespace("two", "b")];
        let node = json!({"metadata": {"labels": {"kubernetes.io/hostname": "emulator"}}});
        let unfit_beside = |selector: &Value, namespace: &str| {
            let term =
                json!({"labelSelector": {}, "namespaceSelector": selector, "topologyKey": "kubernetes.io/hostname"});
            let pod = json!({"metadata": {"namespace": "own"}, "spec": {"containers": [], "affinity":
                {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}});
            let other = json!({"metadata": {"namespace": namespace}, "spec": {"containers": []}});
            let pod = with_selected_namespaces(&pod, &namespaces);
            let spec = serde_json::from_value(pod["spec"].clone()).unwrap();
            unfit(&pod, &spec, &node, &[&other])
        };
        let of_a = json!({"matchLabels": {"team": "a"}});
        assert_eq!(unfit_beside(&of_a, "one"), Some(Repelled::ByOwnTerms));
        assert_eq!(unfit_beside(&of_a, "two"), None);
        assert_eq!(unfit_beside(&of_a, "own"), None);
        assert_eq!(unfit_beside(&json!({}), "two"), Some(Repelled::ByOwnTerms));
        assert_eq!(unfit_beside(&Value::Null, "own"), Some(Repelled::ByOwnTerms));
        assert_eq!(unfit_beside(&Value::Null, "one"), None);
    }
}
