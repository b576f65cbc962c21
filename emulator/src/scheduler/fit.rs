//! Whether a pod fits on the node: the scheduler's filters, in its order.

use k8s_openapi::api::core::v1::{NodeSelectorTerm, PodSpec, Toleration};
use serde_json::Value;

use super::{is_over, pod_affinity::Repelled, selector, topology_spread::Spread};
use crate::quantity::{self, Amounts};

/// A resource of which too little is left, in thousandths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// `cpu`, `memory`, `pods` …
    pub name: String,
    /// What the pod asks for.
    pub requested: i128,
    /// What others have.
    pub used: i128,
    /// What the node has.
    pub capacity: i128,
}

/// Why a pod does not fit: the first filter that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The node takes no new pods.
    Unschedulable,
    /// `spec.nodeName` is another node.
    Name,
    /// A taint that is not tolerated.
    Taint {
        /// Its effect.
        effect: String,
    },
    /// `nodeSelector` or node affinity.
    Affinity,
    /// A host port is taken.
    Ports,
    /// Too little of these.
    Resources(Vec<Short>),
    /// A topology spread constraint.
    Spread(Spread),
    /// Affinity or anti-affinity to other pods.
    PodAffinity(Repelled),
}

impl Unfit {
    /// The scheduler's reasons.
    pub fn reasons(&self) -> Vec<String> {
        match self {
            Self::Unschedulable => vec!["node(s) were unschedulable".into()],
            Self::Name => vec!["node(s) didn't match the requested node name".into()],
            Self::Taint { .. } => vec!["node(s) had untolerated taint(s)".into()],
            Self::Affinity => vec!["node(s) didn't match Pod's node affinity/selector".into()],
            Self::Ports => vec!["node(s) didn't have free ports for the requested pod ports".into()],
            Self::Resources(short) => short
                .iter()
                .map(|short| match short.name.as_str() {
                    "pods" => "Too many pods".into(),
                    name => format!("Insufficient {name}"),
                })
                .collect(),
            Self::Spread(spread) => vec![spread.reason().into()],
            Self::PodAffinity(repelled) => vec![repelled.reason().into()],
        }
    }

    /// Whether removing other pods could make room.
    pub fn preemption_could_help(&self) -> bool {
        match self {
            Self::Resources(short) => short.iter().all(|short| short.requested <= short.capacity),
            // Without those that a pod repels, or that repel it, it could be there; what it wants is not there anyway.
            Self::Ports
            | Self::Spread(Spread::Skewed)
            | Self::PodAffinity(Repelled::ByOwnTerms | Repelled::ByExisting) => true,
            Self::Unschedulable
            | Self::Name
            | Self::Taint { .. }
            | Self::Affinity
            | Self::Spread(Spread::MissingLabel)
            | Self::PodAffinity(Repelled::NotAttracted) => false,
        }
    }
}

/// The first reason why the pod does not fit; none where it fits. `others` are the pods of the node.
pub fn unfit(pod: &Value, node: &Value, others: &[&Value]) -> Option<Unfit> {
    let spec: PodSpec = serde_json::from_value(pod["spec"].clone()).unwrap_or_default();
    unschedulable(&spec, node)
        .or_else(|| name(&spec, node))
        .or_else(|| taints(&spec, node))
        .or_else(|| affinity(&spec, node))
        .or_else(|| ports(&spec, others))
        .or_else(|| resources(&spec, node, others))
        .or_else(|| super::topology_spread::unfit(pod, &spec, node, others).map(Unfit::Spread))
        .or_else(|| super::pod_affinity::unfit(pod, &spec, node, others).map(Unfit::PodAffinity))
}

fn unschedulable(spec: &PodSpec, node: &Value) -> Option<Unfit> {
    let tolerated = tolerates(spec, "node.kubernetes.io/unschedulable", "", "NoSchedule");
    (node["spec"]["unschedulable"] == true && !tolerated).then_some(Unfit::Unschedulable)
}

fn name(spec: &PodSpec, node: &Value) -> Option<Unfit> {
    let wanted = spec.node_name.as_deref().filter(|wanted| !wanted.is_empty());
    wanted
        .is_some_and(|wanted| node["metadata"]["name"] != wanted)
        .then_some(Unfit::Name)
}

fn taints(spec: &PodSpec, node: &Value) -> Option<Unfit> {
    let taints = node["spec"]["taints"].as_array()?;
    let text = |taint: &Value, field: &str| taint[field].as_str().unwrap_or_default().to_owned();
    taints
        .iter()
        .map(|taint| (text(taint, "key"), text(taint, "value"), text(taint, "effect")))
        .find(|(key, value, effect)| {
            matches!(effect.as_str(), "NoSchedule" | "NoExecute") && !tolerates(spec, key, value, effect)
        })
        .map(|(_, _, effect)| Unfit::Taint { effect })
}

/// Whether a pod tolerates a taint.
pub(crate) fn tolerates(spec: &PodSpec, key: &str, value: &str, effect: &str) -> bool {
    toleration(spec, key, value, effect).is_some()
}

/// The first toleration of a taint.
pub(crate) fn toleration<'a>(spec: &'a PodSpec, key: &str, value: &str, effect: &str) -> Option<&'a Toleration> {
    let one = |toleration: &&Toleration| {
        let is_key = toleration
            .key
            .as_deref()
            .is_none_or(|wanted| wanted.is_empty() || wanted == key);
        let is_effect = toleration
            .effect
            .as_deref()
            .is_none_or(|wanted| wanted.is_empty() || wanted == effect);
        let names_key = toleration.key.as_deref().is_some_and(|wanted| !wanted.is_empty());
        let wanted = toleration.value.as_deref().unwrap_or_default();
        // Of numbers alone, the taint's before the toleration's (KEP-5471).
        let compared = || Some((value.parse::<i64>().ok()?, wanted.parse::<i64>().ok()?));
        let is_value = match toleration.operator.as_deref() {
            Some("Exists") => true,
            Some("Lt") => names_key && compared().is_some_and(|(taint, wanted)| taint < wanted),
            Some("Gt") => names_key && compared().is_some_and(|(taint, wanted)| taint > wanted),
            _ => names_key && wanted == value,
        };
        is_key && is_effect && is_value
    };
    spec.tolerations.iter().flatten().find(one)
}

fn affinity(spec: &PodSpec, node: &Value) -> Option<Unfit> {
    let labels = &node["metadata"]["labels"];
    let selected = spec
        .node_selector
        .iter()
        .flatten()
        .all(|(key, value)| labels[key] == value.as_str());
    let affinity = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    let matched =
        required.is_none_or(|required| required.node_selector_terms.iter().any(|term| term_matches(term, node)));
    (!selected || !matched).then_some(Unfit::Affinity)
}

fn term_matches(term: &NodeSelectorTerm, node: &Value) -> bool {
    let expressions = term.match_expressions.iter().flatten();
    let fields = term.match_fields.iter().flatten();
    if expressions.clone().next().is_none() && fields.clone().next().is_none() {
        // A term without conditions matches nothing.
        return false;
    }
    let values = |values: &Option<Vec<String>>| values.clone().unwrap_or_default();
    expressions.clone().all(|expression| {
        let label = node["metadata"]["labels"][&expression.key].as_str();
        selector::matches(label, &expression.operator, &values(&expression.values))
    }) && fields.clone().all(|field| {
        let value = node["metadata"]["name"]
            .as_str()
            .filter(|_| field.key == "metadata.name");
        selector::matches(value, &field.operator, &values(&field.values))
    })
}

fn host_ports(spec: &PodSpec) -> Vec<(String, String, i32)> {
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|container| container.restart_policy.is_some());
    let all = spec
        .containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten());
    all.filter_map(|port| {
        let number = port.host_port.filter(|number| *number != 0)?;
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".into());
        Some((port.host_ip.clone().unwrap_or_default(), protocol, number))
    })
    .collect()
}

fn ports(spec: &PodSpec, others: &[&Value]) -> Option<Unfit> {
    let wanted = host_ports(spec);
    if wanted.is_empty() {
        return None;
    }
    let any = |ip: &str| matches!(ip, "" | "0.0.0.0" | "::");
    let clash = |a: &(String, String, i32), b: &(String, String, i32)| {
        a.1 == b.1 && a.2 == b.2 && (any(&a.0) || any(&b.0) || a.0 == b.0)
    };
    let taken = others.iter().filter(|other| !is_over(other)).flat_map(|other| {
        let spec: PodSpec = serde_json::from_value(other["spec"].clone()).unwrap_or_default();
        host_ports(&spec)
    });
    taken
        .into_iter()
        .any(|taken| wanted.iter().any(|wanted| clash(wanted, &taken)))
        .then_some(Unfit::Ports)
}

fn resources(spec: &PodSpec, node: &Value, others: &[&Value]) -> Option<Unfit> {
    let allocatable = node["status"]["allocatable"].as_object()?;
    let mut used = Amounts::new();
    let counted: Vec<&&Value> = others.iter().filter(|other| !is_over(other)).collect();
    // Reading a whole spec is dear: only of pods that request anything.
    for other in counted.iter().filter(|other| may_request(&other["spec"])) {
        for (name, amount) in quantity::requests(&held(other)) {
            *used.entry(name).or_default() += amount;
        }
    }
    used.insert(
        "pods".into(),
        i128::try_from(counted.len()).unwrap_or(i128::MAX / 1000) * 1000,
    );
    let mut requested = quantity::requests(spec);
    requested.insert("pods".into(), 1000);
    let mut short: Vec<Short> = requested
        .into_iter()
        .filter(|(_, requested)| *requested > 0)
        .map(|(name, requested)| Short {
            used: used.get(&name).copied().unwrap_or_default(),
            capacity: allocatable
                .get(&name)
                .and_then(Value::as_str)
                .and_then(quantity::milli)
                .unwrap_or_default(),
            name,
            requested,
        })
        .filter(|short| short.used + short.requested > short.capacity)
        .collect();
    let rank = |short: &Short| match short.name.as_str() {
        "pods" => 0,
        "cpu" => 1,
        "memory" => 2,
        "ephemeral-storage" => 3,
        _ => 4,
    };
    short.sort_by_key(rank);
    (!short.is_empty()).then_some(Unfit::Resources(short))
}

/// The spec of a pod with what it really holds: a resize that the node can never give does not count.
fn held(pod: &Value) -> PodSpec {
    let mut spec: PodSpec = serde_json::from_value(pod["spec"].clone()).unwrap_or_default();
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    if !conditions.any(|condition| condition["type"] == "PodResizePending" && condition["reason"] == "Infeasible") {
        return spec;
    }
    let lists = ["initContainerStatuses", "containerStatuses"];
    let told = lists.iter().filter_map(|list| pod["status"][list].as_array()).flatten();
    for status in told {
        let init = spec.init_containers.iter_mut().flatten();
        let mut all = spec.containers.iter_mut().chain(init);
        if let Some(container) = all.find(|container| status["name"] == container.name.as_str())
            && let Ok(requests) = serde_json::from_value(status["allocatedResources"].clone())
        {
            container.resources.get_or_insert_default().requests = requests;
        }
    }
    spec
}

fn may_request(spec: &Value) -> bool {
    let of = |list: &str| {
        let mut all = spec[list].as_array().into_iter().flatten();
        all.any(|container| container["resources"]["requests"].is_object())
    };
    of("containers") || of("initContainers") || spec["resources"].is_object() || spec["overhead"].is_object()
}
