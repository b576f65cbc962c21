//! The API's warnings about a new pod: what is allowed and still most likely a mistake (`pkg/api/pod/warnings.go`), and
//! what has no effect on this node.

mod capabilities;
mod containers;
mod ineffective;
mod overlaps;
mod ports;
mod scheduling;
mod spec;
mod volumes;

use std::{collections::HashSet, fmt};

use serde_json::Value;

use super::app_armor;
use crate::store::Resource;

/// The number of warnings that are collected about one object. The head of an answer has room for fewer.
const MAX_WARNINGS: usize = 256;

/// A warning about one field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The field: `spec.containers[0].env[1]`.
    pub path: String,
    /// The text of the `Warning:` header; most often it begins with the path.
    text: String,
}

impl Warning {
    /// Returns the text without the path.
    pub fn message(&self) -> &str {
        let rest = self.text.strip_prefix(&self.path);
        rest.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&self.text)
    }
}

impl fmt::Display for Warning {
    /// Writes the text of the `Warning:` header.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Returns the warnings about an object as it was admitted.
pub fn warnings(resource: Resource, object: &Value) -> Vec<Warning> {
    let mut warnings = Warnings::default();
    if resource == Resource::Pods {
        spec::name(object, &mut warnings);
        scheduling::check(&object["spec"], &mut warnings);
        spec::annotations(object, &mut warnings);
        volumes::check(&object["spec"], &mut warnings);
        overlaps::check(&object["spec"], &mut warnings);
        spec::lists(&object["spec"], &mut warnings);
        containers::check(object, &mut warnings);
        capabilities::check(&object["spec"], &mut warnings);
        ports::check(&object["spec"], &mut warnings);
        spec::grace_period(&object["spec"], &mut warnings);
        scheduling::label_selectors(&object["spec"], &mut warnings);
        spec::addresses(&object["spec"], &mut warnings);
        ineffective::check(object, &mut warnings);
    }
    warnings.list
}

/// Returns the warnings about a decoded object that admission would hide: it copies AppArmor annotations into fields.
pub fn warnings_before_admission(resource: Resource, object: &Value) -> Vec<Warning> {
    let mut warnings = Warnings::default();
    if resource == Resource::Pods {
        for key in app_armor::deprecated(object) {
            let path = format!("metadata.annotations[{key}]");
            warnings.add(
                path,
                "deprecated since v1.30; use the \"appArmorProfile\" field instead",
            );
        }
    }
    warnings.list
}

/// Collects warnings, each once.
#[derive(Default)]
struct Warnings {
    list: Vec<Warning>,
    texts: HashSet<String>,
}

impl Warnings {
    fn add(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        let path = path.into();
        let text = format!("{path}: {message}");
        self.add_text(path, text);
    }

    /// Adds a warning whose text names its place in its own way.
    fn add_text(&mut self, path: String, text: String) {
        if !self.is_full() && self.texts.insert(text.clone()) {
            self.list.push(Warning { path, text });
        }
    }

    /// Whether nothing more is collected. Checks whose work grows with the square of a list end here.
    fn is_full(&self) -> bool {
        self.list.len() >= MAX_WARNINGS
    }
}

/// The containers of a pod with their paths, in the order of the API server's own visitor.
fn visit_containers(spec: &Value) -> impl Iterator<Item = (String, &Value)> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(move |list| {
            let all = spec[list].as_array().into_iter().flatten().enumerate();
            all.map(move |(index, container)| (format!("spec.{list}[{index}]"), container))
        })
}

/// The items of a list with their paths.
fn items<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = (String, &'a Value)> + use<'a> {
    let path = path.to_owned();
    let all = value.as_array().into_iter().flatten().enumerate();
    all.map(move |(index, item)| (format!("{path}[{index}]"), item))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

#[cfg(test)]
fn texts(pod: &Value) -> Vec<String> {
    warnings(Resource::Pods, pod).iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn warning_names_its_field_and_message() {
        let pod = json!({"spec": {"terminationGracePeriodSeconds": -1, "volumes": [{"name": "v", "secret": {
            "secretName": "s", "items": [{"path": "a"}, {"path": "a"}]}}]}});
        let found = warnings(Resource::Pods, &pod);
        let found: Vec<(&str, &str)> = found.iter().map(|one| (one.path.as_str(), one.message())).collect();
        assert_eq!(
            found,
            [
                (
                    "spec.volumes[0].secret.items[1].path",
                    "volume \"v\" (Secret \"s\"): overlapping paths: \"a\" with \"a\""
                ),
                (
                    "spec.terminationGracePeriodSeconds",
                    "must be >= 0; negative values are invalid and will be treated as 1"
                ),
            ]
        );
    }

    #[test]
    fn warnings_are_bounded_and_said_once() {
        let port = json!({"containerPort": 80, "protocol": "TCP"});
        let pod = json!({"spec": {"containers": [{"ports": vec![port; 5000]}]}});
        let found = warnings(Resource::Pods, &pod);
        assert_eq!(found.len(), MAX_WARNINGS);
        let item = json!({"path": "a"});
        let pod = json!({"spec": {"volumes": [{"name": "v", "secret": {"items": vec![item; 5000]}}]}});
        assert_eq!(warnings(Resource::Pods, &pod).len(), 1);
    }

    #[test]
    fn plain_pod_has_no_warnings() {
        let resources = json!({"cpu": "100m", "memory": "4M", "ephemeral-storage": "4G"});
        let pod = json!({"metadata": {"name": "p", "annotations": {"foo": "bar"}}, "spec": {
            "nodeSelector": {"foo": "bar"}, "overhead": resources, "hostAliases": [{"ip": "1.1.1.1"}, {"ip": "2.2.2.2"}],
            "imagePullSecrets": [{"name": "a"}, {"name": "b"}],
            "topologySpreadConstraints": [{"topologyKey": "foo", "labelSelector": {}}],
            "containers": [{"name": "c", "env": [{"name": "a"}, {"name": "b"}],
                "resources": {"limits": resources, "requests": resources}}]}});
        assert!(texts(&pod).is_empty(), "{:?}", texts(&pod));
    }
}
