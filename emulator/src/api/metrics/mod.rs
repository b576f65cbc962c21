//! `metrics.k8s.io/v1beta1`: what pods and the node use, for `kubectl top`. Measured where it is asked for, so that
//! an emulator that nobody asks does nothing.

mod machine;
mod measure;
mod view;

use axum::body::Body;
use axum::http::Response;

pub use self::measure::Meter;
use self::view::Measured;
use super::Api;
use super::answer::ok;
use super::query::Query;
use super::selector::Selector;
use super::shape::Shape;
use super::status::Status;
use crate::store::{Key, Resource};

/// The group and its one version.
pub(super) const GROUP_VERSION: &str = "metrics.k8s.io/v1beta1";

/// What a path of the group stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Of what the metrics are: pods or nodes.
    pub(super) of: Resource,
    namespace: Option<String>,
    name: Option<String>,
}

impl Target {
    /// Reads what stands after `/apis/metrics.k8s.io/v1beta1/`.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let some = |text: &&str| Some((*text).to_owned());
        let (of, namespace, name) = match parts.as_slice() {
            ["nodes"] => (Resource::Nodes, None, None),
            ["nodes", name] => (Resource::Nodes, None, some(name)),
            ["pods"] => (Resource::Pods, None, None),
            ["namespaces", namespace, "pods"] => (Resource::Pods, some(namespace), None),
            ["namespaces", namespace, "pods", name] => (Resource::Pods, some(namespace), some(name)),
            _ => return None,
        };
        Some(Self { of, namespace, name })
    }

    fn measured(&self) -> Measured {
        match self.of {
            Resource::Nodes => Measured::Node,
            _ => Measured::Pod,
        }
    }
}

/// Answers a `get` or a `list`.
///
/// # Errors
/// Where there is no such object or nothing was measured of it, or a selector can't be read.
pub(super) async fn answer(api: &Api, target: &Target, query: &Query, accept: &str) -> Result<Response<Body>, Status> {
    let selector = Selector::parse(
        target.of,
        false,
        query.get("labelSelector").unwrap_or_default(),
        query.get("fieldSelector").unwrap_or_default(),
    )
    .map_err(Status::bad_request)?;
    let measured = target.measured();
    let objects = match &target.name {
        None => api.store.list(target.of, target.namespace.as_deref()).0,
        Some(name) => {
            let key = Key::new(target.of, target.namespace.clone().unwrap_or_default(), name.as_str());
            vec![api.store.get(&key).ok_or_else(|| measured.not_found(&key))?]
        }
    };
    let reading = api
        .meter
        .read(&api.runtime, &api.clock)
        .await
        .map_err(Status::internal)?;
    let selected = objects.iter().filter(|object| selector.matches(object));
    let items = selected
        .filter_map(|object| measured.metrics(object, &reading))
        .collect::<Vec<_>>();
    if let (Measured::Pod, true, Some(why)) = (measured, items.is_empty(), &reading.unmeasured) {
        return Err(Status::service_unavailable(why));
    }
    let shape = Shape::of(accept, query.get("includeObject"));
    match &target.name {
        None => Ok(ok(&measured.list(items, shape))),
        Some(name) => {
            let key = Key::new(target.of, target.namespace.clone().unwrap_or_default(), name.as_str());
            let item = items.into_iter().next().ok_or_else(|| measured.not_found(&key))?;
            Ok(ok(&measured.one(item, shape)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_nodes_and_pods() {
        let target = |of, namespace: &str, name: &str| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            Some(Target {
                of,
                namespace: some(namespace),
                name: some(name),
            })
        };
        assert_eq!(Target::parse("nodes/a"), target(Resource::Nodes, "", "a"));
        assert_eq!(Target::parse("namespaces/n/pods"), target(Resource::Pods, "n", ""));
        assert_eq!(Target::parse("namespaces/n/pods/p"), target(Resource::Pods, "n", "p"));
        assert_eq!(Target::parse("pods/p"), None);
        assert_eq!(Target::parse("namespaces/n"), None);
    }
}
