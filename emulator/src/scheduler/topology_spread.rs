//! Topology spread constraints, where there is one node (`plugins/podtopologyspread/filtering.go`).

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::selector::selects;

/// What a constraint says of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// It lacks the label that the constraint spreads over.
    MissingLabel,
    /// One more pod would be too many there.
    Skewed,
}

impl Spread {
    /// The scheduler's words.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::MissingLabel => "node(s) didn't match pod topology spread constraints (missing required label)",
            Self::Skewed => "node(s) didn't match pod topology spread constraints",
        }
    }
}

/// Why the pod may not come to the node.
pub(super) fn unfit(pod: &Value, spec: &PodSpec, node: &Value, others: &[&Value]) -> Option<Spread> {
    let constraints = spec.topology_spread_constraints.iter().flatten();
    let mut hard = constraints.filter(|constraint| constraint.when_unsatisfiable == "DoNotSchedule");
    hard.find_map(|constraint| {
        if !node["metadata"]["labels"][&constraint.topology_key].is_string() {
            return Some(Spread::MissingLabel);
        }
        // Where the node is the only domain it is the emptiest one too, unless there are to be more domains than one.
        if constraint.min_domains.is_none_or(|least| least <= 1) {
            return None;
        }
        let counts = |other: &Value| {
            other["metadata"]["namespace"] == pod["metadata"]["namespace"]
                && !other["metadata"]["deletionTimestamp"].is_string()
                && selects(constraint.label_selector.as_ref(), &other["metadata"]["labels"])
        };
        let there = others.iter().filter(|other| counts(other)).count();
        let skew = there + usize::from(counts(pod));
        (skew > usize::try_from(constraint.max_skew).unwrap_or(0)).then_some(Spread::Skewed)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spread(constraint: &Value, others: &[&Value]) -> Option<Spread> {
        let node = json!({"metadata": {"labels": {"kubernetes.io/hostname": "emulator"}}});
        let pod = json!({"metadata": {"namespace": "n", "labels": {"app": "x"}},
            "spec": {"containers": [], "topologySpreadConstraints": [constraint]}});
        let spec = serde_json::from_value(pod["spec"].clone()).unwrap();
        unfit(&pod, &spec, &node, others)
    }

    #[test]
    fn the_only_node_is_never_skewed_unless_more_domains_are_wanted() {
        let mut constraint = json!({"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "x"}}});
        let other = json!({"metadata": {"namespace": "n", "labels": {"app": "x"}}});
        assert_eq!(spread(&constraint, &[&other, &other]), None);
        constraint["minDomains"] = json!(2);
        assert_eq!(spread(&constraint, &[]), None);
        assert_eq!(spread(&constraint, &[&other]), Some(Spread::Skewed));
        constraint["topologyKey"] = json!("zone");
        assert_eq!(spread(&constraint, &[]), Some(Spread::MissingLabel));
        constraint["whenUnsatisfiable"] = json!("ScheduleAnyway");
        assert_eq!(spread(&constraint, &[]), None);
    }
}
