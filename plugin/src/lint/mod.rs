//! What is odd in a pod's spec: fields that contradict each other, that cannot work, or that are missed later.
//!
//! Pure: a spec goes in, and each lint names the field that it is about.

pub mod api;
pub mod commands;
pub mod containers;
pub mod hooks;
pub mod images;
pub mod network;
pub mod order;
pub mod pod_security;
pub mod probes;
pub mod resources;
pub mod security;
pub mod volumes;

use emulator::simulation::{Fault, review};
use k8s_openapi::api::core::v1::{Container, PodSpec};

use self::api::At;
use crate::findings::message::Message;
use crate::findings::{Finding, Severity};
use crate::manifest::{PodOfFile, workload};
use crate::pod::Facts;
use crate::simulation::scenario::START;

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// How bad it is.
    pub severity: Severity,
    /// The field: `spec.containers[0].livenessProbe.timeoutSeconds`.
    pub path: String,
    /// Where it is shown.
    pub at: At,
    /// The words with which the API server refuses the pod for it, if it does.
    pub refusal: Option<String>,
    /// What is odd about it.
    pub what: Message,
    /// What is better.
    pub help: Message,
}

/// Collects lints.
#[derive(Debug, Default)]
pub struct Lints(Vec<Lint>);

impl Lints {
    fn add(&mut self, severity: Severity, path: impl Into<String>, what: Message, help: Message) {
        let path = path.into();
        self.0.push(Lint {
            severity,
            at: At::Field(path.clone()),
            path,
            refusal: None,
            what,
            help,
        });
    }

    /// Adds what the API server refuses, in words that say more than its own.
    fn refused(&mut self, path: impl Into<String>, what: Message, help: Message) {
        self.error(path, what, help);
        if let Some(lint) = self.0.last_mut() {
            lint.refusal = Some(String::new());
        }
    }

    fn error(&mut self, path: impl Into<String>, what: Message, help: Message) {
        self.add(Severity::Error, path, what, help);
    }

    fn warn(&mut self, path: impl Into<String>, what: Message, help: Message) {
        self.add(Severity::Warning, path, what, help);
    }

    fn note(&mut self, path: impl Into<String>, what: Message, help: Message) {
        self.add(Severity::Note, path, what, help);
    }
}

/// A container and its place in the spec.
struct Place<'a> {
    /// `spec.containers[0]`.
    path: String,
    container: &'a Container,
    is_init: bool,
}

impl Place<'_> {
    /// Whether it is an init container that runs beside the others.
    fn is_sidecar(&self) -> bool {
        self.is_init && self.container.restart_policy.as_deref() == Some("Always")
    }

    /// The path of one of its fields.
    fn at(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }
}

fn places(spec: &PodSpec) -> impl Iterator<Item = Place<'_>> {
    let init = spec.init_containers.iter().flatten().enumerate();
    let regular = spec.containers.iter().enumerate();
    let place = |list: &str, number: usize| format!("spec.{list}[{number}]");
    init.map(move |(number, container)| Place {
        path: place("initContainers", number),
        container,
        is_init: true,
    })
    .chain(regular.map(move |(number, container)| Place {
        path: place("containers", number),
        container,
        is_init: false,
    }))
}

/// Everything that is odd in a spec, the worst first.
pub fn of(spec: &PodSpec) -> Vec<Lint> {
    let mut lints = Lints::default();
    containers::rules(spec, &mut lints);
    images::rules(spec, &mut lints);
    commands::rules(spec, &mut lints);
    probes::rules(spec, &mut lints);
    hooks::rules(spec, &mut lints);
    order::rules(spec, &mut lints);
    resources::rules(spec, &mut lints);
    volumes::rules(spec, &mut lints);
    network::rules(spec, &mut lints);
    security::rules(spec, &mut lints);
    let mut lints = lints.0;
    lints.sort_by_key(|lint| std::cmp::Reverse(lint.severity));
    lints
}

/// Everything that is odd in a manifest, the worst first: what the API server says of it among it.
pub fn of_manifest(pod: &PodOfFile<'_>, spec: &PodSpec) -> Vec<Lint> {
    let mut lints = of(spec);
    let mut review = review(&pod.document.value, &pod.companions, START);
    let maker = pod.maker.as_ref();
    let of_maker = maker.and_then(|maker| workload::restart_policy_fault(maker, spec));
    review.faults.extend(of_maker.map(Fault::Field));
    api::add(&mut lints, &review, &pod.document.duplicates);
    lints
}

/// Whether the API server refuses a manifest.
pub fn is_refused(pod: &PodOfFile<'_>, facts: &Facts) -> bool {
    let none = PodSpec::default();
    let lints = of_manifest(pod, facts.spec().unwrap_or(&none));
    lints.iter().any(|lint| lint.refusal.is_some())
}

/// Lints as findings about a pod that is not well: those that may be the reason, at most as warnings.
pub fn findings(facts: &Facts, found: &[Finding]) -> Vec<Finding> {
    let Some(spec) = facts.spec().filter(|_| !facts.is_over()) else {
        return Vec::new();
    };
    of(spec)
        .into_iter()
        .filter(|lint| lint.severity > Severity::Note)
        // What is wrong already is not told twice.
        .filter(|lint| {
            found
                .iter()
                .all(|finding| finding.what.to_string() != lint.what.to_string())
        })
        .map(|lint| {
            let topic = topic(&lint.path);
            let quote = field(facts, &lint.path).unwrap_or_default();
            // It explains nothing by itself: it is told beside what is wrong.
            let is_related = found.iter().any(|finding| finding.topic == topic);
            let severity = if is_related { Severity::Warning } else { Severity::Note };
            Finding::new(severity, topic, lint.what)
                .seen(lint.path, quote)
                .because(crate::findings::message::say("lint.cause"))
                .then(lint.help)
        })
        .collect()
}

/// The name under which the catalogue files a field.
fn topic(path: &str) -> String {
    let known = [
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "preStop",
        "postStart",
        "image",
        "resources",
        "volumes",
        "ports",
    ];
    let found = known
        .into_iter()
        .find(|name| path.split(['.', '[']).any(|part| part == *name));
    found.unwrap_or("container").to_owned()
}

/// The value of a field of the pod, in one line.
fn field(facts: &Facts, path: &str) -> Option<String> {
    let pod = serde_json::to_value(&facts.pod).ok()?;
    let pointer: String = path
        .split(['.', '['])
        .map(|part| format!("/{}", part.trim_end_matches(']')))
        .collect();
    let value = pod.pointer(&pointer)?;
    Some(match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields that lints of a container complain about.
    fn paths(spec: serde_json::Value) -> Vec<String> {
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        of(&spec)
            .into_iter()
            .filter(|lint| lint.severity > Severity::Note)
            .map(|lint| lint.path)
            .collect()
    }

    fn container(more: serde_json::Value) -> serde_json::Value {
        let mut container = serde_json::json!({"name": "app", "image": "registry.example/app:1"});
        for (key, value) in more.as_object().unwrap() {
            container[key] = value.clone();
        }
        serde_json::json!({"containers": [container]})
    }

    #[test]
    fn a_plain_spec_has_no_warnings() {
        assert_eq!(paths(container(serde_json::json!({}))), Vec::<String>::new());
    }

    #[test]
    fn a_probe_that_cannot_work_is_found_at_its_field() {
        for (probe, field) in [
            (
                serde_json::json!({"httpGet": {"port": "web"}}),
                "livenessProbe.httpGet.port",
            ),
            (
                serde_json::json!({"tcpSocket": {"port": 1}, "timeoutSeconds": 30}),
                "livenessProbe.timeoutSeconds",
            ),
            (
                serde_json::json!({"tcpSocket": {"port": 1}, "successThreshold": 2}),
                "livenessProbe.successThreshold",
            ),
            (serde_json::json!({"periodSeconds": 1}), "livenessProbe"),
        ] {
            let found = paths(container(serde_json::json!({"livenessProbe": probe})));
            assert_eq!(found, [format!("spec.containers[0].{field}")]);
        }
    }

    #[test]
    fn a_liveness_probe_that_kills_before_start_up_ends_is_found() {
        let spec = container(serde_json::json!({
            "livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 5},
            "readinessProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 60},
        }));
        assert_eq!(paths(spec), ["spec.containers[0].livenessProbe"]);
    }

    #[test]
    fn a_hook_that_outlasts_the_grace_is_found() {
        let mut spec = container(serde_json::json!({"lifecycle": {"preStop": {"sleep": {"seconds": 60}}}}));
        assert_eq!(paths(spec.clone()), ["spec.containers[0].lifecycle.preStop"]);
        spec["terminationGracePeriodSeconds"] = 90.into();
        assert_eq!(paths(spec), Vec::<String>::new());
    }

    #[test]
    fn quantities_that_are_not_meant_so_are_found() {
        let spec =
            container(serde_json::json!({"resources": {"limits": {"memory": "128m"}, "requests": {"cpu": "2"}}}));
        assert_eq!(paths(spec), ["spec.containers[0].resources.limits.memory"]);
        let spec = container(serde_json::json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}));
        assert_eq!(paths(spec), ["spec.containers[0].resources.requests.cpu"]);
    }

    #[test]
    fn names_that_lead_nowhere_are_found() {
        let spec = container(serde_json::json!({"volumeMounts": [{"name": "data", "mountPath": "/data"}]}));
        assert_eq!(paths(spec), ["spec.containers[0].volumeMounts[0].name"]);
        let spec = container(serde_json::json!({"command": ["echo hi && sleep 5"]}));
        assert_eq!(paths(spec), ["spec.containers[0].command[0]"]);
    }

    #[test]
    fn a_pod_that_is_well_written_has_not_even_notes_of_its_probes() {
        let spec: PodSpec = serde_json::from_value(serde_json::json!({"containers": [{
            "name": "app", "image": "registry.example/app:1.2", "ports": [{"containerPort": 80, "name": "http"}],
            "startupProbe": {"httpGet": {"port": "http"}, "failureThreshold": 30},
            "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        }]}))
        .unwrap();
        assert_eq!(of(&spec), []);
    }
}
