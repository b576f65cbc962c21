//! Containers that ended badly: what an exit code means, and what it does not.

use k8s_openapi::jiff::SignedDuration;

use super::{Finding, Severity, event, logs};
use crate::pod::Facts;
use crate::pod::container::{Container, Ended, Role, State};
use crate::pod::event::Event;

/// A pod that has been well for so long is not ill for what happened before.
const OLD: SignedDuration = SignedDuration::from_hours(24);

/// Finds how a container ended, or its previous instance.
pub(super) fn rule(facts: &Facts, container: &Container, events: &[Event]) -> Option<Finding> {
    let (ended, is_previous) = match (&container.state, &container.last) {
        (State::Ended(ended), _) => (ended, false),
        (_, Some(last)) => (last, true),
        _ => return None,
    };
    if ended.exit_code == 0 {
        return None;
    }
    let is_old = ended
        .finished
        .is_some_and(|finished| facts.now.duration_since(finished) > OLD);
    if is_previous && is_old && matches!(container.state, State::Running { .. }) {
        return None;
    }
    // It is killed in the pod's own end: how the rest ended tells the story.
    if facts.termination.is_some() || is_stopped_sidecar(facts, container) {
        return None;
    }
    let name = container.name.as_str();
    let severity = match (&container.state, is_previous) {
        (State::Running { .. }, true) => Severity::Warning,
        _ => Severity::Error,
    };
    let (topic, cause) = cause(facts, container, ended, events);
    let when = if is_previous { "its previous instance" } else { "it" };
    let what = format!(
        "container {name}: {when} ended with exit code {}: {}",
        ended.exit_code,
        short(&topic)
    );
    let list = container.field_path().replacen("spec.", "status.", 1);
    let place = format!("{list}.{}.terminated", if is_previous { "lastState" } else { "state" });
    let mut finding = Finding::new(severity, topic.as_str(), what)
        .about(name)
        .seen(
            place,
            format!("{} (exit code {}) {}", ended.reason, ended.exit_code, ended.message)
                .trim()
                .to_owned(),
        )
        .because(cause);
    if matches!(topic.as_str(), "livenessProbe" | "startupProbe") {
        finding = finding.told_by(event(events, "Killing", Some(name)));
    }
    if topic == "OOMKilled" {
        let limit = container
            .spec
            .resources
            .as_ref()
            .and_then(|resources| resources.limits.as_ref())
            .and_then(|limits| limits.get("memory"));
        finding = finding
            .seen(
                "resources.limits.memory",
                limit.map_or_else(|| "none".to_owned(), |limit| limit.0.clone()),
            )
            .then("raise the memory limit, or find out what uses the memory");
    }
    Some(finding.then(logs(facts, name, is_previous)))
}

fn is_stopped_sidecar(facts: &Facts, container: &Container) -> bool {
    container.role == Role::Sidecar && facts.is_over()
}

fn short(topic: &str) -> &str {
    match topic {
        "OOMKilled" => "out of memory",
        "livenessProbe" => "killed for failing its liveness probe",
        "startupProbe" => "killed for failing its startup probe",
        "FailedPostStartHook" => "killed for failing its postStart hook",
        "ContainerStatusUnknown" => "how is not known",
        "StartError" => "it could not be started",
        "DisruptionTarget" => "stopped because the pod was disrupted",
        "DeadlineExceeded" => "stopped because the pod ran out of time",
        _ => "an error",
    }
}

/// The topic and the cause of an exit code. 137 is a question, not an answer: the order of these questions matters.
fn cause(facts: &Facts, container: &Container, ended: &Ended, events: &[Event]) -> (String, String) {
    let say = |topic: &str, cause: &str| (topic.to_owned(), cause.to_owned());
    let killed = |words: &str| {
        events.iter().any(|event| {
            event.reason == "Killing"
                && event.container() == Some(container.name.as_str())
                && event.message.contains(words)
        })
    };
    match ended.reason.as_str() {
        "OOMKilled" => {
            return say(
                "OOMKilled",
                "it used more memory than its limit allows, and the kernel killed it",
            );
        }
        "ContainerStatusUnknown" => {
            return say(
                "ContainerStatusUnknown",
                "the kubelet lost sight of it and made the exit code up: 137 here is no signal",
            );
        }
        "StartError" | "ContainerCannotRun" => {
            return say(
                "StartError",
                "the runtime could not start it: most often its command is not in the image",
            );
        }
        "DeadlineExceeded" => return say("DeadlineExceeded", "the pod ran longer than its activeDeadlineSeconds"),
        _ => {}
    }
    if ended.exit_code == 137 || ended.exit_code == 143 {
        if killed("failed liveness probe") {
            return say(
                "livenessProbe",
                "its liveness probe failed too often, and the kubelet restarted it",
            );
        }
        if killed("failed startup probe") {
            return say(
                "startupProbe",
                "it had not started when its startup probe gave up, and the kubelet restarted it",
            );
        }
        if killed("FailedPostStartHook") {
            return say(
                "FailedPostStartHook",
                "its postStart hook failed, and the kubelet killed it for that",
            );
        }
        if facts
            .condition("DisruptionTarget")
            .is_some_and(crate::pod::condition::Condition::is_true)
        {
            return say("DisruptionTarget", "the pod was evicted, preempted or drained");
        }
        if facts.status().and_then(|status| status.reason.as_deref()) == Some("DeadlineExceeded") {
            return say("DeadlineExceeded", "the pod ran longer than its activeDeadlineSeconds");
        }
        if ended.exit_code == 137 {
            return say(
                "137",
                "it was killed with SIGKILL, and nothing says by whom; a child process may have been killed for its memory",
            );
        }
        return say("143", "it was asked to end with SIGTERM, and did not handle the signal");
    }
    let cause = match ended.exit_code {
        1 => "the application ended with an error of its own: its output tells more",
        2 => "the shell found a mistake in its command, or a Go program panicked",
        126 => "its command was found and cannot be executed",
        127 => "its command was not found in the image",
        128 => "it could not be started",
        130 => "it was interrupted (SIGINT)",
        134 => "it aborted itself (SIGABRT)",
        135 => "it touched memory that is not there (SIGBUS)",
        136 => "it made an arithmetic mistake (SIGFPE)",
        139 => "it touched memory that is not its own (SIGSEGV)",
        141 => "it wrote to a pipe that nobody reads (SIGPIPE)",
        255 => "it ended with -1, or its exit code got lost",
        _ => "the application chose this exit code: its output tells more",
    };
    (ended.exit_code.to_string(), cause.to_owned())
}
