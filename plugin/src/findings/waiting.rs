//! Containers that wait for something which does not come by itself.

use super::command::{here, logs};
use super::ended;
use super::exit;
use super::image;
use super::message::{Message, meaning, remedy, say};
use super::start_error;
use super::{Finding, Severity, event};
use crate::pod::container::{Container, Role, State};
use crate::pod::event::Event;
use crate::pod::{Facts, age};

/// Finds why a container waits.
pub(super) fn rule(facts: &Facts, container: &Container, events: &[Event]) -> Option<Finding> {
    let State::Waiting { reason, message } = &container.state else {
        return None;
    };
    // The pod's creation as a whole has rules of its own.
    if matches!(reason.as_str(), "" | "ContainerCreating" | "PodInitializing") {
        return None;
    }
    let name = container.name.as_str();
    let severity = match container.role {
        Role::Ephemeral => Severity::Note,
        _ => Severity::Error,
    };
    let quote = if message.is_empty() {
        reason.clone()
    } else {
        format!("{reason}: {message}")
    };
    let found = |what: Message| {
        Finding::new(severity, reason.as_str(), what.with("container", name))
            .about(name)
            .seen(format!("{}.state.waiting", container.status_path()), quote.clone())
    };
    let failed = event(events, "Failed", Some(name)).filter(|event| says_more(event, message));
    let image = container.spec.image.clone().unwrap_or_default();
    Some(match reason.as_str() {
        "CrashLoopBackOff" => crash_loop(facts, container, events, found),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "SignatureValidationFailed" => {
            match image::of_volume(facts, container, message) {
                Some((volume, image)) => {
                    let what = say("waiting.pull-volume").with("volume", volume).with("image", image);
                    image::finding(facts, container, events, message, image, found(what))
                }
                None => {
                    let what = say("waiting.pull").with("image", image.clone());
                    image::finding(facts, container, events, message, &image, found(what))
                }
            }
        }
        "ErrImageNeverPull" => found(say("waiting.never-pull").with("image", image))
            .because(say("waiting.never-pull.cause"))
            .then(say("waiting.never-pull.next")),
        "InvalidImageName" => found(say("waiting.image-name").with("image", image))
            .because(say("waiting.image-name.cause"))
            .then(say("pull.set-image").with("path", format!("{}.image", container.spec_path()))),
        "ImageInspectError" if image::cause(message) == say("pull.short-name") => {
            let what = say("waiting.pull").with("image", image.clone());
            image::finding(facts, container, events, message, &image, found(what))
        }
        "CreateContainerConfigError" => {
            let finding = found(say("waiting.config")).told_by(failed);
            match start_error::path_on_node(facts, message) {
                Some(diagnosis) => finding.diagnosed(facts, Some(container), diagnosis),
                None => finding
                    .because(config_cause(message))
                    .advised(config_advice(message))
                    .run(here(facts, &config_command(facts, message))),
            }
        }
        "CreateContainerError" | "RunContainerError" | "StartError" => {
            // An older kubelet's message is the reason alone: the event has the words.
            let words = failed.map_or(message.as_str(), |event| event.message.as_str());
            let words = if message.is_empty() { words } else { message };
            found(say("waiting.start")).told_by(failed).diagnosed(
                facts,
                Some(container),
                start_error::diagnose(facts, words),
            )
        }
        "PostStartHookError" => found(say("waiting.post-start"))
            .told_by(event(events, "FailedPostStartHook", Some(name)))
            .because(say("exit.post-start"))
            .run(logs(facts, name, true)),
        other => {
            let finding = found(say("waiting.other").with("reason", other))
                .told_by(failed)
                .because(meaning(other).unwrap_or_else(|| say("waiting.other.cause")));
            let finding = match remedy(other) {
                Some(remedy) => finding.then(remedy),
                None => finding,
            };
            finding.run(here(facts, &["describe", "pod", &facts.name]))
        }
    })
}

/// Whether an event has not been told by the waiting message already.
pub(super) fn says_more(event: &Event, message: &str) -> bool {
    !message.contains(&event.message) && (message.is_empty() || !event.message.contains(message))
}

fn crash_loop(facts: &Facts, container: &Container, events: &[Event], found: impl Fn(Message) -> Finding) -> Finding {
    let name = container.name.as_str();
    let what = match &container.next_restart {
        Some(next) => say("waiting.crash-loop-delay").with("delay", age::human(next.delay)),
        None => say("waiting.crash-loop"),
    };
    let finding = found(what);
    let finding = match &container.last {
        None => finding
            .because(say("waiting.crash-loop.no-record"))
            .run(logs(facts, name, true)),
        Some(last) => {
            let cause = exit::cause(facts, container, last, events);
            let finding = finding.ending(container, last, true);
            if last.exit_code == 0 && last.signal.is_none() && !cause.is_restart_by_kubelet() {
                finding.ended_well(facts, container, last).run(logs(facts, name, true))
            } else if cause.topic == "StartError" {
                finding
                    .because(say("waiting.crash-loop.start"))
                    .explained(facts, container, last, &cause, true, events)
            } else {
                finding
                    .because(
                        say("waiting.crash-loop.cause")
                            .with("code", last.exit_code.to_string())
                            .with("short", ended::in_short(&cause, last)),
                    )
                    .explained(facts, container, last, &cause, true, events)
            }
        }
    };
    let finding = finding.seen(
        format!("{}.restartCount", container.status_path()),
        container.restarts().to_string(),
    );
    let is_initialized = facts.true_condition("Initialized").is_some();
    if matches!(container.role, Role::Init | Role::Sidecar) && !is_initialized {
        finding.because(say("waiting.holds-up"))
    } else {
        finding
    }
}

/// Which kind of object a message is about, by its own words and not by the object's name, which may be anything.
fn kind_of(message: &str) -> Option<(&'static str, &'static str)> {
    let lower = message.to_lowercase();
    let kinds = [("secret", "Secret"), ("configmap", "ConfigMap")];
    let by_place = kinds.into_iter().filter_map(|kind| {
        let place = [
            format!("{} \"", kind.0),
            format!(" in {} ", kind.0),
            format!("{} cache", kind.0),
        ]
        .iter()
        .filter_map(|words| lower.find(words))
        .min()?;
        Some((place, kind))
    });
    by_place.min_by_key(|(place, _)| *place).map(|(_, kind)| kind)
}

fn config_cause(message: &str) -> Message {
    let quoted: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    let lower = message.to_lowercase();
    let kind = kind_of(message).map_or("ConfigMap", |(_, kind)| kind);
    if lower.contains("couldn't find key") || lower.contains("non-existent config key") {
        let key = message
            .split_once("key ")
            .map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default())
            .unwrap_or_default();
        say("waiting.config.key")
            .with("kind", kind)
            .with("key", key.trim_matches('"'))
    } else if lower.contains("not found") && !quoted.is_empty() {
        say("waiting.config.missing")
            .with("kind", kind)
            .with("name", quoted.first().copied().unwrap_or_default())
    } else if is_about_root(&lower) {
        say("waiting.config.root")
    } else if lower.contains("cannot find volume") {
        say("waiting.config.volume")
    } else if lower.contains("environment variable key") || lower.contains("env file") {
        say("waiting.config.env-file")
    } else if lower.contains("fieldpath") || lower.contains("resourcefieldref") || lower.contains("host ip unknown") {
        say("waiting.config.field")
    } else if lower.contains("subpath") {
        say("waiting.config.sub-path")
    } else if lower.contains("services have not yet been read") {
        say("waiting.config.services")
    } else if lower.contains("timed out") || lower.contains("failed to sync") {
        say("waiting.config.sync")
    } else {
        say("waiting.config.other")
    }
}

fn is_about_root(lower: &str) -> bool {
    ["runasnonroot", "non-numeric user", "run as root", "non-root"]
        .into_iter()
        .any(|words| lower.contains(words))
}

fn config_advice(message: &str) -> Option<Message> {
    is_about_root(&message.to_lowercase()).then(|| say("waiting.config.root.next"))
}

/// What shows the object that a container lacks: those of its kind, or the keys that it has. Of a Secret, neither shows
/// values. Where no object is lacking, it shows what the pod asks for.
fn config_command<'a>(facts: &'a Facts, message: &'a str) -> Vec<&'a str> {
    let lower = message.to_lowercase();
    if is_about_root(&lower) {
        return vec![
            "get",
            "pod",
            &facts.name,
            "-o",
            "jsonpath={.spec.securityContext} {.spec.containers[*].securityContext}",
        ];
    }
    let (one, all) = match kind_of(message) {
        Some(("secret", _)) => ("secret", "secrets"),
        Some(_) => ("configmap", "configmaps"),
        None => return vec!["describe", "pod", &facts.name],
    };
    let named = message.rsplit_once('/').map(|(_, name)| name.trim());
    match named.filter(|name| lower.contains("find key") && !name.is_empty() && !name.contains(' ')) {
        Some(name) => vec!["describe", one, name],
        None => vec!["get", all],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_lacks_is_named() {
        let told = |message: &str| config_cause(message).to_string();
        assert!(told("configmap \"settings\" not found").contains("ConfigMap settings"));
        assert!(told("secret \"token\" not found").contains("Secret token"));
        assert!(told("couldn't find key password in Secret prod/db").contains("key password"));
        let facts = Facts::of(
            k8s_openapi::api::core::v1::Pod::default(),
            k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
        );
        let config_command = |message| config_command(&facts, message);
        assert_eq!(
            config_command("configmap \"settings\" not found"),
            ["get", "configmaps"]
        );
        assert_eq!(
            config_command("couldn't find key password in Secret prod/db"),
            ["describe", "secret", "db"]
        );
        assert_eq!(config_command("cannot find it"), ["describe", "pod", ""]);
        assert!(told("configmap \"secret-settings\" not found").contains("ConfigMap secret-settings"));
        assert!(told("couldn't find key secret.yaml in ConfigMap shop/app-secret").contains("the ConfigMap lacks"));
        assert_eq!(
            config_command("couldn't find key secret.yaml in ConfigMap shop/app-secret"),
            ["describe", "configmap", "app-secret"]
        );
        assert!(told("container's runAsUser breaks non-root policy").contains("root"));
        assert_eq!(
            config_cause("failed to sync secret cache: timed out waiting for the condition"),
            say("waiting.config.sync")
        );
        assert!(told("container has runAsNonRoot and image will run as root").contains("root"));
    }
}
