//! Fields that Kubernetes got after the release that the emulator follows: the types have them, this server does not know them.

/// Struct and field.
const NEWER: [(&str, &str); 19] = [
    ("ClusterTrustBundleProjection", "user"),
    ("ConfigMapVolumeSource", "defaultUser"),
    ("DownwardAPIVolumeFile", "user"),
    ("DownwardAPIVolumeSource", "defaultUser"),
    ("EmptyDirVolumeSource", "mode"),
    ("GRPCAction", "mode"),
    ("HTTPGetAction", "protocol"),
    ("KeyToPath", "user"),
    ("NodeAllocatableResourceClaimStatus", "mapping"),
    ("NodeAllocatableResourceClaimStatus", "overhead"),
    ("NodeSpec", "podPreemptionPolicy"),
    ("NodeSystemInfo", "runningInUserNamespace"),
    ("PodCertificateProjection", "user"),
    ("PodSpec", "evictionResponders"),
    ("PodStatus", "volumeHealth"),
    ("ProjectedVolumeSource", "defaultUser"),
    ("SecretVolumeSource", "defaultUser"),
    ("ServiceAccountTokenProjection", "user"),
    ("VolumeMount", "bindMountOptions"),
];

/// Whether a field, of a struct by its name in Go, is one of them.
pub(super) fn is_newer(structure: &str, field: &str) -> bool {
    NEWER.contains(&(structure, field))
}

/// All of them.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    NEWER.into_iter()
}
