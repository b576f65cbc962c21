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
    by_reason(facts, container, ended)
        .or_else(|| by_event(facts, container, ended, events))
        .or_else(|| by_end_of_pod(facts, ended))
        .or_else(|| by_last_words(facts, ended))
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
fn by_reason(facts: &Facts, container: &Container, ended: &Ended) -> Option<Cause> {
    let has_limit = container
        .spec
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.as_ref())
        .is_some_and(|limits| limits.contains_key("memory"));
    Some(match ended.reason.as_str() {
        "OOMKilled" if has_limit => Cause::new("OOMKilled", say("exit.oom.short"), say("exit.oom")),
        "OOMKilled" => Cause::new("OOMKilled", say("exit.oom.short"), say("exit.oom.no-limit")),
        "ContainerStatusUnknown" => Cause::new(
            "ContainerStatusUnknown",
            say("exit.status-unknown.short"),
            say("exit.status-unknown"),
        ),
        "StartError" | "ContainerCannotRun" => Cause::new(
            "StartError",
            say("exit.start-error.short"),
            start_error::diagnose(facts, &ended.message).cause,
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
    if killed("FailedPostStartHook") || container.waiting_reason() == Some("PostStartHookError") {
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
    let with_pod = |topic: &str| Some(Cause::new(topic, say("exit.with-pod.short"), say("exit.with-pod")));
    match facts.status()?.reason.as_deref().unwrap_or_default() {
        "DeadlineExceeded" => Some(Cause::new(
            "DeadlineExceeded",
            say("exit.deadline.short"),
            say("exit.deadline"),
        )),
        "Evicted" => with_pod("Evicted"),
        "Preempting" => with_pod("DisruptionTarget"),
        "Terminated" | "Shutdown" | "NodeShutdown" => Some(Cause::new(
            "NodeShutdown",
            say("exit.shutdown.short"),
            say("exit.shutdown"),
        )),
        _ if facts.true_condition("DisruptionTarget").is_some() => with_pod("DisruptionTarget"),
        _ => None,
    }
}

/// A program that could not be executed after all: the runtime, or a shell, writes that where the program would write.
fn by_last_words(facts: &Facts, ended: &Ended) -> Option<Cause> {
    let line = ended.message.lines().rev().find(|line| !line.trim().is_empty())?;
    let is_told = matches!(ended.exit_code, 1 | 126 | 127 | 255) && line.to_lowercase().contains("exec format error");
    is_told.then(|| {
        Cause::new(
            ended.exit_code.to_string(),
            say("exit.error.short"),
            start_error::diagnose(facts, line).cause,
        )
    })
}

/// The name of a signal that ends a process (`signal(7)`).
fn signal(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

fn by_code(code: i32) -> Cause {
    let long = match code {
        1 => say("exit.1"),
        2 => say("exit.2"),
        126 => say("exit.126"),
        127 => say("exit.127"),
        128 => say("exit.128"),
        130 => say("exit.130"),
        132 => say("exit.132"),
        134 => say("exit.134"),
        135 => say("exit.135"),
        136 => say("exit.136"),
        137 => say("exit.137"),
        139 => say("exit.139"),
        141 => say("exit.141"),
        143 => say("exit.143"),
        159 => say("exit.159"),
        255 => say("exit.255"),
        129..=192 => say("exit.signal").with(
            "signal",
            signal(code - 128).map_or_else(|| (code - 128).to_string(), ToOwned::to_owned),
        ),
        _ => say("exit.other"),
    };
    let short = match code {
        137 => say("exit.137.short"),
        139 => say("exit.139.short"),
        127 => say("exit.127.short"),
        126 => say("exit.126.short"),
        143 => say("exit.143.short"),
        129..=192 => signal(code - 128).map_or_else(|| say("exit.error.short"), Message::from),
        _ => say("exit.error.short"),
    };
    Cause::new(code.to_string(), short, long)
}

impl Cause {
    /// Whether it says no more than that the program chose its exit code.
    pub fn is_generic(&self) -> bool {
        matches!(
            self.long,
            Message::Sentence {
                key: "exit.1" | "exit.2" | "exit.other",
                ..
            }
        )
    }
}
