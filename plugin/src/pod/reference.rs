//! What a pod refers to by name, and where its spec says so.

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};

/// A kind that a pod refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret; its values are never fetched.
    Secret,
    /// A PersistentVolumeClaim.
    Claim,
    /// A ServiceAccount.
    ServiceAccount,
}

impl Kind {
    /// As Kubernetes names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Claim => "PersistentVolumeClaim",
            Self::ServiceAccount => "ServiceAccount",
        }
    }

    /// As kubectl takes it.
    pub fn argument(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
            Self::Claim => "pvc",
            Self::ServiceAccount => "serviceaccount",
        }
    }
}

/// A reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// What kind of object it is.
    pub kind: Kind,
    /// Its name, in the pod's namespace.
    pub name: String,
    /// Where the spec refers to it, such as `spec.containers[0].envFrom[1].configMapRef`.
    pub path: String,
    /// Whether the pod does without.
    pub is_optional: bool,
}

/// All references of a spec, each object once: at the first place that cannot do without, or else the first.
pub fn of(spec: &PodSpec) -> Vec<Reference> {
    let mut all = Vec::new();
    let mut add = |kind: Kind, name: &str, path: String, is_optional: Option<bool>| {
        if !name.is_empty() {
            all.push(Reference {
                kind,
                name: name.to_owned(),
                path,
                is_optional: is_optional.unwrap_or(false),
            });
        }
    };
    if let Some(account) = &spec.service_account_name {
        add(
            Kind::ServiceAccount,
            account,
            "spec.serviceAccountName".to_owned(),
            None,
        );
    }
    for (number, secret) in spec.image_pull_secrets.iter().flatten().enumerate() {
        add(
            Kind::Secret,
            &secret.name,
            format!("spec.imagePullSecrets[{number}]"),
            None,
        );
    }
    for (number, volume) in spec.volumes.iter().flatten().enumerate() {
        of_volume(volume, &format!("spec.volumes[{number}]"), &mut add);
    }
    let lists = [
        ("initContainers", spec.init_containers.as_deref().unwrap_or_default()),
        ("containers", spec.containers.as_slice()),
    ];
    for (list, containers) in lists {
        for (number, container) in containers.iter().enumerate() {
            of_container(container, &format!("spec.{list}[{number}]"), &mut add);
        }
    }
    let mut once: Vec<Reference> = Vec::new();
    for reference in all {
        let same = once
            .iter_mut()
            .find(|other| other.kind == reference.kind && other.name == reference.name);
        match same {
            None => once.push(reference),
            Some(other) if other.is_optional && !reference.is_optional => *other = reference,
            Some(_) => {}
        }
    }
    once
}

fn of_volume(volume: &Volume, path: &str, add: &mut impl FnMut(Kind, &str, String, Option<bool>)) {
    if let Some(map) = &volume.config_map {
        add(
            Kind::ConfigMap,
            &map.name,
            format!("{path}.configMap.name"),
            map.optional,
        );
    }
    if let Some(secret) = &volume.secret {
        let name = secret.secret_name.as_deref().unwrap_or_default();
        add(Kind::Secret, name, format!("{path}.secret.secretName"), secret.optional);
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        add(
            Kind::Claim,
            &claim.claim_name,
            format!("{path}.persistentVolumeClaim.claimName"),
            None,
        );
    }
    let sources = volume
        .projected
        .iter()
        .flat_map(|projected| projected.sources.iter().flatten());
    for (number, source) in sources.enumerate() {
        let path = format!("{path}.projected.sources[{number}]");
        if let Some(map) = &source.config_map {
            add(
                Kind::ConfigMap,
                &map.name,
                format!("{path}.configMap.name"),
                map.optional,
            );
        }
        if let Some(secret) = &source.secret {
            add(
                Kind::Secret,
                &secret.name,
                format!("{path}.secret.name"),
                secret.optional,
            );
        }
    }
}

fn of_container(container: &Container, path: &str, add: &mut impl FnMut(Kind, &str, String, Option<bool>)) {
    for (number, source) in container.env_from.iter().flatten().enumerate() {
        let path = format!("{path}.envFrom[{number}]");
        if let Some(map) = &source.config_map_ref {
            add(Kind::ConfigMap, &map.name, format!("{path}.configMapRef"), map.optional);
        }
        if let Some(secret) = &source.secret_ref {
            add(Kind::Secret, &secret.name, format!("{path}.secretRef"), secret.optional);
        }
    }
    for (number, variable) in container.env.iter().flatten().enumerate() {
        let Some(source) = &variable.value_from else { continue };
        let path = format!("{path}.env[{number}].valueFrom");
        if let Some(key) = &source.config_map_key_ref {
            add(
                Kind::ConfigMap,
                &key.name,
                format!("{path}.configMapKeyRef"),
                key.optional,
            );
        }
        if let Some(key) = &source.secret_key_ref {
            add(Kind::Secret, &key.name, format!("{path}.secretKeyRef"), key.optional);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_once_where_the_pod_cannot_do_without_it() {
        let spec: PodSpec = serde_json::from_value(serde_json::json!({
            "serviceAccountName": "default",
            "volumes": [
                {"name": "a", "configMap": {"name": "settings", "optional": true}},
                {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
            ],
            "containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": "settings"}}],
                "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]}],
        }))
        .unwrap();
        let said: Vec<_> = of(&spec)
            .into_iter()
            .map(|one| format!("{} {} {}", one.kind.name(), one.name, one.path))
            .collect();
        assert_eq!(
            said,
            [
                "ServiceAccount default spec.serviceAccountName",
                "ConfigMap settings spec.containers[0].envFrom[0].configMapRef",
                "PersistentVolumeClaim data spec.volumes[1].persistentVolumeClaim.claimName",
                "Secret db spec.containers[0].env[0].valueFrom.secretKeyRef",
            ]
        );
    }
}
