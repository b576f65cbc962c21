//! The kinds of objects that the API serves.

/// A kind of object, named by its plural in paths. The order is the order of `kubectl api-resources`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the Kubernetes kind of that name")]
pub enum Resource {
    ConfigMaps,
    Events,
    Namespaces,
    Nodes,
    Pods,
    Secrets,
    ServiceAccounts,
}

impl Resource {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::ConfigMaps,
        Self::Events,
        Self::Namespaces,
        Self::Nodes,
        Self::Pods,
        Self::Secrets,
        Self::ServiceAccounts,
    ];

    /// The plural in paths, as `configmaps`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ConfigMaps => "configmaps",
            Self::Events => "events",
            Self::Namespaces => "namespaces",
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::Secrets => "secrets",
            Self::ServiceAccounts => "serviceaccounts",
        }
    }

    /// The kind in manifests, as `ConfigMap`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::ConfigMaps => "ConfigMap",
            Self::Events => "Event",
            Self::Namespaces => "Namespace",
            Self::Nodes => "Node",
            Self::Pods => "Pod",
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
            Self::Secrets => &[],
            Self::ServiceAccounts => &["sa"],
        }
    }

    /// Whether its objects belong to a namespace.
    pub fn namespaced(self) -> bool {
        !matches!(self, Self::Namespaces | Self::Nodes)
    }

    /// The kind whose plural this is.
    pub fn from_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.plural() == plural)
    }
}
