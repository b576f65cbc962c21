//! What the checks look at: the annotations and the spec of a pod or of a pod's template.

use serde_json::Value;

/// A pod, or the template of one.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// `metadata.annotations`.
    pub(super) annotations: &'a Value,
    /// `spec`.
    pub(super) spec: &'a Value,
}

/// A container of any kind.
pub(super) struct Container<'a> {
    /// Where it is: `spec.containers[0]`.
    pub(super) path: String,
    pub(super) name: &'a str,
    pub(super) value: &'a Value,
}

impl<'a> Subject<'a> {
    /// The pod or template with this metadata and spec.
    pub(super) fn of(object: &'a Value) -> Self {
        Self {
            annotations: &object["metadata"]["annotations"],
            spec: &object["spec"],
        }
    }

    /// Every container, in the order in which the server visits them.
    pub(super) fn containers(self) -> impl Iterator<Item = Container<'a>> {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        lists.into_iter().flat_map(move |list| {
            let containers = self.spec[list].as_array().into_iter().flatten().enumerate();
            containers.map(move |(index, value)| Container {
                path: format!("spec.{list}[{index}]"),
                name: value["name"].as_str().unwrap_or_default(),
                value,
            })
        })
    }

    /// A field of the pod's security context.
    pub(super) fn context(self, field: &str) -> &'a Value {
        &self.spec["securityContext"][field]
    }

    /// Whether the pod says that it runs on Windows.
    pub(super) fn is_for_windows(self) -> bool {
        self.spec["os"]["name"] == "windows"
    }

    /// Whether the pod's users are none of the node's.
    pub(super) fn has_user_namespace(self) -> bool {
        self.spec["hostUsers"] == false
    }
}

impl<'a> Container<'a> {
    /// A field of the container's security context.
    pub(super) fn context(&self, field: &str) -> &'a Value {
        &self.value["securityContext"][field]
    }

    /// The path of such a field.
    pub(super) fn context_path(&self, field: &str) -> String {
        format!("{}.securityContext.{field}", self.path)
    }
}
