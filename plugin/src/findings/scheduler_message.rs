//! The scheduler's message, taken apart: on how many nodes, and why (`pkg/scheduler/framework/types.go`, `FitError`).

use super::message::{Message, say};

/// Takes `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. preemption: …` apart:
/// on how many nodes, where it says so, and why.
pub(super) fn reasons(message: &str) -> Vec<(Option<u32>, String)> {
    let Some((_, rest)) = message.split_once("nodes are available:") else {
        let mut reason = of_plugin(message)
            .split(" (repeated ")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        // Before 1.21 the plugin says only that its time is over.
        let is_bare = reason.starts_with("timed out waiting") || reason == "context deadline exceeded";
        if is_bare && message.contains("VolumeBinding") {
            reason = format!("binding volumes: {reason}");
        }
        let is_known = !matches!(meaning(&reason), Message::Plain(_));
        return is_known.then_some((None, reason)).into_iter().collect();
    };
    // What would be gained by ending others is said apart, behind these words.
    let rest = ["no new claims to deallocate", "preemption:"]
        .iter()
        .fold(rest, |rest, words| rest.split(words).next().unwrap_or(rest));
    let mut found: Vec<(Option<u32>, String)> = Vec::new();
    // A status code of the API's, which the scheduler hangs onto the sentence before.
    for part in parts(rest).filter(|part| *part != "not found") {
        let (count, reason) = match part.split_once(' ') {
            Some((count, reason)) if count.parse::<u32>().is_ok() => (count.parse().ok(), reason),
            _ => (None, part),
        };
        match found.last_mut() {
            // Old schedulers: `had taint {k: v}, that the pod didn't tolerate`.
            Some((_, last)) if count.is_none() && reason.starts_with("that ") => {
                last.push_str(", ");
                last.push_str(reason);
            }
            _ => found.push((count, reason.to_owned())),
        }
    }
    found
}

/// What a plugin said: `running PreBind plugin "VolumeBinding": …`, and before 1.21 `error while running "VolumeBinding" filter
/// plugin for pod "web": …`.
fn of_plugin(message: &str) -> &str {
    let said = message
        .split_once(" plugin ")
        .filter(|(before, _)| before.contains("running "))
        .and_then(|(_, rest)| rest.split_once("\": "));
    said.map_or(message, |(_, said)| said)
}

/// The reasons between commas and full stops; a taint's braces and a resource's name may hold both.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let ends_sentence = |rest: &str| rest.starts_with(' ') || rest.is_empty();
    let mut cuts = Vec::new();
    for (place, character) in text.char_indices() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => cuts.push(place),
            '.' if depth == 0 && ends_sentence(&text[place + 1..]) => cuts.push(place),
            _ => {}
        }
    }
    cuts.push(text.len());
    let mut begin = 0;
    cuts.into_iter()
        .map(move |end| {
            let part = &text[begin.min(end)..end];
            begin = (end + 1).min(text.len());
            part.trim()
        })
        .filter(|part| !part.is_empty())
}

/// What a reason means for the pod.
pub(super) fn meaning(reason: &str) -> Message {
    let says = |words: &str| reason.contains(words);
    if let Some(resource) = reason.strip_prefix("Insufficient ") {
        return say("scheduling.insufficient").with("resource", resource);
    }
    if says("taint") {
        return taint(reason);
    }
    match () {
        () if says("Too many pods") => say("scheduling.too-many-pods"),
        () if says("node affinity/selector") || says("match node selector") || says("Pod's node affinity") => {
            say("scheduling.selector")
        }
        () if says("were unschedulable") => say("scheduling.cordoned"),
        () if says("existing pods anti-affinity") => say("scheduling.anti-affinity-of-others"),
        () if says("affinity/anti-affinity") => say("scheduling.pod-affinity"),
        () if says("anti-affinity") => say("scheduling.anti-affinity"),
        () if says("pod affinity") => say("scheduling.affinity"),
        () if says("topology spread") && says("missing required label") => say("scheduling.spread-label"),
        () if says("topology spread") => say("scheduling.spread"),
        () if says("free ports") => say("scheduling.ports"),
        () if says("volume node affinity")
            || says("PersistentVolume's node affinity")
            || says("no available volume zone") =>
        {
            say("scheduling.volume-zone")
        }
        () if says("persistent volumes to bind") => say("scheduling.no-volume"),
        () if says("ephemeral volume controller") => say("scheduling.claim-coming"),
        () if says("no available disk") => say("scheduling.volume-count"),
        () if says("provisioning failed for PVC") => {
            say("scheduling.provisioning-failed").with("name", reason.split('"').nth(1).unwrap_or_default())
        }
        () if says("binding volumes") && (says("deadline exceeded") || says("timed out")) => {
            say("scheduling.binding-slow")
        }
        () if says("binding volumes") => say("scheduling.binding-failed"),
        () if says("ReadWriteOncePod") => say("scheduling.one-pod"),
        () if says("unbound immediate") => say("scheduling.unbound"),
        () if says("non-existent pv") || says("non-existent persistentvolume") => say("scheduling.lost-volume"),
        () if says("could not find v1.PersistentVolume \"") => say("scheduling.lost-volume"),
        () if says("could not find v1.PersistentVolumeClaim") => {
            let name = reason
                .rsplit_once("PersistentVolumeClaim \"")
                .map_or("", |(_, rest)| rest);
            let name = name.split('"').next().unwrap_or_default();
            say("scheduling.no-claim").with("name", name.rsplit('/').next().unwrap_or(name))
        }
        () if says("persistentvolumeclaim") && says("is being deleted") => {
            say("scheduling.claim-going").with("name", reason.split('"').nth(1).unwrap_or_default())
        }
        () if says("StorageClass") && says("not found") => {
            let name = reason.split_once("StorageClass \"").map_or("", |(_, rest)| rest);
            say("scheduling.no-class").with("name", name.split('"').next().unwrap_or_default())
        }
        () if says("persistentvolumeclaim") && says("not found") => {
            say("scheduling.no-claim").with("name", reason.split('"').nth(1).unwrap_or_default())
        }
        () if says("free storage") => say("scheduling.storage"),
        () if says("max volume count") => say("scheduling.volume-count"),
        () if says("no nodes available") => say("scheduling.no-nodes"),
        () if says("match the requested node name") || says("node name") || says("requested hostname") => {
            say("scheduling.node-name")
        }
        () if says("DRA") || says("resourceclaim") || says("allocate all claims") => say("scheduling.claims"),
        () => Message::Plain(reason.to_owned()),
    }
}

/// What a taint says of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taint {
    /// The node is in trouble, or not set up yet: the taint goes when that is over, and is not to be tolerated.
    Trouble(&'static str),
    /// The node takes no new pods, as somebody asked.
    Cordon,
    /// The node is about to be removed.
    Leaving,
    /// The node is reserved for the control plane.
    ControlPlane,
    /// Somebody keeps the node for certain pods.
    Reserved,
}

/// The taints that Kubernetes, cloud controllers, autoscalers and drivers set themselves, by their keys.
pub(super) fn kind_of_taint(key: &str) -> Taint {
    match key {
        "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable" | "node.alpha.kubernetes.io/notReady" => {
            Taint::Trouble("scheduling.taint-not-ready")
        }
        "node.kubernetes.io/disk-pressure"
        | "node.kubernetes.io/memory-pressure"
        | "node.kubernetes.io/pid-pressure"
        | "node.kubernetes.io/out-of-disk" => Taint::Trouble("scheduling.taint-pressure"),
        "node.kubernetes.io/network-unavailable" => Taint::Trouble("scheduling.taint-network"),
        "node.cloudprovider.kubernetes.io/uninitialized" => Taint::Trouble("scheduling.taint-cloud"),
        "node.kubernetes.io/out-of-service" | "node.cloudprovider.kubernetes.io/shutdown" => {
            Taint::Trouble("scheduling.taint-shutdown")
        }
        "karpenter.sh/unregistered" => Taint::Trouble("scheduling.taint-starting"),
        _ if key.ends_with("agent-not-ready") || key.ends_with("not-ready") || key.contains("startup-taint") => {
            Taint::Trouble("scheduling.taint-starting")
        }
        "node.kubernetes.io/unschedulable" => Taint::Cordon,
        "ToBeDeletedByClusterAutoscaler"
        | "DeletionCandidateOfClusterAutoscaler"
        | "karpenter.sh/disrupted"
        | "karpenter.sh/disruption" => Taint::Leaving,
        "node-role.kubernetes.io/control-plane" | "node-role.kubernetes.io/master" => Taint::ControlPlane,
        _ => Taint::Reserved,
    }
}

/// The key and the value of the taint that a reason names; empty where it names none.
pub(super) fn taint_of(reason: &str) -> &str {
    let named = reason.split_once('{').and_then(|(_, rest)| rest.split('}').next());
    named.unwrap_or_default().trim_end_matches([':', ' '])
}

/// A taint, and for those that Kubernetes sets itself, why.
fn taint(reason: &str) -> Message {
    let taint = taint_of(reason);
    let key = taint.split(':').next().unwrap_or_default().trim();
    if key.is_empty() {
        return say("scheduling.taints");
    }
    let about = |key: &'static str, name: &str| Message::Sentence {
        key,
        values: vec![("taint", name.into())],
    };
    match kind_of_taint(key) {
        Taint::Trouble(sentence) => about(sentence, key),
        Taint::Cordon => say("scheduling.cordoned"),
        Taint::Leaving => about("scheduling.taint-leaving", key),
        Taint::ControlPlane => about("scheduling.taint-control-plane", key),
        Taint::Reserved => about("scheduling.taint", taint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str) -> Vec<(Option<u32>, String)> {
        reasons(message)
    }

    #[test]
    fn the_schedulers_message_is_taken_apart() {
        let message = "0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had untolerated taint {a: b, c}. preemption: 0/4 nodes \
                       are available: 4 Preemption is not helpful for scheduling.";
        assert_eq!(
            told(message),
            [
                (Some(1), "Insufficient cpu".to_owned()),
                (Some(3), "node(s) had untolerated taint {a: b, c}".to_owned())
            ]
        );
    }

    #[test]
    fn what_comes_before_the_counts_is_a_reason_too() {
        let message = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/2 nodes are \
                       available: 2 Preemption is not helpful for scheduling.";
        assert_eq!(
            told(message),
            [(None, "pod has unbound immediate PersistentVolumeClaims".to_owned())]
        );
        let without_class = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";
        assert_eq!(told(without_class), told(message));
        let missing = "0/1 nodes are available: persistentvolumeclaim \"data\" not found. not found";
        assert!(meaning(&told(missing)[0].1).to_string().contains("data"));
    }

    #[test]
    fn a_plugins_message_is_read_without_the_plugin() {
        for (message, key) in [
            (
                "error while running \"VolumeBinding\" filter plugin for pod \"web-0\": pod has unbound immediate \
                 PersistentVolumeClaims",
                "scheduling.unbound",
            ),
            (
                "pod has unbound immediate PersistentVolumeClaims (repeated 2 times)",
                "scheduling.unbound",
            ),
            (
                "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded",
                "scheduling.binding-slow",
            ),
            (
                "running \"VolumeBinding\" prebind plugin for pod \"web\": timed out waiting for the condition",
                "scheduling.binding-slow",
            ),
            (
                "running PreBind plugin \"VolumeBinding\": binding volumes: timed out waiting for the condition",
                "scheduling.binding-slow",
            ),
            (
                "running PreBind plugin \"VolumeBinding\": binding volumes: provisioning failed for PVC \"data\"",
                "scheduling.provisioning-failed",
            ),
        ] {
            let found = told(message);
            assert_eq!(found.len(), 1, "{message}: {found:?}");
            let Message::Sentence { key: found, .. } = meaning(&found[0].1) else {
                panic!("{message}");
            };
            assert_eq!(found, key, "{message}");
        }
        assert!(told("running Bind plugin \"DefaultBinder\": pods \"web\" is forbidden").is_empty());
    }

    #[test]
    fn a_taint_of_a_node_in_trouble_is_no_reservation() {
        for key in [
            "node.kubernetes.io/not-ready",
            "node.kubernetes.io/disk-pressure",
            "node.kubernetes.io/network-unavailable",
            "node.cloudprovider.kubernetes.io/uninitialized",
            "node.cilium.io/agent-not-ready",
            "ebs.csi.aws.com/agent-not-ready",
            "karpenter.sh/unregistered",
        ] {
            assert!(matches!(kind_of_taint(key), Taint::Trouble(_)), "{key}");
        }
        assert_eq!(kind_of_taint("karpenter.sh/disrupted"), Taint::Leaving);
        assert_eq!(kind_of_taint("nvidia.com/gpu"), Taint::Reserved);
        assert_eq!(
            taint_of("node(s) had untolerated taint {dedicated: gpu}"),
            "dedicated: gpu"
        );
    }

    #[test]
    fn old_schedulers_say_it_in_two_parts() {
        let message = "0/1 nodes are available: 1 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't \
                       tolerate.";
        let reasons = told(message);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(meaning(&reasons[0].1).to_string().contains("control plane"));
    }

    #[test]
    fn every_message_of_the_catalogue_has_a_meaning() {
        for reason in [
            "Insufficient example.com/gpu",
            "Too many pods",
            "node(s) had untolerated taint(s)",
            "node(s) didn't match Pod's node affinity/selector",
            "node(s) were unschedulable",
            "node(s) didn't match pod affinity rules",
            "node(s) didn't match pod anti-affinity rules",
            "node(s) didn't satisfy existing pods anti-affinity rules",
            "node(s) didn't match pod topology spread constraints",
            "node(s) didn't have free ports for the requested pod ports",
            "node(s) didn't find available persistent volumes to bind",
            "node(s) had volume node affinity conflict",
            "node(s) did not have enough free storage",
            "node(s) pvc(s) bound to non-existent pv(s)",
            "pod has unbound immediate PersistentVolumeClaims",
            "node(s) exceed max volume count",
            "node(s) had no available volume zone",
            "node(s) didn't match PersistentVolume's node affinity",
            "waiting for ephemeral volume controller to create the persistentvolumeclaim \"web-data\"",
            "no nodes available to schedule pods",
        ] {
            assert!(!matches!(meaning(reason), Message::Plain(_)), "{reason}");
        }
    }
}
