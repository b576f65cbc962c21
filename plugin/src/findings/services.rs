//! Services that select the pod, while it does not serve.

use super::command::here;
use super::message::say;
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::surroundings::Surroundings;

/// Says who does without the pod, and what is left to them.
pub(super) fn rule(facts: &Facts, around: &Surroundings) -> Vec<Finding> {
    around
        .services
        .iter()
        .map(|service| {
            let (severity, what) = if service.ready == 0 {
                (Severity::Error, say("services.none"))
            } else {
                (Severity::Note, say("services.some"))
            };
            Finding::new(
                severity,
                "readiness",
                what.with("service", service.name.as_str())
                    .with("ready", service.ready.to_string())
                    .with("total", service.total.to_string()),
            )
            .seen(
                format!("endpoints of service {}", service.name),
                format!("{} of {} ready", service.ready, service.total),
            )
            .because(say("services.cause"))
            .run(here(
                facts,
                &[
                    "get",
                    "endpointslices",
                    "-l",
                    &format!("kubernetes.io/service-name={}", service.name),
                ],
            ))
        })
        .collect()
}
