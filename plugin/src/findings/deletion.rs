//! A pod that is going, or should be gone.

use super::command::{describe_node, here};
use super::message::say;
use super::{Finding, Severity, event};
use crate::pod::container::{Role, State};
use crate::pod::event::Event;
use crate::pod::{Facts, age};

/// Finds what holds a pod that is being deleted.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let termination = facts.termination.as_ref()?;
    let deadline = termination.deadline.to_string();
    // Once all containers have ended, the grace is of no interest: what is left are the finalizers.
    let has_ended = facts
        .containers
        .iter()
        .filter(|container| container.role != Role::Ephemeral)
        .all(|container| matches!(container.state, State::Ended(_)));
    if has_ended && !termination.finalizers.is_empty() && !termination.is_overdue(facts.now) {
        return Some(
            Finding::new(Severity::Warning, "Terminating", say("deletion.held"))
                .seen("metadata.finalizers", termination.finalizers.join(", "))
                .because(say("deletion.finalizers"))
                .then(say("deletion.finalizers.next")),
        );
    }
    if !termination.is_overdue(facts.now) {
        let left = age::human(termination.remaining(facts.now));
        let has_hook = facts.containers.iter().any(|container| {
            let hooks = container.spec.lifecycle.as_ref();
            hooks.is_some_and(|hooks| hooks.pre_stop.is_some())
        });
        let finding = Finding::new(Severity::Note, "termination", say("deletion.going").with("left", left))
            .seen("metadata.deletionTimestamp", deadline)
            .told_by(event(events, "FailedPreStopHook", None))
            .because(say("deletion.going.cause"))
            .run(here(facts, &["get", "pod", &facts.name, "-w"]));
        return Some(if has_hook {
            finding.because(say("deletion.hook"))
        } else {
            finding
        });
    }
    let late = age::human(-termination.remaining(facts.now));
    let finding = Finding::new(
        // The kubelet reports the end some time after it.
        if -termination.remaining(facts.now).as_secs() > 10 {
            Severity::Error
        } else {
            Severity::Note
        },
        "Terminating",
        say("deletion.overdue").with("late", late),
    )
    .seen("metadata.deletionTimestamp", deadline);
    Some(if termination.finalizers.is_empty() {
        finding
            .told_by(event(events, "FailedKillPod", None))
            .because(say("deletion.node"))
            .maybe_run(describe_node(facts))
            .then(say("deletion.force"))
            .run(here(
                facts,
                &["delete", "pod", &facts.name, "--grace-period=0", "--force"],
            ))
    } else {
        finding
            .seen("metadata.finalizers", termination.finalizers.join(", "))
            .because(say("deletion.finalizers"))
            .then(say("deletion.finalizers.next"))
    })
}
