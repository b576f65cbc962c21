//! Static pods: a kubelet read them from a file, and the API shows their mirror.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// What the annotations of a static pod, or of its mirror, tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticPod {
    /// `file` or `http`.
    pub source: String,
    /// The UID that the kubelet gave it: the events of a mirror pod carry this one.
    pub mirror: Option<String>,
    /// The node whose kubelet runs it.
    pub node: Option<String>,
}

impl StaticPod {
    /// Reads it from the metadata; nothing for a pod from the API.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        let annotations = metadata.annotations.as_ref()?;
        let mirror = annotations.get("kubernetes.io/config.mirror").cloned();
        let source = annotations.get("kubernetes.io/config.source").cloned();
        if mirror.is_none() && source.as_deref().is_none_or(|source| source == "api") {
            return None;
        }
        Some(Self {
            source: source.unwrap_or_else(|| "file".to_owned()),
            mirror,
            node: metadata
                .owner_references
                .iter()
                .flatten()
                .find(|owner| owner.kind == "Node")
                .map(|owner| owner.name.clone()),
        })
    }
}
