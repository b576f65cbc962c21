//! Volumes and where they are mounted.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;

use super::{Lints, places};
use crate::cli::usage::nearest;
use crate::findings::message::say;

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    let names: BTreeSet<&str> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    let mut used = BTreeSet::new();
    for place in places(spec) {
        let mut paths = BTreeSet::new();
        for (number, mount) in place.container.volume_mounts.iter().flatten().enumerate() {
            let path = place.at(&format!("volumeMounts[{number}]"));
            used.insert(mount.name.as_str());
            if !names.contains(mount.name.as_str()) {
                let help = match nearest(&mount.name, names.iter().copied()) {
                    Some(name) => say("lint.did-you-mean").with("name", name),
                    None => say("lint.no-volume.help").with("name", mount.name.as_str()),
                };
                lints.refused(
                    format!("{path}.name"),
                    say("lint.no-volume").with("name", mount.name.as_str()),
                    help,
                );
            }
            if !paths.insert(mount.mount_path.as_str()) {
                lints.refused(
                    format!("{path}.mountPath"),
                    say("lint.mount-twice").with("path", mount.mount_path.as_str()),
                    say("lint.mount-twice.help"),
                );
            }
            let volume = volumes.iter().find(|volume| volume.name == mount.name);
            let updates = volume.is_some_and(|volume| volume.config_map.is_some() || volume.secret.is_some());
            if updates && mount.sub_path.as_deref().is_some_and(|path| !path.is_empty()) {
                lints.note(
                    format!("{path}.subPath"),
                    say("lint.sub-path"),
                    say("lint.sub-path.help"),
                );
            }
        }
        used.extend(
            place
                .container
                .volume_devices
                .iter()
                .flatten()
                .map(|device| device.name.as_str()),
        );
    }
    let mut seen = BTreeSet::new();
    for (number, volume) in volumes.iter().enumerate() {
        let name = volume.name.as_str();
        let path = format!("spec.volumes[{number}]");
        if !seen.insert(name) {
            lints.refused(
                format!("{path}.name"),
                say("lint.volume-twice").with("name", name),
                say("lint.volume-twice.help"),
            );
        }
        if !used.contains(name) {
            lints.note(
                path.clone(),
                say("lint.unused-volume").with("name", name),
                say("lint.unused-volume.help"),
            );
        }
        if let Some(empty) = &volume.empty_dir
            && empty.medium.as_deref() == Some("Memory")
            && empty.size_limit.is_none()
        {
            lints.note(
                format!("{path}.emptyDir.medium"),
                say("lint.memory-volume").with("name", name),
                say("lint.memory-volume.help"),
            );
        }
        if let Some(host) = &volume.host_path
            && matches!(host.type_.as_deref(), None | Some(""))
        {
            lints.note(
                format!("{path}.hostPath"),
                say("lint.host-path").with("path", host.path.as_str()),
                say("lint.host-path.help"),
            );
        }
    }
}
