//! Containers that wait for something which does not come by itself.

use super::{Finding, Severity, event, logs};
use crate::pod::container::{Container, State};
use crate::pod::event::Event;
use crate::pod::{Facts, age};

/// Finds why a container waits.
pub(super) fn rule(facts: &Facts, container: &Container, events: &[Event]) -> Option<Finding> {
    let State::Waiting { reason, message } = &container.state else {
        return None;
    };
    let name = container.name.as_str();
    let place = format!(
        "{}.state.waiting",
        container.field_path().replacen("spec.", "status.", 1)
    );
    let image = container.spec.image.as_deref().unwrap_or_default();
    let found = |what: String| {
        Finding::new(Severity::Error, reason.as_str(), what).about(name).seen(
            place.clone(),
            if message.is_empty() {
                reason.clone()
            } else {
                format!("{reason}: {message}")
            },
        )
    };
    let failed = event(events, "Failed", Some(name)).filter(|event| !message.contains(&event.message));
    Some(match reason.as_str() {
        "" | "ContainerCreating" | "PodInitializing" => return stuck(facts, container, events),
        "CrashLoopBackOff" => {
            let next = container
                .next_restart
                .as_ref()
                .map(|next| format!("; it waits {} now", age::human(next.delay)));
            found(format!(
                "container {name} ends again and again{}",
                next.unwrap_or_default()
            ))
            .because(crash_cause(container))
            .then(logs(facts, name, true))
        }
        "ErrImagePull" | "ImagePullBackOff" => {
            found(format!("the image of container {name} cannot be pulled: {image}"))
                .told_by(failed)
                .because(pull_cause(message, events, name))
                .then(format!(
                    "check the name and tag of {image}, and that the node can reach its registry"
                ))
                .then(format!(
                    "kubectl get pod {} -n {} -o jsonpath='{{.spec.imagePullSecrets}}'",
                    facts.name, facts.namespace
                ))
        }
        "ErrImageNeverPull" => found(format!(
            "the image of container {name} is not on the node, and may not be pulled: {image}"
        ))
        .because("imagePullPolicy is Never, and nobody has put the image there")
        .then("load the image onto the node, or set imagePullPolicy: IfNotPresent"),
        "InvalidImageName" => found(format!("the image name of container {name} cannot be read: {image:?}"))
            .because("an image is [REGISTRY/]PATH[:TAG][@DIGEST], its path in lower case")
            .then(format!(
                "kubectl set image pod/{} -n {} {name}=IMAGE",
                facts.name, facts.namespace
            )),
        "CreateContainerConfigError" => found(format!("container {name} cannot be put together"))
            .told_by(failed)
            .because(config_cause(message))
            .then(format!("kubectl get configmaps,secrets -n {}", facts.namespace)),
        "CreateContainerError" | "RunContainerError" | "StartError" => {
            found(format!("container {name} cannot be started"))
                .because(
                    "the runtime refuses it: most often the command does not exist in the image, or cannot be executed",
                )
                .then(format!(
                    "check command, args, workingDir and mounts of container {name} against what {image} holds"
                ))
        }
        "PostStartHookError" => found(format!("the postStart hook of container {name} fails"))
            .told_by(event(events, "FailedPostStartHook", Some(name)))
            .because("a failing postStart hook kills its container")
            .then(logs(facts, name, true)),
        other => found(format!("container {name} waits: {other}"))
            .because("the kubelet says no more than this")
            .then(format!("kubectl pod explain {other}")),
    })
}

/// A container that is being created, while an event tells of trouble with its sandbox.
fn stuck(facts: &Facts, container: &Container, events: &[Event]) -> Option<Finding> {
    let sandbox = event(events, "FailedCreatePodSandBox", None).or_else(|| event(events, "NetworkNotReady", None))?;
    // Told once, at the container that would start first.
    let is_first = facts
        .containers
        .first()
        .is_some_and(|first| first.name == container.name);
    let is_recent = sandbox
        .last
        .is_some_and(|last| facts.now.duration_since(last).as_secs() < 300);
    (is_first && is_recent).then(|| {
        Finding::new(
            Severity::Error,
            sandbox.reason.as_str(),
            "the pod's sandbox cannot be created",
        )
        .told_by(Some(sandbox))
        .because("the network plugin or the container runtime on the node refuses: no container starts before it")
        .then(format!(
            "kubectl describe node {}",
            facts.spec().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
        ))
    })
}

fn crash_cause(container: &Container) -> String {
    match &container.last {
        None => "the record of how it ended is gone".to_owned(),
        Some(last) if last.exit_code == 0 => {
            "it ends well, with exit code 0, and the restart policy starts it again: is it meant to run for ever?"
                .to_owned()
        }
        Some(last) => format!("its last run ended with exit code {} ({})", last.exit_code, last.reason),
    }
}

fn pull_cause(message: &str, events: &[Event], name: &str) -> String {
    let all = events
        .iter()
        .filter(|event| event.container() == Some(name))
        .map(|event| event.message.as_str())
        .chain([message])
        .collect::<Vec<_>>()
        .join("\n")
        .to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| all.contains(word));
    if says(&["unauthorized", "authentication required", "denied", "forbidden"]) {
        "the registry refuses: the image is private and the pull secret is missing or wrong, or there is no such image"
    } else if says(&["not found", "manifest unknown", "does not exist"]) {
        "the registry has no such image or tag"
    } else if says(&[
        "no such host",
        "timeout",
        "connection refused",
        "unreachable",
        "network",
    ]) {
        "the registry cannot be reached from the node"
    } else if says(&["toomanyrequests", "rate limit"]) {
        "the registry limits how often it is asked"
    } else if says(&["x509", "certificate"]) {
        "the node does not trust the registry's certificate"
    } else {
        "the registry did not hand it out"
    }
    .to_owned()
}

fn config_cause(message: &str) -> String {
    let quoted = message.split('"').nth(1).unwrap_or_default();
    if message.contains("not found") && !quoted.is_empty() {
        let kind = message.split_whitespace().next().unwrap_or_default();
        format!("the {kind} {quoted:?} that its environment refers to does not exist in this namespace")
    } else if message.contains("couldn't find key") {
        "a ConfigMap or Secret lacks the key that its environment refers to".to_owned()
    } else if message.contains("runAsNonRoot") {
        "runAsNonRoot is set, and the image runs as root, or as a user whose number is not known".to_owned()
    } else {
        "something that its environment or security context refers to is missing".to_owned()
    }
}
