//! What tells the items of a list apart when two versions of an object are merged.
//!
//! Kubernetes says it in its types (`patchMergeKey`, `listMapKey`); by the list's name it is unambiguous for the kinds here.

/// How the items of a list belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    /// The list is one value.
    Atomic,
    /// Each value is there once.
    Set,
    /// Items are told apart by these fields; the first alone is the key of a strategic merge patch.
    Keyed(&'static [&'static str]),
}

/// How the items of the list `field` belong together.
pub(super) fn items(field: &str) -> Items {
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets"
        | "schedulingGates"
        | "resourceClaims"
        | "claims" => Items::Keyed(&["name"]),
        "ports" => Items::Keyed(&["containerPort", "protocol"]),
        "volumeMounts" => Items::Keyed(&["mountPath"]),
        "volumeDevices" => Items::Keyed(&["devicePath"]),
        "hostAliases" | "podIPs" | "hostIPs" => Items::Keyed(&["ip"]),
        "topologySpreadConstraints" => Items::Keyed(&["topologyKey", "whenUnsatisfiable"]),
        "conditions" | "addresses" => Items::Keyed(&["type"]),
        "ownerReferences" => Items::Keyed(&["uid"]),
        "finalizers" => Items::Set,
        _ => Items::Atomic,
    }
}

/// The value of a key field that is left out.
pub(super) fn default_of(key: &str) -> Option<&'static str> {
    (key == "protocol").then_some("TCP")
}

/// Objects that are one value: whoever sets one field of them sets all.
pub(super) fn is_atomic_object(field: &str) -> bool {
    matches!(
        field,
        "nodeSelector"
            | "secretRef"
            | "configMapKeyRef"
            | "secretKeyRef"
            | "fieldRef"
            | "resourceFieldRef"
            | "selector"
            | "scopeSelector"
    )
}
