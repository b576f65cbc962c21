//! What can be named on the command line: pods, and what pods belong to.

use super::usage::{UsageError, nearest};

/// A kind of object that leads to pods.
#[derive(Debug, PartialEq, Eq)]
pub struct TargetKind {
    /// The resource in a path: `deployments`.
    pub resource: &'static str,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The version that today's servers serve.
    pub version: &'static str,
    /// The kind, the singular and the short name.
    names: [&'static str; 3],
    /// How its pods are found.
    pub pods: PodsOf,
}

/// How the pods of an object are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodsOf {
    /// It is a pod.
    Itself,
    /// By its label selector, `spec.selector`.
    Selector,
    /// By a selector of mere labels.
    Labels,
    /// By those of the jobs that it made.
    Jobs,
    /// By the node that they are bound to.
    Node,
}

/// The kinds, the pod first.
pub static KINDS: [TargetKind; 10] = [
    kind("pods", "", ["Pod", "pod", "po"], PodsOf::Itself),
    kind(
        "deployments",
        "apps",
        ["Deployment", "deployment", "deploy"],
        PodsOf::Selector,
    ),
    kind(
        "replicasets",
        "apps",
        ["ReplicaSet", "replicaset", "rs"],
        PodsOf::Selector,
    ),
    kind(
        "statefulsets",
        "apps",
        ["StatefulSet", "statefulset", "sts"],
        PodsOf::Selector,
    ),
    kind("daemonsets", "apps", ["DaemonSet", "daemonset", "ds"], PodsOf::Selector),
    kind("jobs", "batch", ["Job", "job", "job"], PodsOf::Selector),
    kind("cronjobs", "batch", ["CronJob", "cronjob", "cj"], PodsOf::Jobs),
    kind(
        "replicationcontrollers",
        "",
        ["ReplicationController", "replicationcontroller", "rc"],
        PodsOf::Labels,
    ),
    kind("services", "", ["Service", "service", "svc"], PodsOf::Labels),
    kind("nodes", "", ["Node", "node", "no"], PodsOf::Node),
];

const fn kind(resource: &'static str, group: &'static str, names: [&'static str; 3], pods: PodsOf) -> TargetKind {
    TargetKind {
        resource,
        group,
        version: "v1",
        names,
        pods,
    }
}

impl TargetKind {
    /// The kind that a word names: `deploy`, `Deployments`, `deployments.apps`, `deployments.v1.apps`.
    pub fn named(word: &str) -> Option<&'static Self> {
        let word = word.to_lowercase();
        let (name, group) = word.split_once('.').unwrap_or((&word, ""));
        KINDS.iter().find(|kind| {
            let is_name = kind.resource == name || kind.names.iter().any(|other| other.to_lowercase() == name);
            let full = format!("{}.{}", kind.version, kind.group);
            is_name && (group.is_empty() || group == kind.group || group == full.trim_end_matches('.'))
        })
    }

    /// The singular, for whoever reads it: `deployment`.
    pub fn singular(&self) -> &'static str {
        self.names[1]
    }

    /// Group and version as objects have them: `apps/v1`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The short name, for messages: `deploy`.
    pub fn short_name(&self) -> &'static str {
        self.names[2]
    }
}

/// An object that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is.
    pub kind: &'static TargetKind,
    /// What it is called.
    pub name: String,
}

/// Reads `NAME…`, `TYPE NAME…` and `TYPE/NAME…`; no names where only a type of pods is given.
///
/// # Errors
/// kubectl's sentence for what is no way to name objects; a type that leads to no pods.
pub fn read(arguments: &[String]) -> Result<Vec<Target>, UsageError> {
    let (kind, rest) = match arguments {
        [only] => match TargetKind::named(only) {
            // One word that could be a type is the name of a pod, unless the type is that of pods.
            Some(kind) if kind.pods == PodsOf::Itself => (Some(kind), &arguments[1..]),
            _ => (None, arguments),
        },
        [first, ..] => match TargetKind::named(first) {
            Some(kind) => (Some(kind), &arguments[1..]),
            None => (None, arguments),
        },
        [] => (None, arguments),
    };
    rest.iter().map(|argument| read_one(kind, argument)).collect()
}

fn read_one(kind: Option<&'static TargetKind>, argument: &str) -> Result<Target, UsageError> {
    match argument.split_once('/') {
        None if argument.is_empty() => Err(UsageError::new("resource name may not be empty")),
        None => Ok(Target {
            kind: kind.unwrap_or(&KINDS[0]),
            name: argument.to_owned(),
        }),
        Some(_) if kind.is_some() => Err(UsageError::new(
            "there is no need to specify a resource type as a separate argument when passing arguments in \
             resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource \
             resource/<resource_name>'",
        )),
        Some((kind, name)) if kind.is_empty() || name.is_empty() || name.contains('/') => Err(UsageError::new(
            "arguments in resource/name form must have a single resource and name",
        )),
        Some((word, name)) => match TargetKind::named(word) {
            Some(kind) => Ok(Target {
                kind,
                name: name.to_owned(),
            }),
            None => {
                let known = KINDS
                    .iter()
                    .flat_map(|kind| kind.names.into_iter().chain([kind.resource]));
                let types: Vec<&str> = KINDS.iter().map(|kind| kind.resource).collect();
                Err(UsageError::new(format!(
                    "{argument}: pods are found through {}, not through {word:?}",
                    types.join(", ")
                ))
                .suggest(nearest(word, known).map(|meant| format!("{meant}/{name}"))))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(words: &[&str]) -> Result<Vec<String>, String> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        read(&words)
            .map(|targets| {
                let shown = |target: Target| format!("{}/{}", target.kind.short_name(), target.name);
                targets.into_iter().map(shown).collect()
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn objects_are_named_in_every_way_that_kubectl_takes() {
        for (words, named) in [
            (vec!["web"], vec!["po/web"]),
            (vec!["pods"], vec![]),
            (vec!["pod/web", "deploy/web"], vec!["po/web", "deploy/web"]),
            (vec!["pods", "web", "db"], vec!["po/web", "po/db"]),
            (vec!["Deployment", "web"], vec!["deploy/web"]),
            (vec!["deployments.apps/web"], vec!["deploy/web"]),
            (vec!["deployments.v1.apps/web"], vec!["deploy/web"]),
            (vec!["pods.v1/web"], vec!["po/web"]),
            (vec!["node/emulator"], vec!["no/emulator"]),
            // A pod may be called as a type is.
            (vec!["deploy"], vec!["po/deploy"]),
        ] {
            assert_eq!(read_words(&words).unwrap(), named, "{words:?}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused_in_kubectls_words() {
        for (words, said) in [
            (vec![""], "resource name may not be empty"),
            (
                vec!["pod/"],
                "arguments in resource/name form must have a single resource and name",
            ),
            (
                vec!["a/b/c"],
                "arguments in resource/name form must have a single resource and name",
            ),
            (vec!["pods", "pod/web"], "there is no need to specify a resource type"),
            (vec!["deploments/web"], "deployments/web"),
            (vec!["configmap/web"], "not through \"configmap\""),
        ] {
            let error = read_words(&words).unwrap_err();
            assert!(error.contains(said), "{words:?}: {error}");
        }
    }
}
