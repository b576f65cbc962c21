//! Who makes the pod anew, and how the pod's siblings are.

use super::command::here;
use super::message::say;
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::surroundings::Surroundings;

/// Says what becomes of a pod that is broken.
pub(super) fn rule(facts: &Facts, around: &Surroundings, found: &[Finding]) -> Option<Finding> {
    let is_broken = found.iter().any(|finding| finding.severity == Severity::Error);
    if !is_broken {
        return None;
    }
    if facts.controller().is_none() && facts.phase == "Failed" && facts.termination.is_none() {
        return Some(
            Finding::new(Severity::Note, "pod", say("owner.none"))
                .seen("metadata.ownerReferences", "none")
                .because(say("owner.none.cause"))
                .then(say("owner.none.next")),
        );
    }
    let owner = around.owner.as_ref()?;
    let what = if owner.ready < owner.wanted {
        say("owner.short")
    } else {
        say("owner.full")
    };
    let mut finding = Finding::new(
        Severity::Note,
        "pod",
        what.with("kind", owner.kind.as_str())
            .with("name", owner.name.as_str())
            .with("ready", owner.ready.to_string())
            .with("wanted", owner.wanted.to_string()),
    )
    .seen(
        "metadata.ownerReferences",
        match &owner.above {
            Some((kind, name)) => format!("{}/{} of {kind}/{name}", owner.kind, owner.name),
            None => format!("{}/{}", owner.kind, owner.name),
        },
    )
    .because(say("owner.cause"));
    if let Some((kind, name)) = &owner.above
        && kind == "Deployment"
    {
        finding = finding.run(here(facts, &["rollout", "history", &format!("deployment/{name}")]));
    }
    Some(finding)
}
