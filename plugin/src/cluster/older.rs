//! Kinds that an older server has in an older version alone.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, ListParams};

use super::error::ClusterError;
use super::{Cluster, Kind};

/// Objects, and in which version the server has them.
pub(super) struct Versioned<K> {
    /// The objects.
    pub(super) items: Vec<K>,
    /// Whether it is the older one.
    pub(super) is_older: bool,
}

impl Cluster {
    /// Lists a kind in a namespace; from a server that lacks its version, in an `older` one that has the same fields as far
    /// as they are read here. A server that has neither has no such objects.
    ///
    /// # Errors
    /// Whatever else the server or the way to it says.
    pub(super) async fn list_or_older<K: Kind>(
        &self,
        namespace: &str,
        older: &str,
    ) -> Result<Versioned<K>, ClusterError> {
        match self.list::<K>(Some(namespace), ListParams::default()).await {
            Ok(items) => Ok(Versioned { items, is_older: false }),
            Err(error) if error.is_not_found() => {
                let items = self.list_older(namespace, older).await?;
                Ok(Versioned { items, is_older: true })
            }
            Err(error) => Err(error),
        }
    }

    async fn list_older<K: Kind>(&self, namespace: &str, version: &str) -> Result<Vec<K>, ClusterError> {
        let mut resource = ApiResource::erase::<K>(&());
        resource.api_version = format!("{}/{version}", resource.group);
        resource.version = version.to_owned();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        let objects = match self.limited(api.list(&ListParams::default())).await {
            Ok(objects) => objects.items,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let typed = |mut object: DynamicObject| {
            // Its type would say that it is of another version.
            object.types = None;
            serde_json::from_value(serde_json::to_value(object).ok()?).ok()
        };
        Ok(objects.into_iter().filter_map(typed).collect())
    }
}
