//! Pods that put more onto the disk than they may (`pkg/kubelet/eviction`, `localStorageEviction`): pure.

use std::{collections::BTreeMap, time::Duration};

use super::pod::{Kind, Pod};
use crate::quantity;

/// How often the kubelet looks.
pub const PERIOD: Duration = Duration::from_secs(10);

const RESOURCE: &str = "ephemeral-storage";

/// What an `emptyDir` holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// How much.
    pub bytes: u64,
    /// It is memory, not disk.
    pub in_memory: bool,
}

/// What a pod has put onto the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageUsed {
    /// By name, each `emptyDir`.
    pub volumes: BTreeMap<String, Volume>,
    /// By name, the layers and logs of each container's instances.
    pub containers: BTreeMap<String, u64>,
}

/// Whether there is anything to look at.
pub fn has_limits(pod: &Pod) -> bool {
    let mut volumes = pod.spec.volumes.iter().flatten();
    let of_volumes = volumes.any(|volume| {
        let source = volume.empty_dir.as_ref();
        source.is_some_and(|source| source.size_limit.is_some())
    });
    of_volumes
        || pod.of(&[Kind::Init, Kind::Sidecar, Kind::Regular]).any(|declared| {
            let resources = declared.container.resources.as_ref();
            let limits = resources.and_then(|resources| resources.limits.as_ref());
            limits.is_some_and(|limits| limits.contains_key(RESOURCE))
        })
}

/// Which limit the pod is over, as its status says it; none where it keeps to all.
pub fn over_limit(pod: &Pod, used: &StorageUsed) -> Option<String> {
    volume_over_limit(pod, used)
        .or_else(|| pod_over_limit(pod, used))
        .or_else(|| container_over_limit(pod, used))
}

fn volume_over_limit(pod: &Pod, used: &StorageUsed) -> Option<String> {
    pod.spec.volumes.iter().flatten().find_map(|volume| {
        let limit = volume.empty_dir.as_ref()?.size_limit.as_ref()?;
        let bytes = used.volumes.get(&volume.name)?.bytes;
        (exceeds(bytes, &limit.0)).then(|| {
            format!(
                "Usage of EmptyDir volume {:?} exceeds the limit {:?}. ",
                volume.name, limit.0
            )
        })
    })
}

fn pod_over_limit(pod: &Pod, used: &StorageUsed) -> Option<String> {
    let limit = quantity::text(RESOURCE, quantity::limit(&pod.spec, RESOURCE)?);
    let of_volumes = used.volumes.values().filter(|volume| !volume.in_memory);
    let bytes = of_volumes.map(|volume| volume.bytes).sum::<u64>() + used.containers.values().sum::<u64>();
    exceeds(bytes, &limit)
        .then(|| format!("Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "))
}

fn container_over_limit(pod: &Pod, used: &StorageUsed) -> Option<String> {
    pod.regular().find_map(|declared| {
        let limits = declared.container.resources.as_ref()?.limits.as_ref()?;
        let limit = limits.get(RESOURCE)?;
        let bytes = *used.containers.get(declared.name())?;
        exceeds(bytes, &limit.0).then(|| {
            let name = declared.name();
            format!(
                "Container {name} exceeded its local ephemeral storage limit {:?}. ",
                limit.0
            )
        })
    })
}

fn exceeds(bytes: u64, limit: &str) -> bool {
    let limit = quantity::milli(limit).unwrap_or(0);
    limit > 0 && i128::from(bytes) * 1000 > limit
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MEBI: u64 = 1 << 20;

    fn pod() -> Pod {
        let limits = json!({"limits": {"ephemeral-storage": "2Mi"}});
        let spec = json!({
            "containers": [{"name": "a", "resources": limits}, {"name": "b", "resources": limits}],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}, {"name": "w", "emptyDir": {}}],
        });
        Pod::read(&json!({"metadata": {}, "spec": spec})).unwrap()
    }

    fn used(volumes: &[(&str, u64)], containers: &[(&str, u64)]) -> StorageUsed {
        let volume = |bytes| Volume {
            bytes,
            in_memory: false,
        };
        StorageUsed {
            volumes: volumes
                .iter()
                .map(|(name, bytes)| ((*name).into(), volume(*bytes)))
                .collect(),
            containers: containers
                .iter()
                .map(|(name, bytes)| ((*name).into(), *bytes))
                .collect(),
        }
    }

    #[test]
    fn the_first_limit_that_is_exceeded_is_named() {
        let over = |volumes, containers| over_limit(&pod(), &used(volumes, containers));
        assert_eq!(over(&[("v", MEBI), ("w", MEBI)], &[("a", 2 * MEBI)]), None);
        assert_eq!(
            over(&[("v", MEBI + 1)], &[]).as_deref(),
            Some("Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". ")
        );
        assert_eq!(
            over(&[("w", 4 * MEBI)], &[("a", 1)]).as_deref(),
            Some("Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. ")
        );
        assert_eq!(
            over(&[], &[("a", 2 * MEBI + 1)]).as_deref(),
            Some("Container a exceeded its local ephemeral storage limit \"2Mi\". ")
        );
    }

    #[test]
    fn pods_without_limits_need_no_look() {
        assert!(has_limits(&pod()));
        let free = json!({"containers": [{"name": "a"}], "volumes": [{"name": "w", "emptyDir": {}}]});
        assert!(!has_limits(&Pod::read(&json!({"metadata": {}, "spec": free})).unwrap()));
    }
}
