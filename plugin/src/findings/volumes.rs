//! Volumes that cannot be attached or mounted.

use super::command::{describe_node, here, kubectl};
use super::message::say;
use super::volume_error::{self, Look};
use super::{Finding, Severity};
use crate::pod::Facts;
use crate::pod::container::State;
use crate::pod::event::Event;

/// The events of a volume that cannot be attached or mounted.
const REASONS: [&str; 3] = ["FailedMount", "FailedAttachVolume", "FailedMapVolume"];
/// What happens only once all volumes are mounted.
const LATER: [&str; 4] = ["Pulling", "Pulled", "Created", "Started"];

/// Finds volumes that keep containers from being created. However old an event is, it holds until something newer
/// contradicts it: a Multi-Attach error is told once, and the kubelet's client sends one event in five minutes after the
/// first 25.
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
        .filter(|event| REASONS.contains(&event.reason.as_str()) && !is_over(event, events))
        .collect();
    // The summary of a time-out only repeats what a volume's own event tells better, however old that is; and a mount waits
    // for what is not attached.
    failed.sort_by_key(|event| {
        let is_summary = event.message.starts_with("Unable to attach or mount volumes");
        (is_summary, event.reason != "FailedAttachVolume")
    });
    failed
        .into_iter()
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

/// Whether something newer says that it worked after all.
fn is_over(told: &Event, events: &[Event]) -> bool {
    let own = volume(&told.message);
    events.iter().filter(|event| event.last > told.last).any(|event| {
        let is_success = matches!(
            event.reason.as_str(),
            "SuccessfulAttachVolume" | "SuccessfulMountVolume"
        );
        let is_of_same = volume(&event.message) == own
            && (event.reason == "SuccessfulMountVolume" || told.reason == "FailedAttachVolume");
        LATER.contains(&event.reason.as_str()) || is_success && is_of_same
    })
}

fn finding(facts: &Facts, told: &Event, volume: &str) -> Finding {
    let is_attach = told.reason == "FailedAttachVolume";
    let what = match (volume.is_empty(), is_attach) {
        (true, _) => say("volumes.fails"),
        (false, true) => say("volumes.fails-attach").with("volume", volume),
        (false, false) => say("volumes.fails-named").with("volume", volume),
    };
    let found = volume_error::diagnose(told);
    let mut finding = Finding::new(Severity::Error, told.reason.as_str(), what)
        .told_at(facts, Some(told))
        .because(found.cause)
        .advised(found.advice);
    let source = referred(facts, volume);
    if let Some((path, _, name)) = &source {
        finding = finding.seen(path.as_str(), name.as_str());
    }
    // The attach controller and CSI name the PersistentVolume, not the pod's volume.
    let is_persistent = !volume.is_empty() && !is_of_the_spec(facts, volume);
    match found.look {
        Look::Attachment => {
            finding = finding.run("kubectl get volumeattachments");
            if is_persistent {
                finding = finding.run(kubectl(&["describe", "pv", volume]));
            }
            finding.run(here(facts, &["get", "pods", "-o", "wide"]))
        }
        Look::Account => finding.run(here(facts, &["get", "serviceaccount", facts.service_account()])),
        Look::Object(kind) => finding.run(here(facts, &["get", kind])),
        Look::Node => finding.maybe_run(describe_node(facts)),
        Look::Source => match source {
            Some((_, kind, name)) => finding.run(here(facts, &["get", kind, &name])),
            None if is_persistent => finding
                .run(here(facts, &["get", "pvc"]))
                .run(kubectl(&["describe", "pv", volume])),
            None => finding.run(here(facts, &["describe", "pod", &facts.name])),
        },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_of_an_event_is_read() {
        let message = "MountVolume.SetUp failed for volume \"config\" : configmap \"settings\" not found";
        assert_eq!(volume(message), "config");
        let late = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out";
        assert_eq!(volume(late), "data");
    }
}
