//! The order of init containers and sidecars, and what ends at all.

use k8s_openapi::api::core::v1::PodSpec;

use super::{Lints, places};
use crate::findings::message::say;

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    let init: Vec<_> = places(spec).filter(|place| place.is_init).collect();
    for (number, place) in init.iter().enumerate() {
        if !place.is_sidecar() {
            continue;
        }
        let before: Vec<&str> = init[..number]
            .iter()
            .filter(|other| !other.is_sidecar())
            .map(|other| other.container.name.as_str())
            .collect();
        if !before.is_empty() {
            lints.note(
                place.path.clone(),
                say("lint.sidecar-late")
                    .with("sidecar", place.container.name.as_str())
                    .with("before", before.join(", ")),
                say("lint.sidecar-late.help"),
            );
        }
        let has_after = number + 1 < init.len();
        if has_after && place.container.startup_probe.is_none() {
            lints.note(
                place.path.clone(),
                say("lint.sidecar-startup").with("sidecar", place.container.name.as_str()),
                say("lint.sidecar-startup.help"),
            );
        }
    }
    let is_job = matches!(spec.restart_policy.as_deref(), Some("Never" | "OnFailure"));
    if let Some(deadline) = spec.active_deadline_seconds
        && !is_job
    {
        lints.warn(
            "spec.activeDeadlineSeconds",
            say("lint.deadline-always").with("seconds", deadline.to_string()),
            say("lint.deadline-always.help"),
        );
    }
}
