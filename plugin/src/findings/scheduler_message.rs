//! The scheduler's message, taken apart: on how many nodes, and why (`pkg/scheduler/framework/types.go`, `FitError`).

use super::message::{Message, say};

/// Takes `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. preemption: …` apart:
/// on how many nodes, where it says so, and why.
pub(super) fn reasons(message: &str) -> Vec<(Option<u32>, String)> {
    let Some((_, rest)) = message.split_once("nodes are available:") else {
        let is_whole = message.contains("no nodes available") || message.contains("persistentvolumeclaim");
        return is_whole
            .then(|| (None, message.trim().to_owned()))
            .into_iter()
            .collect();
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
        () if says("node affinity/selector") || says("match node selector") => say("scheduling.selector"),
        () if says("were unschedulable") => say("scheduling.cordoned"),
        () if says("existing pods anti-affinity") => say("scheduling.anti-affinity-of-others"),
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
        () if says("unbound immediate") => say("scheduling.unbound"),
        () if says("non-existent pv") => say("scheduling.lost-volume"),
        () if says("persistentvolumeclaim") && says("not found") => {
            say("scheduling.no-claim").with("name", reason.split('"').nth(1).unwrap_or_default())
        }
        () if says("free storage") => say("scheduling.storage"),
        () if says("max volume count") => say("scheduling.volume-count"),
        () if says("no nodes available") => say("scheduling.no-nodes"),
        () if says("match the requested node name") || says("node name") => say("scheduling.node-name"),
        () if says("DRA") || says("resourceclaim") || says("allocate all claims") => say("scheduling.claims"),
        () => Message::Plain(reason.to_owned()),
    }
}

/// A taint, and for those that Kubernetes sets itself, why.
fn taint(reason: &str) -> Message {
    let taint = reason
        .split_once('{')
        .and_then(|(_, rest)| rest.split('}').next())
        .unwrap_or_default();
    let key = taint.split(':').next().unwrap_or_default().trim();
    match key {
        "" => say("scheduling.taints"),
        "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable" => {
            say("scheduling.taint-not-ready").with("taint", key)
        }
        "node.kubernetes.io/unschedulable" => say("scheduling.cordoned"),
        "node.kubernetes.io/disk-pressure"
        | "node.kubernetes.io/memory-pressure"
        | "node.kubernetes.io/pid-pressure" => say("scheduling.taint-pressure").with("taint", key),
        "node-role.kubernetes.io/control-plane" | "node-role.kubernetes.io/master" => {
            say("scheduling.taint-control-plane").with("taint", key)
        }
        _ => say("scheduling.taint").with("taint", taint.trim_end_matches([':', ' '])),
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
