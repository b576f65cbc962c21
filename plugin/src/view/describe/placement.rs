//! What decides on which node the pod runs.

use k8s_openapi::api::core::v1::{Affinity, NodeSelectorTerm, PodAffinityTerm, Toleration, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::pod::Facts;
use crate::view::describe::container::quantities;
use crate::view::describe::header::pairs;
use crate::view::sheet::Sheet;
use crate::view::text::Line;

/// The section about placement.
pub fn lines(facts: &Facts) -> Vec<Line> {
    let Some(spec) = facts.spec() else {
        return Vec::new();
    };
    let mut sheet = Sheet::new();
    let resources = spec.resources.as_ref();
    quantities(
        &mut sheet,
        0,
        "Pod Limits",
        resources.and_then(|resources| resources.limits.as_ref()),
    );
    quantities(
        &mut sheet,
        0,
        "Pod Requests",
        resources.and_then(|resources| resources.requests.as_ref()),
    );
    quantities(&mut sheet, 0, "Overhead", spec.overhead.as_ref());
    sheet.column(0, "Node-Selectors", pairs(spec.node_selector.as_ref(), "="));
    if let Some(affinity) = &spec.affinity {
        sheet.block(0, "Affinity", affinity_words(affinity));
    }
    sheet.column(0, "Tolerations", spec.tolerations.iter().flatten().map(toleration));
    let constraints: Vec<String> = spec.topology_spread_constraints.iter().flatten().map(spread).collect();
    if !constraints.is_empty() {
        sheet.block(0, "Topology Spread Constraints", constraints);
    }
    sheet.maybe(
        0,
        "Scheduler",
        spec.scheduler_name.clone().filter(|name| name != "default-scheduler"),
    );
    sheet.maybe(
        0,
        "Preemption",
        spec.preemption_policy
            .clone()
            .filter(|policy| policy != "PreemptLowerPriority"),
    );
    let claims: Vec<String> = spec
        .resource_claims
        .iter()
        .flatten()
        .map(|claim| {
            let source = claim
                .resource_claim_name
                .as_ref()
                .or(claim.resource_claim_template_name.as_ref());
            format!("{} from {}", claim.name, source.map_or("nothing", String::as_str))
        })
        .collect();
    if !claims.is_empty() {
        sheet.block(0, "Resource Claims", claims);
    }
    network(facts, &mut sheet);
    sheet.lines(29)
}

fn network(facts: &Facts, sheet: &mut Sheet) {
    let Some(spec) = facts.spec() else {
        return;
    };
    sheet.maybe(
        0,
        "DNS Policy",
        spec.dns_policy.clone().filter(|policy| policy != "ClusterFirst"),
    );
    if let Some(config) = &spec.dns_config {
        let servers = config
            .nameservers
            .iter()
            .flatten()
            .map(|server| format!("nameserver {server}"));
        let searches = config
            .searches
            .iter()
            .flatten()
            .map(|domain| format!("search {domain}"));
        let options = config.options.iter().flatten().map(|option| {
            let value = option
                .value
                .as_deref()
                .map(|value| format!(":{value}"))
                .unwrap_or_default();
            format!("option {}{value}", option.name.as_deref().unwrap_or_default())
        });
        sheet.block(0, "DNS Config", servers.chain(searches).chain(options));
    }
    let aliases: Vec<String> = spec
        .host_aliases
        .iter()
        .flatten()
        .map(|alias| {
            format!(
                "{} {}",
                alias.ip,
                alias.hostnames.iter().flatten().cloned().collect::<Vec<_>>().join(" ")
            )
        })
        .collect();
    if !aliases.is_empty() {
        sheet.block(0, "Host Aliases", aliases);
    }
    let secrets: Vec<String> = spec
        .image_pull_secrets
        .iter()
        .flatten()
        .map(|secret| secret.name.clone())
        .collect();
    if !secrets.is_empty() {
        sheet.column(0, "Image Pull Secrets", secrets);
    }
}

fn toleration(toleration: &Toleration) -> String {
    let mut words = toleration.key.clone().unwrap_or_default();
    if let Some(value) = toleration.value.as_deref().filter(|value| !value.is_empty()) {
        words.push_str(&format!("={value}"));
    }
    if let Some(effect) = toleration.effect.as_deref().filter(|effect| !effect.is_empty()) {
        words.push_str(&format!(":{effect}"));
    }
    let is_bare = toleration.value.as_deref().is_none_or(str::is_empty);
    if toleration.operator.as_deref() == Some("Exists") && is_bare {
        words.push_str(if words.is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = toleration.toleration_seconds {
        words.push_str(&format!(" for {seconds}s"));
    }
    words
}

fn spread(constraint: &TopologySpreadConstraint) -> String {
    let selector = constraint.label_selector.as_ref().map(selector).unwrap_or_default();
    let consequence = match constraint.when_unsatisfiable.as_str() {
        "DoNotSchedule" => "else it is not scheduled",
        _ => "where possible",
    };
    format!(
        "pods with {selector} differ by {} at most between values of {}, {consequence}",
        constraint.max_skew, constraint.topology_key
    )
}

/// A label selector in kubectl's short form.
fn selector(selector: &LabelSelector) -> String {
    let labels = selector
        .match_labels
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().flatten().map(|expression| {
        let values = expression
            .values
            .iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join(",");
        requirement(&expression.key, &expression.operator, &values)
    });
    let all: Vec<String> = labels.chain(expressions).collect();
    if all.is_empty() {
        "any labels".to_owned()
    } else {
        all.join(",")
    }
}

fn requirement(key: &str, operator: &str, values: &str) -> String {
    match operator {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.to_owned(),
        "DoesNotExist" => format!("!{key}"),
        "Gt" => format!("{key} > {values}"),
        "Lt" => format!("{key} < {values}"),
        other => format!("{key} {other} ({values})"),
    }
}

fn affinity_words(affinity: &Affinity) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(node) = &affinity.node_affinity {
        if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
            let terms: Vec<String> = required.node_selector_terms.iter().map(term).collect();
            words.push(format!("only nodes with {}", terms.join(", or with ")));
        }
        for preferred in node
            .preferred_during_scheduling_ignored_during_execution
            .iter()
            .flatten()
        {
            words.push(format!(
                "rather nodes with {} (weight {})",
                term(&preferred.preference),
                preferred.weight
            ));
        }
    }
    if let Some(pods) = &affinity.pod_affinity {
        for required in pods
            .required_during_scheduling_ignored_during_execution
            .iter()
            .flatten()
        {
            words.push(format!("only where there are {}", pod_term(required)));
        }
        for preferred in pods
            .preferred_during_scheduling_ignored_during_execution
            .iter()
            .flatten()
        {
            let term = pod_term(&preferred.pod_affinity_term);
            words.push(format!("rather where there are {term} (weight {})", preferred.weight));
        }
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        for required in pods
            .required_during_scheduling_ignored_during_execution
            .iter()
            .flatten()
        {
            words.push(format!("never where there are {}", pod_term(required)));
        }
        for preferred in pods
            .preferred_during_scheduling_ignored_during_execution
            .iter()
            .flatten()
        {
            let term = pod_term(&preferred.pod_affinity_term);
            words.push(format!(
                "rather not where there are {term} (weight {})",
                preferred.weight
            ));
        }
    }
    words
}

fn term(term: &NodeSelectorTerm) -> String {
    let labels = term.match_expressions.iter().flatten();
    let fields = term.match_fields.iter().flatten();
    let all: Vec<String> = labels
        .chain(fields)
        .map(|expression| {
            let values = expression
                .values
                .iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(",");
            requirement(&expression.key, &expression.operator, &values)
        })
        .collect();
    all.join(" and ")
}

fn pod_term(term: &PodAffinityTerm) -> String {
    let labels = term
        .label_selector
        .as_ref()
        .map_or_else(|| "no labels".to_owned(), selector);
    let namespaces = match term.namespaces.as_deref() {
        Some([]) | None => String::new(),
        Some(namespaces) => format!(" of {}", namespaces.join(", ")),
    };
    format!("pods with {labels}{namespaces} in the same {}", term.topology_key)
}
