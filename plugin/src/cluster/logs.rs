//! A container's output, line by line, as it is written.

use futures::io::AsyncBufReadExt;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;

use super::Cluster;
use super::error::ClusterError;

impl Cluster {
    /// Follows the output of a container until it ends.
    ///
    /// # Errors
    /// Whatever the server or the way to it says: a container that has not started has no output.
    pub async fn follow_log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<impl Stream<Item = String> + Send + use<>, ClusterError> {
        let params = LogParams {
            container: Some(container.to_owned()),
            follow: true,
            ..LogParams::default()
        };
        let stream = self
            .api::<Pod>(Some(namespace))
            .log_stream(pod, &params)
            .await
            .map_err(|error| ClusterError::of(error, &self.server))?;
        // A connection that breaks ends the output: the watch tells whether the container has ended too.
        Ok(stream
            .lines()
            .take_while(|line| std::future::ready(line.is_ok()))
            .filter_map(|line| async { line.ok() }))
    }
}
