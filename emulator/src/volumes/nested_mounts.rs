//! Places in a volume for the other volumes that a container mounts below it (`pkg/volume/util/nested_volumes.go`): the
//! container itself can't make them, since it mounts the volume read-only.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Component, Path, PathBuf},
};

use k8s_openapi::api::core::v1::{PodSpec, VolumeMount};

/// Makes the places in the volume of that name, which lies at `folder`.
///
/// # Errors
/// What the system says.
pub(super) fn make(folder: &Path, volume: &str, spec: &PodSpec) -> io::Result<()> {
    for place in places(volume, spec) {
        fs::create_dir_all(folder.join(place))?;
    }
    Ok(())
}

/// Returns the places, relative to the volume.
fn places(volume: &str, spec: &PodSpec) -> BTreeSet<PathBuf> {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mounts = containers.filter_map(|container| container.volume_mounts.as_deref());
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    mounts
        .chain(ephemeral.filter_map(|container| container.volume_mounts.as_deref()))
        .flat_map(|mounts| below(volume, mounts))
        .collect()
}

/// Returns the places that one container needs: of mounts below each other the outermost alone, which has room for the rest.
fn below(volume: &str, mounts: &[VolumeMount]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = mounts.iter().map(|mount| clean(&mount.mount_path)).collect();
    paths.sort();
    let mut places = Vec::new();
    for own in mounts.iter().filter(|mount| mount.name == volume) {
        let own = clean(&own.mount_path);
        let mut outermost: Option<&Path> = None;
        for path in paths.iter().filter(|path| **path != own && path.starts_with(&own)) {
            if outermost.is_some_and(|outer| path.starts_with(outer)) {
                continue;
            }
            outermost = Some(path);
            places.extend(path.strip_prefix(&own).ok().map(Path::to_owned));
        }
    }
    places
}

/// A mount path without `.`, `..` and doubled slashes, from the root of the container.
fn clean(path: &str) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir => drop(cleaned.pop()),
            _ => {}
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Container;

    use super::*;

    fn spec(mounts: &[(&str, &str)]) -> PodSpec {
        let mounts = mounts.iter().map(|(name, path)| VolumeMount {
            name: (*name).to_owned(),
            mount_path: (*path).to_owned(),
            ..VolumeMount::default()
        });
        let container = Container {
            volume_mounts: Some(mounts.collect()),
            ..Container::default()
        };
        PodSpec {
            containers: vec![container],
            ..PodSpec::default()
        }
    }

    #[test]
    fn volume_has_a_place_for_each_outermost_mount_below_it() {
        let spec = spec(&[
            ("config", "/etc/app/"),
            ("certs", "/etc/app/certs"),
            ("more", "/etc/app/certs/more"),
            ("cache", "/etc/app//var/cache"),
            ("other", "/etc/app2"),
        ]);
        let found: Vec<String> = places("config", &spec)
            .iter()
            .map(|place| place.display().to_string())
            .collect();
        assert_eq!(found, ["certs", "var/cache"]);
        assert_eq!(places("other", &spec).len(), 0);
    }

    #[test]
    fn place_never_leaves_the_volume() {
        let spec = spec(&[("config", "/a"), ("escape", "/a/b/../../../etc")]);
        assert_eq!(places("config", &spec).len(), 0);
    }
}
