//! Names alone, for who completes a command line: the server sends no more than metadata.

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject};

use super::Cluster;
use super::error::ClusterError;
use crate::cli::target::TargetKind;

impl Cluster {
    /// The names of all objects of a kind, in the namespace or anywhere.
    ///
    /// # Errors
    /// Whatever the server or the way to it says.
    pub async fn names(&self, kind: &TargetKind, is_anywhere: bool) -> Result<Vec<String>, ClusterError> {
        let resource = ApiResource {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            api_version: kind.api_version(),
            kind: kind.short_name().to_owned(),
            plural: kind.resource.to_owned(),
        };
        let api: Api<DynamicObject> = if is_anywhere {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
        };
        let listed = self.limited(api.list_metadata(&ListParams::default())).await?;
        Ok(listed
            .items
            .into_iter()
            .filter_map(|object| object.metadata.name)
            .collect())
    }

    /// The names of all namespaces.
    ///
    /// # Errors
    /// Whatever the server or the way to it says.
    pub async fn namespaces(&self) -> Result<Vec<String>, ClusterError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let listed = self.limited(api.list_metadata(&ListParams::default())).await?;
        Ok(listed
            .items
            .into_iter()
            .filter_map(|object| object.metadata.name)
            .collect())
    }

    /// The names of a pod's containers, in the order of its spec.
    ///
    /// # Errors
    /// Whatever the server or the way to it says.
    pub async fn containers(&self, pod: &str) -> Result<Vec<String>, ClusterError> {
        let spec = self.get::<Pod>(&self.namespace, pod).await?.spec.unwrap_or_default();
        let init = spec
            .init_containers
            .into_iter()
            .flatten()
            .map(|container| container.name);
        let ephemeral = spec
            .ephemeral_containers
            .into_iter()
            .flatten()
            .map(|container| container.name);
        let regular = spec.containers.into_iter().map(|container| container.name);
        Ok(init.chain(regular).chain(ephemeral).collect())
    }
}
