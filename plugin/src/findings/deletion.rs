//! A pod that is being deleted, or should have been.

use super::command::{describe_node, here};
use super::message::say;
use super::{Finding, Severity, event, sandbox};
use crate::pod::container::{Role, State};
use crate::pod::event::Event;
use crate::pod::termination::Termination;
use crate::pod::{Facts, age};

/// The kubelet reports the end some time after it.
const REPORTING: i64 = 10;

/// Finds what holds a pod that is being deleted.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let termination = facts.termination.as_ref()?;
    let finding = match () {
        () if has_ended(facts) && !termination.finalizers.is_empty() => held(termination),
        () if facts.is_node_silent() => Finding::new(Severity::Note, "Terminating", say("deletion.node-silent"))
            .because(say("deletion.node-silent.cause"))
            .maybe_run(describe_node(facts)),
        () if facts.is_deletion_undated() => undated(facts, termination),
        () if !termination.is_overdue(facts.now) => going(facts, termination, events),
        () => overdue(facts, termination, events),
    };
    Some(finding.seen("metadata.deletionTimestamp", termination.deadline.to_string()))
}

/// Whether all containers have ended: what is left then are the finalizers, and the clean-up on the node.
fn has_ended(facts: &Facts) -> bool {
    let mut containers = facts
        .containers
        .iter()
        .filter(|container| container.role != Role::Ephemeral);
    containers.all(|container| matches!(container.state, State::Ended(_)))
}

fn held(termination: &Termination) -> Finding {
    Finding::new(Severity::Warning, "Terminating", say("deletion.held"))
        .seen("metadata.finalizers", termination.finalizers.join(", "))
        .because(say("deletion.finalizers"))
        .then(say("deletion.finalizers.next"))
}

/// Nothing in the file is newer than the request: when it was saved, nobody knows.
fn undated(facts: &Facts, termination: &Termination) -> Finding {
    let requested = termination.requested().unwrap_or(termination.deadline);
    Finding::new(
        Severity::Warning,
        "Terminating",
        say("deletion.undated")
            .with("requested", requested.to_string())
            .with("deadline", termination.deadline.to_string()),
    )
    .seen("metadata.finalizers", termination.finalizers.join(", "))
    .because(say("deletion.undated.cause"))
    .then(say("deletion.undated.next"))
    .maybe_run(describe_node(facts))
}

fn going(facts: &Facts, termination: &Termination, events: &[Event]) -> Finding {
    let left = age::human(termination.remaining(facts.now));
    let failed_hook = event(events, "FailedPreStopHook", None);
    let finding = Finding::new(Severity::Note, "termination", say("deletion.going").with("left", left))
        .told_by(failed_hook)
        .because(say("deletion.going.cause"));
    let has_hook = facts.containers.iter().any(|container| {
        let hooks = container.spec.lifecycle.as_ref();
        hooks.is_some_and(|hooks| hooks.pre_stop.is_some())
    });
    match () {
        () if failed_hook.is_some() => finding.because(say("deletion.hook-failed")),
        () if has_hook => finding.because(say("deletion.hook")),
        () => finding,
    }
    .run(here(facts, &["get", "pod", &facts.name, "-w"]))
}

fn overdue(facts: &Facts, termination: &Termination, events: &[Event]) -> Finding {
    let late = -termination.remaining(facts.now);
    let severity = if late.as_secs() > REPORTING {
        Severity::Error
    } else {
        Severity::Note
    };
    let mut finding = Finding::new(
        severity,
        "Terminating",
        say("deletion.overdue").with("late", age::human(late)),
    );
    let failed = event(events, "FailedKillPod", None);
    finding = finding.told_at(facts, failed);
    let running: Vec<&str> = facts
        .containers
        .iter()
        .filter(|container| matches!(container.state, State::Running { .. }))
        .map(|container| container.name.as_str())
        .collect();
    if !running.is_empty() {
        finding = finding.because(say("deletion.running").with("containers", running.join(", ")));
    }
    let words = failed.map_or("", |event| event.message.as_str());
    match () {
        () if words.contains("KillPodSandbox") => {
            return finding
                .because(say("deletion.sandbox"))
                .diagnosed(facts, None, sandbox::diagnose(words));
        }
        () if words.contains("KillContainer") => {
            return finding
                .because(say("deletion.container"))
                .maybe_run(describe_node(facts))
                .then(say("advice.runtime-log"));
        }
        () => {}
    }
    finding = finding.because(say("deletion.node"));
    if !termination.finalizers.is_empty() {
        finding = finding
            .seen("metadata.finalizers", termination.finalizers.join(", "))
            .because(say("deletion.finalizers-later"));
    }
    finding
        .maybe_run(describe_node(facts))
        .then(say("deletion.force"))
        .run(here(
            facts,
            &["delete", "pod", &facts.name, "--grace-period=0", "--force"],
        ))
}
