//! Volumes that are images (KEP-4639): had before the first container that a sync starts, as the kubelet does since
//! it no longer asks for them with every sync (`kuberuntime_manager.go`, `getImageVolumes`).

use std::collections::BTreeMap;

use super::{
    image_pull::{Pulls, Wanted},
    node::Node,
    pod::{Declared, Pod},
    start_failure::StartFailure,
};
use crate::{events::EventType, image::Image};

/// What became of each, by the volume's name.
pub(super) struct ImageVolumes(BTreeMap<String, Result<Image, StartFailure>>);

impl ImageVolumes {
    /// Has them all, pulled if need be.
    pub(super) async fn of(node: &Node, pod: &Pod, pulls: &mut Pulls) -> Self {
        let mut images = BTreeMap::new();
        for volume in pod.spec.volumes.iter().flatten() {
            let Some(source) = &volume.image else { continue };
            let wanted = Wanted {
                pod,
                container: None,
                reference: source.reference.as_deref().unwrap_or_default(),
                policy: source.pull_policy.as_deref(),
            };
            images.insert(volume.name.clone(), pulls.ensure(node, &wanted).await);
        }
        Self(images)
    }

    /// Those that a container mounts. The last one that is not to be had is why it can't be started.
    ///
    /// # Errors
    /// An image that is not to be had; each is reported.
    pub(super) fn mounted_by(
        &self,
        declared: &Declared,
        node: &Node,
        pod: &Pod,
    ) -> Result<BTreeMap<String, Image>, StartFailure> {
        let (mut images, mut failed) = (BTreeMap::new(), None);
        for mount in declared.container.volume_mounts.iter().flatten() {
            match self.0.get(&mount.name) {
                None => {}
                Some(Ok(image)) => {
                    images.insert(mount.name.clone(), image.clone());
                }
                Some(Err(failure)) => {
                    let message = format!("Error: {}", failure.reason);
                    node.container_event(pod, declared, EventType::Warning, "Failed", &message);
                    failed = Some(failure.clone());
                }
            }
        }
        failed.map_or(Ok(images), Err)
    }
}
