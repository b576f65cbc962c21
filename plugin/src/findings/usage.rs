//! What containers use against their limits.

use super::command::here;
use super::message::{Message, say};
use super::{Finding, Severity};
use crate::pod::container::Container;
use crate::pod::surroundings::Surroundings;
use crate::pod::{Facts, quantity};

/// From this part of a limit on, the next burst reaches it.
const CLOSE: f64 = 0.9;

/// Finds the limits that are nearly used up, where use was measured.
pub(super) fn rule(facts: &Facts, around: &Surroundings) -> Vec<Finding> {
    around
        .usage
        .iter()
        .filter_map(|usage| Some((facts.container(&usage.container)?, usage)))
        .flat_map(|(container, usage)| {
            let memory = close(
                facts,
                container,
                "memory",
                &usage.memory,
                "OOMKilled",
                say("usage.memory"),
            );
            let cpu = close(facts, container, "cpu", &usage.cpu, "resources", say("usage.cpu"));
            [memory, cpu].into_iter().flatten()
        })
        .collect()
}

fn close(
    facts: &Facts,
    container: &Container,
    resource: &str,
    used: &str,
    topic: &str,
    cause: Message,
) -> Option<Finding> {
    let limits = container.spec.resources.as_ref()?.limits.as_ref()?;
    let limit = limits.get(resource)?.0.clone();
    let part = quantity::value(used)? / quantity::value(&limit).filter(|limit| *limit > 0.0)?;
    (part >= CLOSE).then(|| {
        let percent = format!("{:.0}", part * 100.0);
        Finding::new(
            Severity::Warning,
            topic,
            say("usage.close")
                .with("container", container.name.as_str())
                .with("percent", percent)
                .with("resource", resource),
        )
        .about(&container.name)
        .seen(format!("metrics of container {}: {resource}", container.name), used)
        .seen(format!("{}.resources.limits.{resource}", container.spec_path()), limit)
        .because(cause)
        .run(here(facts, &["top", "pod", &facts.name, "--containers"]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::surroundings::Usage;

    fn found(memory: &str, cpu: &str) -> Vec<String> {
        let pod = serde_json::json!({
            "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "100Mi", "cpu": "1"}}}]},
        });
        let facts = Facts::of(
            serde_json::from_value(pod).unwrap(),
            k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
        );
        let around = Surroundings {
            usage: vec![Usage {
                container: "app".into(),
                cpu: cpu.into(),
                memory: memory.into(),
            }],
            ..Surroundings::default()
        };
        rule(&facts, &around).into_iter().map(|finding| finding.topic).collect()
    }

    #[test]
    fn a_limit_that_is_nearly_used_up_is_told() {
        assert_eq!(found("97280Ki", "100m"), ["OOMKilled"]);
        assert_eq!(found("10Mi", "950m"), ["resources"]);
        assert!(found("10Mi", "500m").is_empty());
    }
}
