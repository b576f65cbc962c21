//! Containers that ended badly, now or before they were started again.

use k8s_openapi::jiff::SignedDuration;

use super::command::{here, logs};
use super::exit::{self, Cause};
use super::message::{Message, say};
use super::{Finding, Severity, event};
use super::{start_error, suspect};
use crate::pod::container::{Container, Ended, Role, State};
use crate::pod::event::Event;
use crate::pod::{Facts, age};

/// A container that has been well for so long is not ill for what happened before.
const OLD: SignedDuration = SignedDuration::from_hours(24);
/// A program that ends well sooner than this has nothing that keeps it running.
const SHORT: SignedDuration = SignedDuration::from_mins(1);
/// A restart is recent for so long.
const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// Finds how a container ended, or its previous instance.
pub(super) fn rule(facts: &Facts, container: &Container, events: &[Event]) -> Option<Finding> {
    let (ended, is_previous) = match (&container.state, &container.last) {
        (State::Ended(ended), _) => (ended, false),
        (_, Some(last)) => (last, true),
        _ => return None,
    };
    // A sidecar is stopped when the others have ended: how those ended tells the story.
    if container.role == Role::Sidecar && facts.is_over() {
        return None;
    }
    let cause = exit::cause(facts, container, ended, events);
    if ended.exit_code == 0 && ended.signal.is_none() && !cause.is_restart_by_kubelet() {
        return ended_well(facts, container, is_previous);
    }
    if is_told_elsewhere(container, ended, is_previous) {
        return None;
    }
    let mut severity = severity(facts, container, ended, &cause, is_previous)?;
    let is_undated = is_undated(facts, container, is_previous, events);
    if is_undated {
        severity = severity.min(Severity::Note);
    }
    Some(finding(facts, container, ended, &cause, is_previous, severity, events))
}

/// Whether nobody knows how long ago the previous instance ended: events are kept for an hour, and a file without any may
/// have been saved days after the last restart, when the container had long been well.
fn is_undated(facts: &Facts, container: &Container, is_previous: bool, events: &[Event]) -> bool {
    let is_well = matches!(container.state, State::Running { .. }) && container.is_ready();
    facts.is_saved && is_previous && is_well && events.is_empty()
}

/// The finding about the waiting state has it: it quotes the same failure to start, or the end that it waits after.
fn is_told_elsewhere(container: &Container, ended: &Ended, is_previous: bool) -> bool {
    let State::Waiting { reason, message } = &container.state else {
        return false;
    };
    let is_same = ended.reason == "StartError" && !message.is_empty() && message.trim() == ended.message.trim();
    is_previous && (is_same || matches!(reason.as_str(), "CrashLoopBackOff" | "PostStartHookError"))
}

fn severity(facts: &Facts, container: &Container, ended: &Ended, cause: &Cause, is_previous: bool) -> Option<Severity> {
    // Whoever debugs knows how the debugging ended.
    if container.role == Role::Ephemeral {
        return Some(Severity::Note);
    }
    if let Some(termination) = &facts.termination {
        let is_part_of_it = match (ended.finished, termination.requested()) {
            (Some(finished), Some(requested)) => finished >= requested,
            _ => true,
        };
        if is_part_of_it {
            return (cause.topic == "termination").then_some(Severity::Note);
        }
    }
    let was_ended_with_pod = matches!(
        cause.topic.as_str(),
        "DisruptionTarget" | "DeadlineExceeded" | "Evicted" | "NodeShutdown"
    );
    // The kubelet loses sight of containers that it ends with their pod: why the pod ended is told by the pod.
    let was_lost_with_pod = cause.topic == "ContainerStatusUnknown"
        && facts
            .status()
            .and_then(|status| status.reason.as_deref())
            .is_some_and(|reason| !reason.is_empty());
    if facts.is_over() && (was_ended_with_pod || was_lost_with_pod) {
        return Some(Severity::Note);
    }
    if facts.phase == "Succeeded" {
        return Some(Severity::Note);
    }
    if !is_previous || !matches!(container.state, State::Running { .. }) {
        return Some(Severity::Error);
    }
    let ago = ended.finished.map(|finished| facts.now.duration_since(finished));
    // Between two kills it runs, and never gets to serve.
    let is_hopeless = cause.is_restart_by_kubelet() && container.restarts() > 1 && !container.is_ready();
    if is_hopeless && ago.is_none_or(|ago| ago <= RECENT) {
        return Some(Severity::Error);
    }
    match ago {
        Some(ago) if ago > OLD => None,
        Some(ago) if ago > RECENT && container.is_ready() => Some(Severity::Note),
        _ => Some(Severity::Warning),
    }
}

fn finding(
    facts: &Facts,
    container: &Container,
    ended: &Ended,
    cause: &Cause,
    is_previous: bool,
    severity: Severity,
    events: &[Event],
) -> Finding {
    let name = container.name.as_str();
    let dated = ended
        .finished
        .filter(|_| !is_undated(facts, container, is_previous, events));
    let what = match (is_previous, dated) {
        (true, Some(finished)) => {
            say("ended.previous-at").with("ago", age::between(finished.min(facts.now), facts.now))
        }
        (true, None) => say("ended.previous"),
        (false, _) => say("ended.now"),
    };
    let what = what
        .with("container", name)
        .with("code", ended.exit_code.to_string())
        .with("short", in_short(cause, ended));
    let mut finding =
        Finding::new(severity, cause.topic.as_str(), what)
            .about(name)
            .ending(container, ended, is_previous);
    if let Some(finished) = ended.finished.filter(|_| is_previous && dated.is_none()) {
        finding = finding.seen(
            format!("{}.lastState.terminated.finishedAt", container.status_path()),
            finished.to_string(),
        );
    }
    if container.restarts() > 1 {
        finding = finding.seen(
            format!("{}.restartCount", container.status_path()),
            container.restarts().to_string(),
        );
    }
    let back_off = event(events, "BackOff", Some(name)).filter(|told| told.message.contains("restarting failed"));
    if is_previous && matches!(container.state, State::Running { .. }) {
        finding = finding.told_by(back_off);
    }
    finding.explained(facts, container, ended, cause, is_previous, events)
}

impl Finding {
    /// Quotes the end of an instance, with all lines of its last words.
    pub(super) fn ending(self, container: &Container, ended: &Ended, is_previous: bool) -> Self {
        let state = if is_previous { "lastState" } else { "state" };
        let quote = format!("{} (exit code {}) {}", ended.reason, ended.exit_code, ended.message);
        self.seen(format!("{}.{state}.terminated", container.status_path()), quote.trim())
    }

    /// Says why an instance ended, with what shows that, and what to do.
    pub(super) fn explained(
        self,
        facts: &Facts,
        container: &Container,
        ended: &Ended,
        cause: &Cause,
        is_previous: bool,
        events: &[Event],
    ) -> Self {
        let name = container.name.as_str();
        let finding = match cause.topic.as_str() {
            "livenessProbe" => self
                .told_by(exit::killing(events, container, ended, "failed liveness probe"))
                .told_by(unhealthy(events, name, "Liveness")),
            "startupProbe" => self
                .told_by(exit::killing(events, container, ended, "failed startup probe"))
                .told_by(unhealthy(events, name, "Startup")),
            "FailedPostStartHook" => self.told_by(event(events, "FailedPostStartHook", Some(name))),
            "OOMKilled" | "137" => self.seen(
                format!("{}.resources.limits.memory", container.spec_path()),
                limit(container, "memory").unwrap_or_else(|| "none".to_owned()),
            ),
            _ => self,
        };
        let suspects = suspect::suspects(facts, container, ended, &cause.topic);
        let has_probe = suspects.iter().any(|suspect| suspect.is_one_of(&PROBE_SUSPECTS));
        let finding = suspects
            .into_iter()
            .fold(finding.because(cause.long.clone()), Finding::because)
            .advised(has_probe.then(|| say("suspect.next")))
            .advised(advice(container, cause));
        // What did not start has written nothing.
        if cause.topic == "StartError" {
            return finding.treated(facts, Some(container), start_error::diagnose(facts, &ended.message));
        }
        if ended.never_started {
            return finding.run(here(facts, &["describe", "pod", &facts.name]));
        }
        finding.run(logs(facts, name, is_previous))
    }
}

/// The suspects whose events the next restart brings.
const PROBE_SUSPECTS: [&str; 3] = ["suspect.startup", "suspect.liveness-fits", "suspect.liveness"];

/// A few words on the end: the program's own, where it left some and nothing better is known.
pub(super) fn in_short(cause: &Cause, ended: &Ended) -> Message {
    const MOST: usize = 120;
    let last_words = ended.message.lines().rev().find(|line| !line.trim().is_empty());
    match last_words {
        Some(line) if cause.short == say("exit.error.short") => {
            let line = line.trim();
            let cut: String = line.chars().take(MOST).collect();
            Message::Plain(if cut.len() < line.len() { cut + "…" } else { cut })
        }
        _ => cause.short.clone(),
    }
}

fn advice(container: &Container, cause: &Cause) -> Option<Message> {
    Some(match cause.topic.as_str() {
        "OOMKilled" if limit(container, "memory").is_none() => say("advice.memory-of-node"),
        "OOMKilled" => say("advice.memory"),
        "livenessProbe" => say("advice.liveness"),
        "startupProbe" => say("advice.startup"),
        "FailedPostStartHook" => say("advice.post-start"),
        "termination" => say("advice.sigterm"),
        "137" => say("advice.kernel-log"),
        _ => return None,
    })
}

/// What the probe said when it failed.
fn unhealthy<'a>(events: &'a [Event], container: &str, probe: &str) -> Option<&'a Event> {
    events.iter().rev().find(|event| {
        event.reason == "Unhealthy" && event.container() == Some(container) && event.message.starts_with(probe)
    })
}

fn limit(container: &Container, resource: &str) -> Option<String> {
    let limits = container.spec.resources.as_ref()?.limits.as_ref()?;
    limits.get(resource).map(|limit| limit.0.clone())
}

/// A container that ends well and is started again all the same.
fn ended_well(facts: &Facts, container: &Container, is_previous: bool) -> Option<Finding> {
    let policy = container
        .spec
        .restart_policy
        .as_deref()
        .unwrap_or(facts.restart_policy());
    let is_looping = policy == "Always"
        && container.role == Role::Regular
        && container.restarts() > 0
        && facts.termination.is_none()
        && !facts.is_over();
    let finished = container.newest_end().and_then(|ended| ended.finished)?;
    let is_recent = facts.now.duration_since(finished) <= RECENT;
    let ended = container.newest_end()?;
    // A clean end of long ago says something only where a probe may have asked for it.
    let is_of_probe = !suspect::suspects(facts, container, ended, "Completed").is_empty()
        && facts.now.duration_since(finished) <= OLD;
    // While it backs off, the waiting state tells it.
    if !is_looping || !(is_recent || is_of_probe) || matches!(container.state, State::Waiting { .. }) {
        return None;
    }
    let severity = if is_recent { Severity::Warning } else { Severity::Note };
    let name = container.name.as_str();
    let what = match run_length(ended).filter(|_| !is_short(ended)) {
        Some(length) => say("ended.well-after").with("length", age::human(length)),
        None => say("ended.well"),
    };
    Some(
        Finding::new(severity, "Completed", what.with("container", name))
            .about(name)
            .ending(container, ended, is_previous)
            .seen(
                format!("{}.restartCount", container.status_path()),
                container.restarts().to_string(),
            )
            .ended_well(facts, container, ended)
            .run(logs(facts, name, is_previous)),
    )
}

impl Finding {
    /// Says why an instance that ended well is started again, and what may have ended it.
    pub(super) fn ended_well(self, facts: &Facts, container: &Container, ended: &Ended) -> Self {
        let suspects = suspect::suspects(facts, container, ended, "Completed");
        if !suspects.is_empty() {
            let finding = self.because(say("ended.well.restarts"));
            return suspects
                .into_iter()
                .fold(finding, Finding::because)
                .then(say("suspect.next"));
        }
        if is_short(ended) {
            self.because(say("ended.well.cause")).then(say("advice.job"))
        } else {
            self.because(say("ended.well.restarts"))
        }
    }
}

fn run_length(ended: &Ended) -> Option<SignedDuration> {
    Some(ended.finished?.duration_since(ended.started?))
}

/// Whether it ended so soon that it has nothing to do for long. A run of unknown length may be one.
fn is_short(ended: &Ended) -> bool {
    run_length(ended).is_none_or(|length| length < SHORT)
}
