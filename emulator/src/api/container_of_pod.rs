//! Which container of a pod a request for logs, exec or attach means.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use serde_json::Value;

use super::admission::Rejection;
use crate::runtime::PodRef;

/// The pod as a typed object, and who it is to the runtime.
pub(super) fn pod_of(object: &Value) -> Result<(Pod, PodRef), Rejection> {
    let pod: Pod = serde_json::from_value(object.clone()).map_err(|error| Rejection::Internal(error.to_string()))?;
    Ok((pod, PodRef::of(object)))
}

/// The container that is named, or the pod's only one.
pub(super) fn choose(pod: &Pod, named: Option<&str>) -> Result<String, Rejection> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let spec = pod.spec.as_ref();
    let regular: Vec<&str> = spec
        .map(|spec| spec.containers.iter().map(|one| one.name.as_str()).collect())
        .unwrap_or_default();
    let init: Vec<&str> = spec
        .and_then(|spec| spec.init_containers.as_ref())
        .map(|list| list.iter().map(|one| one.name.as_str()).collect())
        .unwrap_or_default();
    let ephemeral: Vec<&str> = spec
        .and_then(|spec| spec.ephemeral_containers.as_ref())
        .map(|list| list.iter().map(|one| one.name.as_str()).collect())
        .unwrap_or_default();
    if let Some(named) = named {
        if regular.iter().chain(&init).chain(&ephemeral).any(|one| *one == named) {
            return Ok(named.to_owned());
        }
        return Err(Rejection::BadRequest(format!(
            "container {named} is not valid for pod {name}"
        )));
    }
    match regular.as_slice() {
        [] => Err(Rejection::BadRequest(format!(
            "a container name must be specified for pod {name}"
        ))),
        [one] => Ok((*one).to_owned()),
        many => {
            let mut words = format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                many.join(" ")
            );
            if !init.is_empty() {
                words.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
            if !ephemeral.is_empty() {
                words.push_str(&format!(
                    " or one of the ephemeral containers: [{}]",
                    ephemeral.join(" ")
                ));
            }
            Err(Rejection::BadRequest(words))
        }
    }
}

/// What the pod's status says of a container of any kind.
pub(super) fn status_of<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    [
        &status.container_statuses,
        &status.init_container_statuses,
        &status.ephemeral_container_statuses,
    ]
    .into_iter()
    .flatten()
    .flatten()
    .find(|one| one.name == container)
}

/// Whether the pod has been given to a node.
pub(super) fn is_assigned(pod: &Pod) -> bool {
    pod.spec
        .as_ref()
        .and_then(|spec| spec.node_name.as_deref())
        .is_some_and(|node| !node.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(containers: &[&str]) -> Pod {
        let containers: Vec<Value> = containers.iter().map(|name| json!({"name": name})).collect();
        let object =
            json!({"metadata": {"name": "p"}, "spec": {"containers": containers, "initContainers": [{"name": "i"}]}});
        pod_of(&object).unwrap().0
    }

    #[test]
    fn the_only_container_needs_no_name() {
        assert_eq!(choose(&pod(&["a"]), None).unwrap(), "a");
        assert_eq!(choose(&pod(&["a", "b"]), Some("i")).unwrap(), "i");
    }

    #[test]
    fn several_are_listed() {
        assert_eq!(
            choose(&pod(&["a", "b"]), None).unwrap_err().to_string(),
            "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]"
        );
        assert_eq!(
            choose(&pod(&["a"]), Some("x")).unwrap_err().to_string(),
            "container x is not valid for pod p"
        );
    }
}
