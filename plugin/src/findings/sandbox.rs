//! A sandbox that cannot be created: the network, the runtime, or the pause image.

use super::diagnosis::{Diagnosis, Place};
use super::image;
use super::message::{Message, say};
use super::node_error;
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::container::State;
use crate::pod::event::Event;

/// The reasons of events about the sandbox, and about the cgroup that it is put into.
const REASONS: [&str; 4] = [
    "FailedCreatePodSandBox",
    "FailedCreatePodContainer",
    "NetworkNotReady",
    "FailedPodSandBoxStatus",
];
/// What happens only once there is a sandbox.
const LATER: [&str; 4] = ["Pulling", "Pulled", "Created", "Started"];

/// The network or the runtime does not create the sandbox, be it the first one or the next. The event holds for as long as
/// nothing newer contradicts it: after 25 of them the kubelet's client sends one in five minutes.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Option<Finding> {
    let told = events.iter().rfind(|event| REASONS.contains(&event.reason.as_str()))?;
    let runs = facts
        .containers
        .iter()
        .any(|container| matches!(container.state, State::Running { .. }));
    let is_over = events
        .iter()
        .any(|event| LATER.contains(&event.reason.as_str()) && event.last > told.last);
    // A sandbox that came after the event makes it history.
    let has_sandbox = ["PodReadyToStartContainers", "PodHasNetwork"]
        .iter()
        .filter_map(|kind| facts.condition(kind))
        .any(|condition| condition.is_true() && condition.since >= told.last);
    if runs || is_over || has_sandbox {
        return None;
    }
    let what = if told.reason == "FailedCreatePodContainer" {
        say("creation.pod-cgroup")
    } else {
        say("creation.sandbox")
    };
    let diagnosis = diagnose(&told.message);
    // The same words as of any other image say why it cannot be pulled.
    let is_pull = diagnosis.cause == say("creation.pause-image");
    let why = Some(image::cause(&told.message)).filter(|why| is_pull && *why != say("pull.other"));
    let finding = Finding::new(Severity::Error, told.reason.as_str(), what)
        .told_at(facts, Some(told))
        .diagnosed(facts, None, diagnosis);
    Some(match why {
        Some(why) => finding.because(why),
        None => finding,
    })
}

/// What the runtime's and the network plugin's words mean.
pub(super) fn diagnose(message: &str) -> Diagnosis {
    of_runtime(message)
        .or_else(|| of_network(message))
        .or_else(|| node_error::diagnose(message))
        .or_else(|| node_error::cgroup(message))
        .or_else(|| of_profile(message))
        .unwrap_or_else(|| Diagnosis::new(Place::Node, say("creation.sandbox.cause")))
}

/// What the runtime lacks: the handler, a feature, the image of the infra container.
fn of_runtime(message: &str) -> Option<Diagnosis> {
    let lower = message.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| lower.contains(word));
    let of_node = |cause: Message| Some(Diagnosis::new(Place::Node, cause));
    match () {
        () if says(&["cannot start a stopped process"]) => of_node(say("creation.pause-ended")),
        () if says(&["user namespace"]) => of_node(say("creation.user-namespace")),
        () if says(&["runtimeclass"]) && says(&["not found"]) => {
            of_node(say("creation.no-runtime-class")).map(|it| it.advise(say("creation.no-runtime-class.next")))
        }
        () if says(&["runtime handler", "no runtime for"]) => {
            of_node(say("creation.runtime-class")).map(|it| it.advise(say("creation.runtime-class.next")))
        }
        () if says(&["pause", "sandbox image", "infra container image"])
            && says(&["pull", "image \"", "not found", "get image"]) =>
        {
            of_node(say("creation.pause-image"))
        }
        () => None,
    }
}

/// What the network plugin says (CNI's own plugins, Calico, Cilium, Flannel, Multus, those of the clouds).
fn of_network(message: &str) -> Option<Diagnosis> {
    let lower = message.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| lower.contains(word));
    let is_about_network = says(&[
        "cni",
        "network plugin",
        "networkplugin",
        "network for sandbox",
        "setup network",
        "networkready=false",
        "network is not ready",
        "network for pod",
        "plugin type=",
        "network namespace",
        "netns",
    ]);
    let found = |cause: Message| Some(Diagnosis::new(Place::Network, cause));
    let is_out_of_addresses = says(&[
        "no ip addresses available",
        "no available ip",
        "failed to allocate for range",
        "ip exhausted",
        "insufficient ip",
        "insufficientfreeaddresses",
        "insufficientcidrblocks",
        "failed to assign an ip address",
        "no more ips",
        "not enough ips",
        "no free ip",
        "range is full",
        "ip pools",
        "no addresses available",
        "no available addresses",
        "could not allocate ip",
        "pool exhausted",
    ]);
    match () {
        () if says(&["insufficientfreeaddresses", "insufficientcidrblocks"]) => {
            found(say("creation.no-address-in-subnet"))
        }
        () if is_out_of_addresses => found(say("creation.no-address")),
        () if !is_about_network => None,
        () if says(&["network-attachment-definition"]) && says(&["not found", "cannot find"]) => Some(Diagnosis::new(
            Place::Pod,
            say("creation.no-network-definition").with(
                "name",
                message
                    .split('"')
                    .nth(quoted_before(message, "not found"))
                    .unwrap_or_default(),
            ),
        )),
        () if says(&["unauthorized", "forbidden"]) => found(plugin(message, "creation.plugin-unauthorized")),
        () if says(&["already has an ip address different from"]) => found(say("creation.bridge-address")),
        () if says(&[
            "unable to connect to cilium",
            "cilium api client timeout",
            "cilium.sock",
        ]) =>
        {
            found(say("creation.plugin-down").with("plugin", "cilium"))
        }
        () if says(&["subnet.env", "/var/lib/calico/nodename", "nodename: no such file"]) => {
            found(plugin(message, "creation.plugin-down"))
        }
        () if says(&[
            "connection refused",
            "connect: no such file",
            "error while dialing",
            "error dialing",
        ]) && !says(&["containerd.sock", "crio.sock"]) =>
        {
            found(plugin(message, "creation.plugin-down"))
        }
        () if says(&[
            "no networks found",
            "cni config uninitialized",
            "cni plugin not initialized",
            "no valid networks",
        ]) =>
        {
            found(say("creation.no-network-config"))
        }
        () if says(&["failed to find plugin"]) => found(say("creation.no-plugin")),
        () if says(&["netns", "network namespace", "/proc/", "namespace path"])
            && says(&["no such file", "unknown fs_magic", "failed to statfs", "not exist"]) =>
        {
            Some(Diagnosis::new(Place::Node, say("creation.namespace-gone")))
        }
        // What runs out on the node is no matter of the plugin that meets it.
        () if node_error::diagnose(message).is_some() => None,
        () => found(say("creation.network-plugin")),
    }
}

/// The place among the parts between quotes of the last one before some words.
fn quoted_before(message: &str, words: &str) -> usize {
    let before = message.split(words).next().unwrap_or_default();
    before.matches('"').count().saturating_sub(1)
}

/// A sentence about the plugin that the message names: `plugin type="calico"`.
fn plugin(message: &str, key: &'static str) -> Message {
    let named = message
        .split_once("plugin type=\"")
        .and_then(|(_, rest)| rest.split('"').next());
    let known = [
        "calico",
        "cilium",
        "flannel",
        "weave",
        "multus",
        "aws-cni",
        "antrea",
        "kube-router",
    ]
    .into_iter()
    .find(|name| message.to_lowercase().contains(name));
    Message::Sentence {
        key,
        values: vec![("plugin", named.or(known).unwrap_or("CNI").into())],
    }
}

fn of_profile(message: &str) -> Option<Diagnosis> {
    let lower = message.to_lowercase();
    let is_about_profile = ["apparmor", "seccomp"].iter().any(|word| lower.contains(word));
    is_about_profile.then(|| Diagnosis::new(Place::Node, say("start.profile")))
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
                "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady \
                 message:Network plugin returns error: cni plugin not initialized",
                "creation.no-network-config",
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
            (
                "plugin type=\"aws-cni\" failed (add): InsufficientFreeAddressesInSubnet: The specified subnet does not have enough \
                 free addresses to satisfy the request.",
                "creation.no-address-in-subnet",
            ),
            (
                "plugin type=\"multus\" failed (add): cannot find a network-attachment-definition (vlan-120): \
                 network-attachment-definitions.k8s.cni.cncf.io \"vlan-120\" not found",
                "creation.no-network-definition",
            ),
            (
                "failed to setup network for sandbox \"1\": plugin type=\"calico\" failed (add): error getting ClusterInformation: \
                 connection is unauthorized: Unauthorized",
                "creation.plugin-unauthorized",
            ),
            (
                "plugin type=\"cilium-cni\" failed (add): unable to connect to Cilium agent: failed to create cilium agent client \
                 after 30s timeout: Get \"http://localhost/v1/config\": dial unix /var/run/cilium/cilium.sock: connect: no such file",
                "creation.plugin-down",
            ),
            (
                "plugin type=\"flannel\" failed (add): loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file or \
                 directory",
                "creation.plugin-down",
            ),
            (
                "cni0\" already has an IP address different from 10.244.1.1/24: plugin type=\"bridge\" failed",
                "creation.bridge-address",
            ),
            (
                "failed to start shim: start failed: : fork/exec /usr/bin/containerd-shim-runc-v2: too many open files",
                "node-error.open-files",
            ),
            (
                "dial unix /run/containerd/containerd.sock: connect: connection refused",
                "node-error.runtime-down",
            ),
            (
                "failed to get sandbox runtime: runtimeclass.node.k8s.io \"gvisor\" not found",
                "creation.no-runtime-class",
            ),
            (
                "failed to ensure that the pod: 1 cgroups exist and are correctly applied: Unit kubepods-pod1.slice already exists.",
                "node-error.cgroup-exists",
            ),
            (
                "failed to find plugin \"loopback\" in path [/opt/cni/bin]: cni",
                "creation.no-plugin",
            ),
        ] {
            let Message::Sentence { key: found, .. } = diagnose(message).cause else {
                panic!("{message}");
            };
            assert_eq!(found, key, "{message}");
        }
    }
}
