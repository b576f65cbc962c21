//! Volumes that cannot be had.

use k8s_openapi::jiff::SignedDuration;

use super::command::{describe_node, here, kubectl};
use super::message::{Message, say};
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::container::State;
use crate::pod::event::Event;

/// The kubelet tries again within about two minutes: an older event tells of what is over.
const RECENT: SignedDuration = SignedDuration::from_mins(5);

/// Finds volumes that keep containers from being created.
pub(super) fn rule(facts: &Facts, events: &[Event]) -> Vec<Finding> {
    let is_waiting = facts.containers.iter().any(|container| {
        matches!(&container.state, State::Waiting { reason, .. } if reason == "ContainerCreating" || reason == "PodInitializing")
    });
    let runs = facts
        .containers
        .iter()
        .any(|container| matches!(container.state, State::Running { .. } | State::Ended(_)));
    if !is_waiting || runs || facts.is_over() || facts.termination.is_some() {
        return Vec::new();
    }
    let mut seen: Vec<String> = Vec::new();
    let mut failed: Vec<&Event> = events
        .iter()
        .rev()
        .filter(|event| {
            matches!(
                event.reason.as_str(),
                "FailedMount" | "FailedAttachVolume" | "FailedMapVolume"
            )
        })
        .collect();
    // The summary of a time-out only repeats what a volume's own event tells better, however old that is.
    failed.sort_by_key(|event| event.message.starts_with("Unable to attach or mount volumes"));
    failed
        .into_iter()
        .filter(|event| event.last.is_none_or(|last| facts.now.duration_since(last) <= RECENT))
        .filter_map(|told| {
            let volume = volume(&told.message);
            // One volume's trouble is told in several events: the newest one is enough.
            if seen.contains(&volume) {
                return None;
            }
            seen.push(volume.clone());
            Some(finding(facts, told, &volume))
        })
        // It may name the volume otherwise than that event does.
        .collect::<Vec<_>>()
        .into_iter()
        .enumerate()
        .filter(|(number, finding)| *number == 0 || !finding.causes.contains(&say("volumes.timed-out")))
        .map(|(_, finding)| finding)
        .collect()
}

fn finding(facts: &Facts, told: &Event, volume: &str) -> Finding {
    let what = if volume.is_empty() {
        say("volumes.fails")
    } else {
        say("volumes.fails-named").with("volume", volume)
    };
    let cause = cause(&told.message);
    // What the mount command itself said stands on a line of its own, behind all of its arguments.
    let output = told.message.lines().find(|line| line.starts_with("Output:"));
    let finding = Finding::new(Severity::Error, told.reason.as_str(), what)
        .told_by(Some(told))
        .seen(format!("event {}", told.reason), output.unwrap_or_default())
        .because(cause.clone());
    let finding = match referred(facts, volume) {
        Some((path, kind, name)) => {
            let finding = finding.seen(path, name.as_str());
            finding.run(here(facts, &["get", kind, &name]))
        }
        None if told.message.contains("serviceaccounts \"") => {
            finding.run(here(facts, &["get", "serviceaccount", facts.service_account()]))
        }
        // The attach controller and CSI name the PersistentVolume, not the pod's volume.
        None if !volume.is_empty() && !is_of_the_spec(facts, volume) => finding
            .run(here(facts, &["get", "pvc"]))
            .run(kubectl(&["describe", "pv", volume])),
        None => finding.run(here(facts, &["get", "pvc,configmaps,secrets"])),
    };
    if cause == say("volumes.multi-attach") || cause == say("volumes.csi-driver") || cause == say("volumes.host-path") {
        finding.maybe_run(describe_node(facts))
    } else {
        finding
    }
}

fn is_of_the_spec(facts: &Facts, name: &str) -> bool {
    let mut volumes = facts.spec().into_iter().flat_map(|spec| spec.volumes.iter().flatten());
    // The one with the account's token is added at admission: who writes a spec by hand leaves it out.
    volumes.any(|volume| volume.name == name) || name.starts_with("kube-api-access")
}

/// What a volume of the pod is made of: where the spec says so, kind and name.
fn referred(facts: &Facts, name: &str) -> Option<(String, &'static str, String)> {
    let volumes = facts.spec()?.volumes.as_ref()?;
    let (number, volume) = volumes.iter().enumerate().find(|(_, volume)| volume.name == name)?;
    let path = |field: &str| format!("spec.volumes[{number}].{field}");
    if let Some(map) = &volume.config_map {
        return Some((path("configMap.name"), "configmap", map.name.clone()));
    }
    if let Some(secret) = &volume.secret {
        return Some((
            path("secret.secretName"),
            "secret",
            secret.secret_name.clone().unwrap_or_default(),
        ));
    }
    let claim = volume.persistent_volume_claim.as_ref()?;
    Some((path("persistentVolumeClaim.claimName"), "pvc", claim.claim_name.clone()))
}

/// The volume that an event names.
fn volume(message: &str) -> String {
    let quoted = message
        .split_once("volume \"")
        .and_then(|(_, rest)| rest.split('"').next());
    let listed = message
        .split_once("unmounted volumes=[")
        .and_then(|(_, rest)| rest.split([' ', ']']).next());
    quoted.or(listed).unwrap_or_default().to_owned()
}

/// The objects that are said to be missing: `configmap "a" not found`, several of them in a projected volume.
fn missing(message: &str) -> Vec<&str> {
    let found = message
        .split("\" not found")
        .map(|part| part.rsplit('"').next().unwrap_or_default());
    let count = message.matches("\" not found").count();
    match count {
        0 => message.split('"').skip(3).take(1).collect(),
        _ => found.take(count).collect(),
    }
}

/// Why a volume cannot be set up, from the kubelet's and the attach controller's words.
fn cause(message: &str) -> Message {
    let lower = message.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| lower.contains(word));
    if says(&[
        "references non-existent config key",
        "references non-existent secret key",
    ]) {
        let key = message.rsplit(": ").next().unwrap_or_default();
        say("volumes.no-key").with("key", key.trim())
    } else if says(&["multi-attach"]) {
        say("volumes.multi-attach")
    } else if says(&["not found in the list of registered csi drivers", "csi driver"]) {
        say("volumes.csi-driver")
    } else if says(&["nodeaffinity check failed", "no matching nodeselectorterms"]) {
        say("scheduling.volume-zone")
    } else if says(&["hostpath type check failed"]) {
        say("volumes.host-path")
    } else if says(&["mount.nfs", "wrong fs type", "bad superblock", "exit status 32"]) {
        say("volumes.mount")
    } else if says(&["permission denied", "access denied", "accessdenied", "forbidden"]) {
        say("volumes.denied")
    } else if says(&["fsck"]) {
        say("volumes.file-system")
    } else if says(&["is being deleted"]) {
        say("volumes.claim-going")
    } else if says(&["attachvolume", "code = notfound"]) && says(&["not found", "does not exist"]) {
        say("volumes.storage-missing")
    } else if says(&["not found", "does not exist"]) {
        say("volumes.missing").with("name", missing(message).join(", "))
    } else if says(&["not registered", "failed to sync"]) {
        say("waiting.config.sync")
    } else if says(&["unbound", "not bound"]) {
        say("volumes.unbound")
    } else if says(&["timed out", "deadline exceeded"]) {
        say("volumes.timed-out")
    } else {
        say("volumes.other")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volumes_trouble_is_told_apart() {
        let message = "MountVolume.SetUp failed for volume \"config\" : configmap \"settings\" not found";
        assert_eq!(volume(message), "config");
        assert!(cause(message).to_string().contains("settings"));
        let key = "MountVolume.SetUp failed for volume \"c\" : configmap references non-existent config key: app.conf";
        assert!(cause(key).to_string().contains("app.conf"));
        let several = "MountVolume.SetUp failed for volume \"c\" : [configmap \"a\" not found, secret \"b\" not found]";
        assert!(cause(several).to_string().contains("a, b"));
        let storage = "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = NotFound desc = volume \"vol-1\" not found";
        assert_eq!(cause(storage), say("volumes.storage-missing"));
        let cache = "MountVolume.SetUp failed for volume \"c\" : failed to sync configmap cache: timed out waiting for the condition";
        assert_eq!(cause(cache), say("waiting.config.sync"));
        let late = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out";
        assert_eq!(volume(late), "data");
        assert_eq!(cause(late), say("volumes.timed-out"));
    }
}
