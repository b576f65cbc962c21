//! What is mounted into a container: volumes, and the files that the kubelet writes.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::VolumeMount;

use super::{Subject, config_error, expansion, files, image_volume, sub_path};
use crate::{
    image::Image,
    kubelet::start_failure::StartFailure,
    runtime::{Mount, Propagation},
};

/// All mounts, parents before children.
///
/// # Errors
/// A volume that is not there, a subPath that leaves its volume, a disk that refuses.
pub fn mounts(subject: &Subject<'_>, lookup: impl Fn(&str) -> Option<String>) -> Result<Vec<Mount>, StartFailure> {
    let container = &subject.declared.container;
    let mut all: Vec<Mount> = Vec::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        all.push(of_volume(subject, index, mount, &lookup)?);
    }
    let etc =
        files::make_etc(subject).map_err(|error| config_error(format!("failed to write the pod's files: {error}")))?;
    for (path, file) in etc {
        if !all.iter().any(|mount| mount.container_path == Path::new(path)) {
            let own = container.security_context.as_ref();
            let read_only = own.and_then(|own| own.read_only_root_filesystem) == Some(true);
            // The kubelet mounts the hosts for writing (`kubelet_pods.go`, `makeHostsMount`); the others are the runtime's,
            // which has them go with the root (containerd's `linuxContainerMounts`).
            all.push(plain(file, path, read_only && path != "/etc/hosts"));
        }
    }
    let message_path = container
        .termination_message_path
        .as_deref()
        .unwrap_or("/dev/termination-log");
    let log = files::make_termination_log(subject)
        .map_err(|error| config_error(format!("failed to make the termination log: {error}")))?;
    all.push(plain(log, message_path, false));
    // Deeper ones later; equal depth keeps the order of the manifest.
    all.sort_by_key(|mount| mount.container_path.components().count());
    Ok(all)
}

fn plain(host_path: PathBuf, container_path: &str, read_only: bool) -> Mount {
    Mount {
        host_path,
        container_path: container_path.into(),
        read_only,
        propagation: Propagation::Private,
        ids_mapped: false,
    }
}

fn of_volume(
    subject: &Subject<'_>,
    index: usize,
    mount: &VolumeMount,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Mount, StartFailure> {
    let within = match (mount.sub_path.as_deref(), mount.sub_path_expr.as_deref()) {
        (Some(path), _) if !path.is_empty() => path.to_owned(),
        (_, Some(expression)) if !expression.is_empty() => expanded(expression, &lookup)?,
        _ => String::new(),
    };
    if within.starts_with('/') {
        return Err(config_error(format!(
            "error SubPath `{within}` must not be an absolute path"
        )));
    }
    if within.split('/').any(|part| part == "..") {
        return Err(config_error(format!(
            "unable to provision SubPath `{within}`: must not contain '..'"
        )));
    }
    let files = subject.node.pod_files(&subject.pod.uid);
    let pinned = files
        .join("subpaths")
        .join(format!("{}-{index}", subject.declared.name()));
    let host_path = match subject.image_volumes.get(&mount.name) {
        Some(image) => of_image(subject, image, &within, &pinned)?,
        None => of_folder(subject, mount, &within, &pinned)?,
    };
    Ok(Mount {
        host_path,
        container_path: absolute(&mount.mount_path),
        read_only: mount.read_only == Some(true) || is_read_only(subject, &mount.name),
        propagation: match mount.mount_propagation.as_deref() {
            Some("HostToContainer") => Propagation::HostToContainer,
            Some("Bidirectional") => Propagation::Bidirectional,
            _ => Propagation::Private,
        },
        ids_mapped: subject.image_volumes.contains_key(&mount.name),
    })
}

fn of_folder(subject: &Subject<'_>, mount: &VolumeMount, within: &str, pinned: &Path) -> Result<PathBuf, StartFailure> {
    let volume = subject.volumes.get(&mount.name).ok_or_else(|| {
        config_error(format!(
            "cannot find volume {:?} to mount into container {:?}",
            mount.name,
            subject.declared.name()
        ))
    })?;
    if within.is_empty() {
        return Ok(volume.clone());
    }
    sub_path::prepare(volume, within, pinned).map_err(|error| {
        let path = format!(
            "failed to prepare subPath for volumeMount {:?} of container {:?}",
            mount.name,
            subject.declared.name()
        );
        config_error(format!("{path}: {error}"))
    })
}

/// An image is mounted by the runtime as it makes the container (containerd's `internal/cri/server/container_image_mount.go`).
fn of_image(subject: &Subject<'_>, image: &Image, within: &str, pinned: &Path) -> Result<PathBuf, StartFailure> {
    let failed = |error: String| {
        let message = format!("failed to mount image volume: ImageVolumeMountFailed: {error}");
        StartFailure::new("CreateContainerError", message)
    };
    let folder = subject.node.pod_files(&subject.pod.uid).join("images");
    let mounted = image_volume::mount(&folder, image, subject.ids()).map_err(|error| failed(error.to_string()))?;
    if within.is_empty() {
        return Ok(mounted);
    }
    sub_path::find(&mounted, within, pinned).map_err(|error| {
        let place = mounted.display().to_string();
        failed(format!(
            "failed to ensure image subpath {within:?} in {place:?}: {error}"
        ))
    })
}

/// Whether nobody, or only the kubelet, writes into the volume (`volume.Attributes.ReadOnly`).
fn is_read_only(subject: &Subject<'_>, name: &str) -> bool {
    let mut volumes = subject.pod.spec.volumes.iter().flatten();
    volumes.find(|volume| volume.name == name).is_some_and(|volume| {
        volume.config_map.is_some()
            || volume.secret.is_some()
            || volume.downward_api.is_some()
            || volume.projected.is_some()
            || volume.image.is_some()
    })
}

/// A subPathExpr with its variables, all of which must have a value (`container/helpers.go`).
fn expanded(expression: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, StartFailure> {
    let missing = RefCell::new(BTreeSet::new());
    let expanded = expansion::expand(expression, |name| {
        let value = lookup(name).unwrap_or_default();
        if value.is_empty() {
            missing.borrow_mut().insert(name.to_owned());
        }
        Some(value)
    });
    let missing: Vec<String> = missing.into_inner().into_iter().collect();
    if missing.is_empty() {
        Ok(expanded)
    } else {
        Err(config_error(format!("missing value for {}", missing.join(", "))))
    }
}

/// The API takes relative mount paths; they are meant from the root.
fn absolute(path: &str) -> PathBuf {
    Path::new("/").join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_a_sub_path_needs_a_value() {
        let lookup = |name: &str| match name {
            "POD" => Some("web".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        assert_eq!(expanded("logs/$(POD)/$$(X)", lookup).unwrap(), "logs/web/$(X)");
        let refused = expanded("$(Z)/$(POD)/$(EMPTY)", lookup).unwrap_err();
        assert_eq!(refused.message, "missing value for EMPTY, Z");
    }
}
