//! What a path under `/api/v1` stands for.

use crate::store::{Key, Resource};

/// A collection, an object, or a part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) resource: Resource,
    /// Absent for all namespaces, and for what belongs to none.
    pub(super) namespace: Option<String>,
    /// Absent for a collection.
    pub(super) name: Option<String>,
    /// `status`, `log`, …
    pub(super) subresource: Option<String>,
}

impl Target {
    /// Reads what stands after `/api/v1/`.
    pub(super) fn parse(path: &str) -> Option<Self> {
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
            namespace,
            name,
            subresource,
        })
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
