//! Disruption budgets that a pod which is not well uses up.

use super::command::here;
use super::message::say;
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::surroundings::Surroundings;

/// Says which budgets allow no eviction now.
pub(super) fn rule(facts: &Facts, around: &Surroundings) -> Vec<Finding> {
    around
        .budgets
        .iter()
        .filter(|budget| budget.allowed <= 0)
        .map(|budget| {
            Finding::new(
                Severity::Note,
                "PodDisruptionBudget",
                say("budget.used-up").with("name", budget.name.as_str()),
            )
            .seen(
                format!("poddisruptionbudget {}", budget.name),
                format!(
                    "disruptionsAllowed: {}, currentHealthy: {}, desiredHealthy: {}",
                    budget.allowed, budget.healthy, budget.desired
                ),
            )
            .because(say("budget.used-up.cause"))
            .run(here(facts, &["get", "poddisruptionbudget", &budget.name]))
        })
        .collect()
}
