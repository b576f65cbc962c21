//! Lists that are read page by page.

use kube::Api;
use kube::api::ListParams;

use super::error::ClusterError;
use super::{Cluster, Kind};

/// Objects of a kind, a page at a time.
pub struct Pages<'a, K> {
    cluster: &'a Cluster,
    api: Api<K>,
    params: ListParams,
    is_over: bool,
}

impl<'a, K: Kind> Pages<'a, K> {
    pub(super) fn new(cluster: &'a Cluster, api: Api<K>, mut params: ListParams) -> Self {
        params.limit = cluster.page;
        Self {
            cluster,
            api,
            params,
            is_over: false,
        }
    }

    /// Fetches the next page; none after the last, nor after one that could not be had.
    ///
    /// # Errors
    /// Whatever the server or the way to it says.
    pub async fn next(&mut self) -> Result<Option<Vec<K>>, ClusterError> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(None);
        }
        let page = self.cluster.limited(self.api.list(&self.params)).await?;
        self.params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        self.is_over = self.params.continue_token.is_none();
        Ok(Some(page.items))
    }
}
