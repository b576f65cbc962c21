//! A pod on its way to its first container: who has not taken it up, what its sandbox lacks, what takes long.

use k8s_openapi::jiff::SignedDuration;

use super::command::{describe_node, here, kubectl, logs};
use super::message::say;
use super::{Finding, Severity, event, sandbox};
use crate::pod::container::{Container, Role, State};
use crate::pod::event::Event;
use crate::pod::{Facts, age};

/// What usually takes a second has not happened for so long that somebody does not do their work.
const UNTAKEN: SignedDuration = SignedDuration::from_secs(30);
/// Volumes and sandboxes are there in seconds; what takes longer deserves a look.
const SLOW: SignedDuration = SignedDuration::from_mins(2);
/// A pull or an init container that takes longer deserves a look.
const LONG: SignedDuration = SignedDuration::from_mins(5);

/// Finds what a pod waits for before its containers run.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Option<Finding> {
    if facts.is_over() || facts.termination.is_some() {
        return None;
    }
    sandbox::rule(facts, events)
        .or_else(|| no_scheduler(facts, events))
        .or_else(|| no_kubelet(facts, events))
        .or_else(|| pulling(facts, events))
        .or_else(|| initializing(facts))
        .or_else(|| slow(facts, events))
}

fn lasted(facts: &Facts, since: Option<k8s_openapi::jiff::Timestamp>) -> SignedDuration {
    since.map_or(SignedDuration::ZERO, |since| facts.now.duration_since(since))
}

fn has_node(facts: &Facts) -> bool {
    facts
        .spec()
        .and_then(|spec| spec.node_name.as_deref())
        .is_some_and(|name| !name.is_empty())
}

/// Whether a container has ever run.
fn has_begun(facts: &Facts) -> bool {
    facts
        .containers
        .iter()
        .any(|container| matches!(container.state, State::Running { .. } | State::Ended(_)) || container.last.is_some())
}

/// No condition, no event: no scheduler has looked at the pod.
fn no_scheduler(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let waited = lasted(facts, facts.created());
    let is_unseen = !has_node(facts)
        && facts.scheduling_gates().next().is_none()
        && facts.condition("PodScheduled").is_none()
        && event(events, "FailedScheduling", None).is_none()
        && facts.phase == "Pending";
    if !is_unseen {
        return None;
    }
    let scheduler = facts
        .spec()
        .and_then(|spec| spec.scheduler_name.clone())
        .unwrap_or_else(|| "default-scheduler".to_owned());
    // A file in which nothing is newer than the pod may have been saved at any time after.
    let is_undated = facts.is_saved && waited <= UNTAKEN;
    let is_late = waited > UNTAKEN;
    let (severity, what) = match (is_undated, is_late) {
        (true, _) => (Severity::Warning, say("creation.no-scheduler-undated")),
        (_, true) => (
            Severity::Error,
            say("creation.no-scheduler").with("waited", age::human(waited)),
        ),
        _ => (Severity::Note, say("creation.no-scheduler-yet")),
    };
    let finding = Finding::new(severity, "PodScheduled", what).seen("spec.schedulerName", scheduler.as_str());
    let is_default = scheduler == "default-scheduler";
    Some(if is_late || is_undated {
        let finding = finding.because(say("creation.no-scheduler.cause").with("scheduler", scheduler.as_str()));
        if is_default {
            finding.run(kubectl(&[
                "get",
                "pods",
                "-n",
                "kube-system",
                "-l",
                "component=kube-scheduler",
            ]))
        } else {
            finding.then(say("creation.no-scheduler.next").with("scheduler", scheduler.as_str()))
        }
    } else {
        finding
            .because(say("creation.new"))
            .run(here(facts, &["get", "pod", &facts.name, "-w"]))
    })
}

/// A node was chosen, and its kubelet says nothing.
fn no_kubelet(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let status = facts.status()?;
    let is_silent = status.start_time.is_none() && status.container_statuses.iter().flatten().next().is_none();
    let told_by_kubelet = events.iter().any(|event| event.source == "kubelet");
    if !has_node(facts) || !is_silent || told_by_kubelet || facts.phase != "Pending" {
        return None;
    }
    let since = facts
        .condition("PodScheduled")
        .and_then(|condition| condition.since)
        .or_else(|| facts.created());
    let waited = lasted(facts, since);
    if waited <= UNTAKEN {
        return None;
    }
    let node = facts.spec().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    Some(
        Finding::new(
            Severity::Error,
            "NodeLost",
            say("creation.no-kubelet").with("waited", age::human(waited)),
        )
        .seen("spec.nodeName", node)
        .because(say("creation.no-kubelet.cause"))
        .maybe_run(describe_node(facts)),
    )
}

/// An image that is being pulled.
fn pulling(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let (container, told) = facts.containers.iter().find_map(|container| {
        let waits = matches!(&container.state, State::Waiting { reason, .. }
            if matches!(reason.as_str(), "" | "ContainerCreating" | "PodInitializing"));
        let told = event(events, "Pulling", Some(&container.name))?;
        let is_done = event(events, "Pulled", Some(&container.name)).is_some_and(|done| done.last >= told.last);
        let has_failed = event(events, "Failed", Some(&container.name)).is_some_and(|failed| failed.last >= told.last);
        (waits && !is_done && !has_failed).then_some((container, told))
    })?;
    let waited = lasted(facts, told.last);
    let severity = if waited > LONG {
        Severity::Warning
    } else {
        Severity::Note
    };
    Some(
        Finding::new(
            severity,
            "Pulling",
            say("creation.pulling")
                .with("container", container.name.as_str())
                .with("image", container.spec.image.clone().unwrap_or_default())
                .with("waited", age::human(waited)),
        )
        .about(&container.name)
        .told_by(Some(told))
        .because(say("creation.pulling.cause"))
        .run(here(facts, &["get", "pod", &facts.name, "-w"])),
    )
}

/// An init container, or the start of a sidecar, that the others wait for.
fn initializing(facts: &Facts) -> Option<Finding> {
    let is_initialized = facts
        .condition("Initialized")
        .is_some_and(crate::pod::condition::Condition::is_true);
    if is_initialized || facts.phase != "Pending" {
        return None;
    }
    let (container, since) = facts.containers.iter().find_map(|container| match &container.state {
        State::Running { since } if holds_up(container) => Some((container, *since)),
        _ => None,
    })?;
    let waited = lasted(facts, since);
    let name = container.name.as_str();
    let severity = if waited > LONG {
        Severity::Warning
    } else {
        Severity::Note
    };
    let (what, cause) = if container.role == Role::Sidecar {
        (say("creation.sidecar"), say("creation.sidecar.cause"))
    } else {
        (say("creation.init"), say("creation.init.cause"))
    };
    Some(
        Finding::new(
            severity,
            "init container",
            what.with("container", name).with("waited", age::human(waited)),
        )
        .about(name)
        .seen(format!("{}.state.running", container.status_path()), "running")
        .because(cause)
        .run(logs(facts, name, false)),
    )
}

fn holds_up(container: &Container) -> bool {
    match container.role {
        Role::Init => true,
        Role::Sidecar => !container.is_started(),
        Role::Regular | Role::Ephemeral => false,
    }
}

/// Creation that takes long, while nothing tells why.
fn slow(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let container = facts.containers.iter().find(|container| {
        match &container.state {
            State::Waiting { reason, .. } => reason == "ContainerCreating" || reason.is_empty(),
            // A kubelet that has taken the pod up, and has told nothing of its containers since.
            State::Unreported => facts.phase == "Pending",
            _ => false,
        }
    })?;
    if has_begun(facts) || !has_node(facts) {
        return None;
    }
    let since = facts
        .status()
        .and_then(|status| status.start_time.as_ref())
        .map(|time| time.0);
    let waited = lasted(facts, since.or_else(|| facts.created()));
    let is_told = events.iter().any(Event::is_warning);
    if waited < SLOW || is_told {
        return None;
    }
    let name = container.name.as_str();
    Some(
        Finding::new(
            Severity::Warning,
            "ContainerCreating",
            say("creation.slow")
                .with("container", name)
                .with("waited", age::human(waited)),
        )
        .about(name)
        .seen(
            format!("{}.state.waiting", container.status_path()),
            match container.state {
                State::Unreported => "",
                _ => "ContainerCreating",
            },
        )
        .seen("status.phase", facts.phase.as_str())
        .because(if facts.is_saved && events.is_empty() {
            say("creation.slow.no-events")
        } else {
            say("creation.slow.cause")
        })
        .run(here(
            facts,
            &[
                "get",
                "events",
                "--field-selector",
                &format!("involvedObject.name={}", facts.name),
            ],
        ))
        .maybe_run(describe_node(facts)),
    )
}
