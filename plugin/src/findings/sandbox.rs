//! A sandbox that cannot be created: the network, the runtime, or the pause image.

use k8s_openapi::jiff::SignedDuration;

use super::command::describe_node;
use super::message::{Message, say};
use super::{Finding, Severity, event};
use crate::pod::Facts;
use crate::pod::container::State;
use crate::pod::event::Event;

/// An event that is older says nothing of now: the kubelet tries again in less.
const RECENT: SignedDuration = SignedDuration::from_mins(5);

/// The network or the runtime refuses the sandbox, be it the first one or the next.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let told = ["FailedCreatePodSandBox", "NetworkNotReady", "FailedPodSandBoxStatus"]
        .iter()
        .find_map(|reason| event(events, reason, None))?;
    let runs = facts
        .containers
        .iter()
        .any(|container| matches!(container.state, State::Running { .. }));
    let is_recent = told.last.is_some_and(|last| facts.now.duration_since(last) < RECENT);
    if runs || !is_recent {
        return None;
    }
    // A sandbox that came after the event makes it history.
    let has_sandbox = ["PodReadyToStartContainers", "PodHasNetwork"]
        .iter()
        .filter_map(|kind| facts.condition(kind))
        .any(|condition| condition.is_true() && condition.since >= told.last);
    if has_sandbox {
        return None;
    }
    Some(
        Finding::new(Severity::Error, told.reason.as_str(), say("creation.sandbox"))
            .told_by(Some(told))
            .because(sandbox_cause(&told.message))
            .maybe_run(describe_node(facts))
            .then(say("creation.sandbox.next")),
    )
}

fn sandbox_cause(message: &str) -> Message {
    let lower = message.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| lower.contains(word));
    if says(&[
        "no ip addresses",
        "no available ip",
        "failed to allocate for range",
        "ip exhausted",
        "insufficient ip",
        "failed to assign an ip address",
        "no more ips",
        "not enough ips",
        "no free ip",
        "range is full",
    ]) {
        say("creation.no-address")
    } else if says(&["user namespace"]) {
        say("creation.user-namespace")
    } else if says(&["runtime handler", "no runtime for"]) {
        say("creation.runtime-class")
    } else if says(&["pause", "sandbox image", "infra container image"]) && says(&["pull", "not found", "image"]) {
        say("creation.pause-image")
    } else if says(&[
        "cni",
        "network plugin",
        "networkplugin",
        "setup network",
        "networkready=false",
        "network is not ready",
    ]) {
        say("creation.network-plugin")
    } else if says(&["is reserved for"]) {
        say("start.name-taken")
    } else if says(&["deadline exceeded"]) {
        say("start.deadline")
    } else if says(&["cgroup"]) {
        say("creation.cgroup")
    } else if says(&["no space left on device"]) {
        say("pull.no-space")
    } else if says(&["apparmor", "seccomp"]) {
        say("start.profile")
    } else {
        say("creation.sandbox.cause")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandboxs_trouble_is_told_apart() {
        for (message, key) in [
            (
                "plugin type=\"calico\" failed (add): no IP addresses available in range set",
                "creation.no-address",
            ),
            (
                "failed to get sandbox runtime: no runtime for \"kata\" is configured",
                "creation.runtime-class",
            ),
            (
                "runtime handler \"kata\" does not support user namespaces",
                "creation.user-namespace",
            ),
            (
                "a user namespace for the pod (hostUsers: false) needs root",
                "creation.user-namespace",
            ),
            (
                "failed to get sandbox image \"registry.k8s.io/pause:3.10\": failed to pull image",
                "creation.pause-image",
            ),
            (
                "network is not ready: container runtime network not ready: cni plugin not initialized",
                "creation.network-plugin",
            ),
            (
                "failed to setup network for sandbox: plugin type=\"aws-cni\" failed (add): add cmd: failed to assign an IP \
                 address to container",
                "creation.no-address",
            ),
            (
                "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
                "start.deadline",
            ),
            ("something else", "creation.sandbox.cause"),
        ] {
            assert_eq!(sandbox_cause(message), say(key), "{message}");
        }
    }
}
