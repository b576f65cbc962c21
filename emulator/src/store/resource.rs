//! The kinds of objects that the API serves.

/// A kind of object, named by its plural in paths. The order is the order of `kubectl api-resources`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the Kubernetes kind of that name")]
pub enum Resource {
    ConfigMaps,
    Events,
    Leases,
    LimitRanges,
    Namespaces,
    Nodes,
    Pods,
    PodTemplates,
    PriorityClasses,
    ResourceQuotas,
    RuntimeClasses,
    Secrets,
    ServiceAccounts,
}

impl Resource {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::ConfigMaps,
        Self::Events,
        Self::Leases,
        Self::LimitRanges,
        Self::Namespaces,
        Self::Nodes,
        Self::Pods,
        Self::PodTemplates,
        Self::PriorityClasses,
        Self::ResourceQuotas,
        Self::RuntimeClasses,
        Self::Secrets,
        Self::ServiceAccounts,
    ];

    /// The plural in paths, as `configmaps`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ConfigMaps => "configmaps",
            Self::Events => "events",
            Self::Leases => "leases",
            Self::LimitRanges => "limitranges",
            Self::Namespaces => "namespaces",
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::PodTemplates => "podtemplates",
            Self::PriorityClasses => "priorityclasses",
            Self::ResourceQuotas => "resourcequotas",
            Self::RuntimeClasses => "runtimeclasses",
            Self::Secrets => "secrets",
            Self::ServiceAccounts => "serviceaccounts",
        }
    }

    /// The kind in manifests, as `ConfigMap`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::ConfigMaps => "ConfigMap",
            Self::Events => "Event",
            Self::Leases => "Lease",
            Self::LimitRanges => "LimitRange",
            Self::Namespaces => "Namespace",
            Self::Nodes => "Node",
            Self::Pods => "Pod",
            Self::PodTemplates => "PodTemplate",
            Self::PriorityClasses => "PriorityClass",
            Self::ResourceQuotas => "ResourceQuota",
            Self::RuntimeClasses => "RuntimeClass",
            Self::Secrets => "Secret",
            Self::ServiceAccounts => "ServiceAccount",
        }
    }

    /// What kubectl lets one type instead, as `cm`.
    pub fn short_names(self) -> &'static [&'static str] {
        match self {
            Self::ConfigMaps => &["cm"],
            Self::Events => &["ev"],
            Self::Namespaces => &["ns"],
            Self::Nodes => &["no"],
            Self::Pods => &["po"],
            Self::PriorityClasses => &["pc"],
            Self::LimitRanges => &["limits"],
            Self::ResourceQuotas => &["quota"],
            Self::Leases | Self::PodTemplates | Self::RuntimeClasses | Self::Secrets => &[],
            Self::ServiceAccounts => &["sa"],
        }
    }

    /// The API group that it is stored in; the core's is empty. Its version is `v1` in each.
    pub fn group(self) -> &'static str {
        match self {
            Self::Leases => "coordination.k8s.io",
            Self::PriorityClasses => "scheduling.k8s.io",
            Self::RuntimeClasses => "node.k8s.io",
            _ => "",
        }
    }

    /// `apiVersion` of its objects as they are stored.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Leases => "coordination.k8s.io/v1",
            Self::PriorityClasses => "scheduling.k8s.io/v1",
            Self::RuntimeClasses => "node.k8s.io/v1",
            _ => "v1",
        }
    }

    /// As the server names it in messages: `priorityclasses.scheduling.k8s.io`.
    pub fn qualified(self) -> &'static str {
        match self {
            Self::Leases => "leases.coordination.k8s.io",
            Self::PriorityClasses => "priorityclasses.scheduling.k8s.io",
            Self::RuntimeClasses => "runtimeclasses.node.k8s.io",
            core => core.plural(),
        }
    }

    /// The same for its kind: `PriorityClass.scheduling.k8s.io`.
    pub fn qualified_kind(self) -> &'static str {
        match self {
            Self::Leases => "Lease.coordination.k8s.io",
            Self::PriorityClasses => "PriorityClass.scheduling.k8s.io",
            Self::RuntimeClasses => "RuntimeClass.node.k8s.io",
            core => core.kind(),
        }
    }

    /// Whether its objects belong to a namespace.
    pub fn namespaced(self) -> bool {
        !matches!(
            self,
            Self::Namespaces | Self::Nodes | Self::PriorityClasses | Self::RuntimeClasses
        )
    }

    /// The kind whose plural this is.
    pub fn from_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.plural() == plural)
    }
}
