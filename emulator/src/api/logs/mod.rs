//! `GET …/pods/NAME/log`: what a container wrote.

mod file;
mod follow;
mod line;
mod options;

use axum::body::Body;
use axum::body::Bytes;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use serde_json::Value;
use tokio::sync::mpsc;

use self::follow::Follower;
pub use self::options::LogOptions;
use super::{
    admission::Rejection,
    container_of_pod::{choose, is_assigned, pod_of, status_of},
};
use crate::runtime::{ContainerId, SharedRuntime};

/// The body of an answer of type `text/plain`: at once, or as it comes with `follow`.
///
/// `query` is what stands after the `?`.
///
/// # Errors
/// The server's words where there is no such log.
pub async fn logs(pod: &Value, query: &str, now: jiff::Timestamp, runtime: &SharedRuntime) -> Result<Body, Rejection> {
    let (pod, pod_ref) = pod_of(pod)?;
    let options = LogOptions::parse(query, now, &pod_ref.name)?;
    let container = choose(&pod, options.container.as_deref())?;
    if !is_assigned(&pod) {
        return Ok(Body::empty());
    }
    let id = instance(&pod, &container, options.previous).map_err(Rejection::BadRequest)?;
    let known = runtime
        .pod_status(&pod_ref)
        .await
        .map_err(|error| Rejection::Internal(error.to_string()))?;
    let Some(path) = known
        .containers
        .iter()
        .find(|one| one.id == id)
        .map(|one| one.log_path.clone())
    else {
        let (name, _) = runtime.name();
        return Ok(Body::from(format!(
            "unable to retrieve container logs for {name}://{}",
            id.0
        )));
    };
    let (sender, mut receiver) = mpsc::channel::<Bytes>(8);
    let follower = Follower::new(path, options, runtime.clone(), pod_ref, id);
    tokio::spawn(follower.run(sender));
    let chunks = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    Ok(Body::from_stream(chunks.map(Ok::<_, std::convert::Infallible>)))
}

/// Which instance of a container is meant, from what the pod's status says.
fn instance(pod: &Pod, container: &str, previous: bool) -> Result<ContainerId, String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let what = format!("container \"{container}\" in pod \"{name}\"");
    let status = status_of(pod, container).ok_or_else(|| format!("{what} is not available"))?;
    let last = || ended_id(status.last_state.as_ref());
    if previous {
        return last().ok_or_else(|| format!("previous terminated {what} not found"));
    }
    let state = status.state.as_ref();
    if state.is_some_and(|state| state.running.is_some()) {
        return own_id(status).ok_or_else(|| format!("{what} is not available"));
    }
    if state.is_some_and(|state| state.terminated.is_some()) {
        return ended_id(state)
            .or_else(last)
            .ok_or_else(|| format!("{what} is terminated"));
    }
    if status
        .last_state
        .as_ref()
        .is_some_and(|state| state.terminated.is_some())
    {
        return last().ok_or_else(|| format!("{what} is terminated"));
    }
    let reason = state
        .and_then(|state| state.waiting.as_ref())
        .map(|waiting| waiting.reason.as_deref().unwrap_or_default());
    Err(match reason {
        Some("ErrImagePull") => format!("{what} is waiting to start: image can't be pulled"),
        Some("ImagePullBackOff") => format!("{what} is waiting to start: trying and failing to pull image"),
        Some(reason) => format!("{what} is waiting to start: {reason}"),
        None => format!("{what} is waiting to start - no logs yet"),
    })
}

fn own_id(status: &ContainerStatus) -> Option<ContainerId> {
    bare_id(status.container_id.as_deref())
}

fn ended_id(state: Option<&k8s_openapi::api::core::v1::ContainerState>) -> Option<ContainerId> {
    bare_id(state?.terminated.as_ref()?.container_id.as_deref())
}

/// `NAME://ID` without the runtime's name.
fn bare_id(id: Option<&str>) -> Option<ContainerId> {
    let (_, id) = id?.split_once("://")?;
    (!id.is_empty()).then(|| ContainerId(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: Value) -> Pod {
        let object = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "app"}]},
            "status": {"containerStatuses": [status]}});
        pod_of(&object).unwrap().0
    }

    #[test]
    fn a_waiting_container_says_what_for() {
        let waiting = |reason: &str| pod(json!({"name": "app", "state": {"waiting": {"reason": reason}}}));
        assert_eq!(
            instance(&waiting("ContainerCreating"), "app", false).unwrap_err(),
            "container \"app\" in pod \"p\" is waiting to start: ContainerCreating"
        );
        assert_eq!(
            instance(&waiting("ImagePullBackOff"), "app", false).unwrap_err(),
            "container \"app\" in pod \"p\" is waiting to start: trying and failing to pull image"
        );
    }

    #[test]
    fn a_container_in_backoff_shows_its_last_run() {
        let pod = pod(
            json!({"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "containerID": "containerd://abc"}}}),
        );
        assert_eq!(instance(&pod, "app", false).unwrap().0, "abc");
        assert_eq!(instance(&pod, "app", true).unwrap().0, "abc");
    }

    #[test]
    fn the_first_run_has_none_before_it() {
        let pod = pod(json!({"name": "app", "containerID": "containerd://abc", "state": {"running": {}}}));
        assert_eq!(
            instance(&pod, "app", true).unwrap_err(),
            "previous terminated container \"app\" in pod \"p\" not found"
        );
    }
}
