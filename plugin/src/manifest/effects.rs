//! What each line of a manifest does, and what holds for what it leaves out.

use emulator::image::reference::Reference;
use k8s_openapi::api::core::v1::{Container, PodSpec, Probe};

use super::node::{Content, Node};
use crate::findings::message::say;
use crate::knowledge::behaviour;
use crate::knowledge::language::Language;
use crate::lint::images;
use crate::pod::probe::{self, Timing};
use crate::pod::{age, qos};

/// What one line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The line of the source, from 1.
    pub line: usize,
    /// The field: `spec.containers[0].image`.
    pub path: String,
    /// What is done with it.
    pub told: String,
}

/// A field that was left out, and what holds in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Default {
    /// The field.
    pub path: String,
    /// What holds.
    pub value: String,
    /// What that does.
    pub told: String,
}

/// The effects of a document's fields, in the order of its lines.
pub fn effects(node: &Node, language: Language) -> Vec<Effect> {
    let mut found = Vec::new();
    walk(node, "", language, &mut found);
    found.sort_by_key(|effect| effect.line);
    found
}

fn walk(node: &Node, path: &str, language: Language, found: &mut Vec<Effect>) {
    match &node.content {
        Content::Map(members) => {
            for (key, member) in members {
                let path = if path.is_empty() {
                    key.name.clone()
                } else {
                    format!("{path}.{}", key.name)
                };
                let told = value_told(&path, member, language)
                    .or_else(|| behaviour::of(&path).map(|behaviour| behaviour.told(language).to_owned()));
                if let Some(told) = told {
                    found.push(Effect {
                        line: key.place.line,
                        told,
                        path: path.clone(),
                    });
                }
                walk(member, &path, language, found);
            }
        }
        Content::List(items) => {
            for (number, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{number}]"), language, found);
            }
        }
        Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => {}
    }
}

/// What this very value does, where that can be told better than what the field does.
fn value_told(path: &str, node: &Node, language: Language) -> Option<String> {
    let field = path.rsplit('.').next()?;
    let message = match (field, node.as_text()) {
        ("restartPolicy", Some("Always")) if path.contains(".initContainers[") => say("effect.sidecar"),
        ("restartPolicy", Some("Always")) => say("effect.restart-always"),
        ("restartPolicy", Some("OnFailure")) => say("effect.restart-on-failure"),
        ("restartPolicy", Some("Never")) => say("effect.restart-never"),
        ("imagePullPolicy", Some("Always")) => say("effect.pull-always"),
        ("imagePullPolicy", Some("IfNotPresent")) => say("effect.pull-if-not-present"),
        ("imagePullPolicy", Some("Never")) => say("effect.pull-never"),
        ("livenessProbe" | "readinessProbe" | "startupProbe", None) => return probe_told(field, node, language),
        _ => return None,
    };
    Some(message.in_language(language))
}

/// When a probe acts, and what it does then.
fn probe_told(field: &str, node: &Node, language: Language) -> Option<String> {
    let probe: Probe = serde_json::from_value(node.value()).ok()?;
    let timing = Timing::of(&probe);
    let message = match field {
        "livenessProbe" => say("effect.liveness").with("time", age::human(timing.patience())),
        "readinessProbe" => say("effect.readiness").with("time", age::human(timing.patience())),
        _ => say("effect.startup").with("time", age::human(timing.from_start())),
    };
    let message = message
        .with("failures", timing.failures.to_string())
        .with("handler", probe::handler(&probe));
    Some(message.in_language(language))
}

/// The defaults that decide how the pod behaves, where the manifest leaves a field out.
pub fn defaults(spec: &PodSpec, language: Language) -> Vec<Default> {
    let mut found = Vec::new();
    let mut add = |path: String, value: String| {
        let told = behaviour::of(&path).map(|behaviour| behaviour.told(language).to_owned());
        found.push(Default {
            told: told.unwrap_or_default(),
            path,
            value,
        });
    };
    let mut pod = |is_missing: bool, name: &str, value: &str| {
        if is_missing {
            add(format!("spec.{name}"), value.to_owned());
        }
    };
    pod(spec.restart_policy.is_none(), "restartPolicy", "Always");
    pod(
        spec.termination_grace_period_seconds.is_none(),
        "terminationGracePeriodSeconds",
        "30",
    );
    pod(spec.dns_policy.is_none(), "dnsPolicy", "ClusterFirst");
    pod(spec.service_account_name.is_none(), "serviceAccountName", "default");
    let init = spec.init_containers.iter().flatten().enumerate();
    for (number, container) in init {
        of_container(container, &format!("spec.initContainers[{number}]"), &mut add);
    }
    for (number, container) in spec.containers.iter().enumerate() {
        of_container(container, &format!("spec.containers[{number}]"), &mut add);
    }
    add("status.qosClass".to_owned(), qos::class(spec).to_owned());
    found
}

fn of_container(container: &Container, path: &str, add: &mut impl FnMut(String, String)) {
    if container.image_pull_policy.is_none()
        && let Some(image) = &container.image
    {
        let moves = matches!(images::tag(image), None | Some("latest"))
            && !image.contains('@')
            && Reference::parse(image).is_ok();
        let policy = if moves { "Always" } else { "IfNotPresent" };
        add(format!("{path}.imagePullPolicy"), policy.to_owned());
    }
    let probes = [
        ("startupProbe", &container.startup_probe),
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
    ];
    for (name, probe) in probes {
        let Some(probe) = probe else { continue };
        let mut timing = |is_missing: bool, field: &str, value: &str| {
            if is_missing {
                add(format!("{path}.{name}.{field}"), value.to_owned());
            }
        };
        timing(probe.period_seconds.is_none(), "periodSeconds", "10");
        timing(probe.timeout_seconds.is_none(), "timeoutSeconds", "1");
        timing(probe.failure_threshold.is_none(), "failureThreshold", "3");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Source, documents};

    #[test]
    fn each_line_is_told_with_its_number() {
        let text =
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    image: a:1\n";
        let source = Source {
            name: "pod.yaml".into(),
            text: text.into(),
        };
        let document = documents(&source).unwrap().remove(0);
        let told: Vec<_> = effects(&document.node, Language::English)
            .into_iter()
            .map(|effect| (effect.line, effect.path))
            .collect();
        assert!(told.contains(&(7, "spec.containers[0].name".to_owned())), "{told:?}");
        assert!(told.contains(&(8, "spec.containers[0].image".to_owned())), "{told:?}");
    }

    #[test]
    fn what_is_left_out_is_told_too() {
        let spec: PodSpec = serde_json::from_value(serde_json::json!({
            "restartPolicy": "Never", "containers": [{"name": "app", "image": "app", "livenessProbe": {"periodSeconds": 3}}],
        }))
        .unwrap();
        let told: Vec<_> = defaults(&spec, Language::English)
            .into_iter()
            .map(|default| format!("{} {}", default.path, default.value))
            .collect();
        assert!(
            told.contains(&"spec.containers[0].imagePullPolicy Always".to_owned()),
            "{told:?}"
        );
        assert!(
            told.contains(&"spec.containers[0].livenessProbe.failureThreshold 3".to_owned()),
            "{told:?}"
        );
        assert!(!told.iter().any(|told| told.contains("restartPolicy")), "{told:?}");
    }
}
