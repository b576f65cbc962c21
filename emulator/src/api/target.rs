//! What a path under `/api/v1` or `/apis/GROUP/v1` stands for.

use std::borrow::Cow;

use serde_json::Value;

use super::event_form::{EVENTS_GROUP, exchanged};
use crate::store::{Key, Resource};

/// A collection, an object, or a part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) resource: Resource,
    /// Events are seen as those of `events.k8s.io`.
    pub(super) new_events: bool,
    /// Absent for all namespaces, and for what belongs to none.
    pub(super) namespace: Option<String>,
    /// Absent for a collection.
    pub(super) name: Option<String>,
    /// `status`, `log`, …
    pub(super) subresource: Option<String>,
}

impl Target {
    /// Reads a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/api/v1/") {
            return Self::parse(rest).filter(|target| target.resource.group().is_empty());
        }
        let (group, rest) = path.strip_prefix("/apis/")?.split_once("/v1/")?;
        let mut target = Self::parse(rest)?;
        target.new_events = target.resource == Resource::Events && group == EVENTS_GROUP;
        (!group.is_empty() && group == target.group()).then_some(target)
    }

    /// The pods of a namespace.
    pub(super) fn pods(namespace: &str) -> Self {
        Self {
            resource: Resource::Pods,
            new_events: false,
            namespace: Some(namespace.to_owned()),
            name: None,
            subresource: None,
        }
    }

    /// Reads what stands after the version.
    fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let (namespace, rest) = match parts.as_slice() {
            ["namespaces", namespace, plural, rest @ ..]
                if Resource::from_plural(plural).is_some_and(Resource::namespaced) =>
            {
                (Some((*namespace).to_owned()), [&[*plural], rest].concat())
            }
            _ => (None, parts.clone()),
        };
        let resource = Resource::from_plural(rest.first()?)?;
        let (name, subresource) = match rest.get(1..)? {
            [] => (None, None),
            [name] => (Some((*name).to_owned()), None),
            [name, subresource] => (Some((*name).to_owned()), Some((*subresource).to_owned())),
            _ => return None,
        };
        // An object with a namespace is only found there.
        if resource.namespaced() && namespace.is_none() && name.is_some() {
            return None;
        }
        Some(Self {
            resource,
            new_events: false,
            namespace,
            name,
            subresource,
        })
    }

    /// The API group of the path.
    pub(super) fn group(&self) -> &'static str {
        if self.new_events {
            EVENTS_GROUP
        } else {
            self.resource.group()
        }
    }

    /// An object as this path shows it.
    pub(super) fn shown<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        if self.new_events {
            Cow::Owned(exchanged(object))
        } else {
            Cow::Borrowed(object)
        }
    }

    /// The key of an object of that name.
    pub(super) fn key(&self, name: &str) -> Key {
        Key::new(self.resource, self.namespace.clone().unwrap_or_default(), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(resource: Resource, namespace: &str, name: &str, subresource: &str) -> Option<Target> {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Some(Target {
            resource,
            new_events: false,
            namespace: some(namespace),
            name: some(name),
            subresource: some(subresource),
        })
    }

    #[test]
    fn paths_name_collections_objects_and_parts() {
        for (path, expected) in [
            ("pods", target(Resource::Pods, "", "", "")),
            ("namespaces/a/pods/b/log", target(Resource::Pods, "a", "b", "log")),
            ("namespaces/a", target(Resource::Namespaces, "", "a", "")),
            ("namespaces/a/status", target(Resource::Namespaces, "", "a", "status")),
            ("nodes/emulator", target(Resource::Nodes, "", "emulator", "")),
        ] {
            assert_eq!(Target::parse(path), expected, "{path}");
        }
    }

    #[test]
    fn each_kind_is_in_its_group_alone() {
        let resource = |path: &str| Target::of(path).map(|target| (target.resource, target.new_events));
        assert_eq!(resource("/api/v1/pods"), Some((Resource::Pods, false)));
        assert_eq!(resource("/api/v1/events"), Some((Resource::Events, false)));
        assert_eq!(
            resource("/apis/events.k8s.io/v1/events"),
            Some((Resource::Events, true))
        );
        let classes = "/apis/scheduling.k8s.io/v1/priorityclasses/a";
        assert_eq!(resource(classes), Some((Resource::PriorityClasses, false)));
        for path in [
            "/api/v1/priorityclasses",
            "/apis/events.k8s.io/v1/pods",
            "/apis//v1/pods",
            "/apis/apps/v1/deployments",
        ] {
            assert_eq!(resource(path), None, "{path}");
        }
    }

    #[test]
    fn other_paths_stand_for_nothing() {
        for path in [
            "",
            "deployments",
            "pods/a",
            "namespaces/a/deployments/b",
            "namespaces/a/pods/b/c/d",
        ] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }
}
