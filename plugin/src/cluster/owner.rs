//! The controller that made a pod, and how its other pods are.

use k8s_openapi::api::apps::v1::{DaemonSet, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ReplicationController;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::Cluster;
use super::error::ClusterError;
use crate::pod::surroundings::OwnerState;

impl Cluster {
    /// The controller of this kind and name; nothing where it is gone, or of a kind that is not known.
    pub(super) async fn owner(
        &self,
        namespace: &str,
        owner: Option<&(String, String)>,
    ) -> Result<Option<OwnerState>, ClusterError> {
        let Some((kind, name)) = owner else {
            return Ok(None);
        };
        let state = |above: Option<Vec<OwnerReference>>, ready: Option<i32>, wanted: Option<i32>| OwnerState {
            kind: kind.clone(),
            name: name.clone(),
            above: above
                .into_iter()
                .flatten()
                .find(|owner| owner.controller == Some(true))
                .map(|owner| (owner.kind, owner.name)),
            ready: ready.unwrap_or(0),
            wanted: wanted.unwrap_or(0),
        };
        let found = match kind.as_str() {
            "ReplicaSet" => self.get::<ReplicaSet>(namespace, name).await.map(|set| {
                state(
                    set.metadata.owner_references,
                    set.status.and_then(|status| status.ready_replicas),
                    set.spec.replicas,
                )
            }),
            "StatefulSet" => self.get::<StatefulSet>(namespace, name).await.map(|set| {
                state(
                    set.metadata.owner_references,
                    set.status.and_then(|status| status.ready_replicas),
                    set.spec.replicas,
                )
            }),
            "DaemonSet" => self.get::<DaemonSet>(namespace, name).await.map(|set| {
                let status = set.status.unwrap_or_default();
                state(
                    set.metadata.owner_references,
                    Some(status.number_ready),
                    Some(status.desired_number_scheduled),
                )
            }),
            "ReplicationController" => self.get::<ReplicationController>(namespace, name).await.map(|set| {
                state(
                    set.metadata.owner_references,
                    set.status.and_then(|status| status.ready_replicas),
                    set.spec.and_then(|spec| spec.replicas),
                )
            }),
            "Job" => self.get::<Job>(namespace, name).await.map(|job| {
                state(
                    job.metadata.owner_references,
                    job.status.and_then(|status| status.succeeded),
                    job.spec.and_then(|spec| spec.completions),
                )
            }),
            _ => return Ok(None),
        };
        match found {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
