//! What an exit code means, and what it does not.

use k8s_openapi::jiff::SignedDuration;

use super::message::{Message, say};
use super::start_error;
use crate::pod::Facts;
use crate::pod::container::{Container, Ended};
use crate::pod::event::Event;

/// Why an instance ended.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The reason's name in the catalogue.
    pub topic: String,
    /// In a few words.
    pub short: Message,
    /// In a sentence.
    pub long: Message,
}

impl Cause {
    fn new(topic: impl Into<String>, short: Message, long: Message) -> Self {
        Self {
            topic: topic.into(),
            short,
            long,
        }
    }

    /// Whether the kubelet itself ended the instance to start it again.
    pub fn is_restart_by_kubelet(&self) -> bool {
        matches!(
            self.topic.as_str(),
            "livenessProbe" | "startupProbe" | "FailedPostStartHook"
        )
    }
}

/// The event by which the kubelet said that it killed this very instance, for a reason that its message names.
pub fn killing<'a>(events: &'a [Event], container: &Container, ended: &Ended, words: &str) -> Option<&'a Event> {
    // Times are whole seconds, and the container takes its grace after the event.
    let slack = SignedDuration::from_secs(1);
    events.iter().find(|event| {
        let is_it = event.reason == "Killing"
            && event.container() == Some(container.name.as_str())
            && event.message.contains(words);
        let began_before_end = match (event.first, ended.finished) {
            (Some(first), Some(finished)) => first <= finished.saturating_add(slack).unwrap_or(finished),
            _ => true,
        };
        let went_on_after_start = match (event.last, ended.started) {
            (Some(last), Some(started)) => last >= started.saturating_sub(slack).unwrap_or(started),
            _ => true,
        };
        is_it && began_before_end && went_on_after_start
    })
}

/// The cause of an end. 137 is a question, not an answer: the order of these questions matters.
pub fn cause(facts: &Facts, container: &Container, ended: &Ended, events: &[Event]) -> Cause {
    by_reason(ended)
        .or_else(|| by_event(facts, container, ended, events))
        .or_else(|| by_end_of_pod(facts, ended))
        // A runtime may report the signal apart from the code.
        .unwrap_or_else(|| {
            by_code(
                ended
                    .signal
                    .map_or(ended.exit_code, |signal| signal.saturating_add(128)),
            )
        })
}

/// What the runtime or the kubelet wrote down.
fn by_reason(ended: &Ended) -> Option<Cause> {
    Some(match ended.reason.as_str() {
        "OOMKilled" => Cause::new("OOMKilled", say("exit.oom.short"), say("exit.oom")),
        "ContainerStatusUnknown" => Cause::new(
            "ContainerStatusUnknown",
            say("exit.status-unknown.short"),
            say("exit.status-unknown"),
        ),
        "StartError" | "ContainerCannotRun" => Cause::new(
            "StartError",
            say("exit.start-error.short"),
            start_error::cause(&ended.message),
        ),
        "DeadlineExceeded" => Cause::new("DeadlineExceeded", say("exit.deadline.short"), say("exit.deadline")),
        _ => return None,
    })
}

fn by_event(facts: &Facts, container: &Container, ended: &Ended, events: &[Event]) -> Option<Cause> {
    let killed = |words: &str| killing(events, container, ended, words).is_some();
    if killed("failed liveness probe") {
        return Some(Cause::new(
            "livenessProbe",
            say("exit.liveness.short"),
            say("exit.liveness"),
        ));
    }
    if killed("failed startup probe") {
        return Some(Cause::new(
            "startupProbe",
            say("exit.startup.short"),
            say("exit.startup"),
        ));
    }
    if killed("FailedPostStartHook") {
        return Some(Cause::new(
            "FailedPostStartHook",
            say("exit.post-start.short"),
            say("exit.post-start"),
        ));
    }
    // A hook that fails is told by an event of its own even where the Killing event has expired.
    let has_failed_hook = events
        .iter()
        .any(|event| event.reason == "FailedPostStartHook" && event.container() == Some(container.name.as_str()));
    let has_hook = container
        .spec
        .lifecycle
        .as_ref()
        .is_some_and(|hooks| hooks.post_start.is_some());
    (ended.exit_code == 137 && has_failed_hook && has_hook && facts.termination.is_none()).then(|| {
        Cause::new(
            "FailedPostStartHook",
            say("exit.post-start.short"),
            say("exit.post-start"),
        )
    })
}

/// A container that was ended along with its pod.
fn by_end_of_pod(facts: &Facts, ended: &Ended) -> Option<Cause> {
    if !matches!(ended.exit_code, 137 | 143) {
        return None;
    }
    if let Some(termination) = &facts.termination
        && ended.exit_code == 137
        && ended.finished.is_none_or(|finished| {
            finished
                >= termination
                    .deadline
                    .saturating_sub(SignedDuration::from_secs(2))
                    .unwrap_or(finished)
        })
    {
        return Some(Cause::new("termination", say("exit.grace.short"), say("exit.grace")));
    }
    if facts.true_condition("DisruptionTarget").is_some() {
        return Some(Cause::new(
            "DisruptionTarget",
            say("exit.disruption.short"),
            say("exit.disruption"),
        ));
    }
    let reason = facts.status()?.reason.as_deref()?;
    match reason {
        "DeadlineExceeded" => Some(Cause::new(
            "DeadlineExceeded",
            say("exit.deadline.short"),
            say("exit.deadline"),
        )),
        "Evicted" => Some(Cause::new(
            "Evicted",
            say("exit.disruption.short"),
            say("exit.disruption"),
        )),
        "Terminated" | "Shutdown" | "NodeShutdown" => Some(Cause::new(
            "NodeShutdown",
            say("exit.shutdown.short"),
            say("exit.shutdown"),
        )),
        _ => None,
    }
}

fn by_code(code: i32) -> Cause {
    let long = match code {
        1 => say("exit.1"),
        2 => say("exit.2"),
        126 => say("exit.126"),
        127 => say("exit.127"),
        128 => say("exit.128"),
        130 => say("exit.130"),
        134 => say("exit.134"),
        135 => say("exit.135"),
        136 => say("exit.136"),
        137 => say("exit.137"),
        139 => say("exit.139"),
        141 => say("exit.141"),
        143 => say("exit.143"),
        255 => say("exit.255"),
        129..=192 => say("exit.signal").with("signal", (code - 128).to_string()),
        _ => say("exit.other"),
    };
    let short = match code {
        137 => say("exit.137.short"),
        139 => say("exit.139.short"),
        127 => say("exit.127.short"),
        126 => say("exit.126.short"),
        143 => say("exit.143.short"),
        128 => say("exit.start-error.short"),
        130 => "SIGINT".into(),
        134 => "SIGABRT".into(),
        135 => "SIGBUS".into(),
        136 => "SIGFPE".into(),
        141 => "SIGPIPE".into(),
        _ => say("exit.error.short"),
    };
    Cause::new(code.to_string(), short, long)
}
