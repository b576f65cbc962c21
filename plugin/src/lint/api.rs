//! What the API server would say of a manifest, beside the lints of the spec: never twice for one fault.

use emulator::simulation::{Fault, Review};
use emulator::yaml::Place;

use super::Lint;
use crate::cli::usage::nearest;
use crate::findings::Severity;
use crate::findings::message::{Message, say};
use crate::knowledge::behaviour;

/// Adds the API server's verdict to the lints of a spec, and the keys of the manifest that are given twice.
pub fn add(lints: &mut Vec<Lint>, review: &Review, duplicates: &[(String, Place)]) {
    // After a value of a wrong type the server does not look at the rest.
    let is_complete = !review
        .faults
        .iter()
        .any(|fault| matches!(fault, Fault::Type(_) | Fault::Rule(_)));
    let mut confirmed = vec![false; lints.len()];
    let mut found: Vec<Lint> = Vec::new();
    for fault in &review.faults {
        let own = lints
            .iter()
            .zip(&confirmed)
            .position(|(lint, taken)| lint.refusal.is_some() && !taken && is_same_field(&lint.path, fault.path()));
        match own {
            // The lint says more, and its place may be more exact; the field is the server's.
            Some(index) => {
                confirmed[index] = true;
                lints[index].path = fault.path().to_owned();
                lints[index].refusal = Some(words(fault));
            }
            None => found.push(refusal(fault)),
        }
    }
    if is_complete {
        let mut confirmed = confirmed.into_iter();
        lints.retain(|lint| confirmed.next() == Some(true) || lint.refusal.is_none());
    }
    for warning in &review.warnings {
        let (path, words) = split(warning);
        let is_told = |lint: &Lint| lint.severity >= Severity::Warning && is_same_field(&lint.path, path);
        // A request that is left out is the limit, of which the same is said.
        let of_limit = warning.replacen(".requests[", ".limits[", 1);
        let is_of_limit = of_limit != *warning && review.warnings.contains(&of_limit);
        if path.is_empty() || !(is_of_limit || lints.iter().any(is_told)) {
            found.push(warned(path, words));
        }
    }
    found.extend(duplicates.iter().map(|(path, place)| Lint {
        severity: Severity::Warning,
        path: path.clone(),
        at: At::Place(*place),
        refusal: None,
        what: say("lint.key-twice").with("path", path.as_str()),
        help: say("lint.key-twice.help"),
    }));
    // The same words at the same field are said once, as on the server.
    for lint in found {
        if !lints
            .iter()
            .any(|other| other.path == lint.path && other.what == lint.what && other.at == lint.at)
        {
            lints.push(lint);
        }
    }
    lints.sort_by_key(|lint| std::cmp::Reverse(lint.severity));
}

/// Where a lint is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// At a field.
    Field(String),
    /// At a place of the text.
    Place(Place),
}

/// What the API server refuses.
fn refusal(fault: &Fault) -> Lint {
    let path = fault.path();
    Lint {
        severity: Severity::Error,
        path: path.to_owned(),
        at: At::Field(path.to_owned()),
        refusal: Some(words(fault)),
        what: say("lint.refused").with("words", fault.to_string()),
        help: help(fault),
    }
}

/// The server's words, with the path of a field that is validated.
fn words(fault: &Fault) -> String {
    match fault {
        Fault::Field(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// The way to have it accepted.
fn help(fault: &Fault) -> Message {
    use emulator::api::admission::Kind;

    let path = fault.path();
    let field = last_segment(path);
    let error = match fault {
        Fault::Field(error) => error,
        Fault::Unknown { .. } => return say("lint.refused.newer"),
        Fault::Type(_) => return say("lint.refused.type").with("field", field),
        Fault::Rule(_) => return say("lint.refused.rule"),
    };
    match error.kind {
        Kind::NotSupported => {
            let supported: Vec<&str> = error.detail.split('"').skip(1).step_by(2).collect();
            let given = error.value.as_str().unwrap_or_default();
            let meant = supported
                .iter()
                .copied()
                .find(|value| value.eq_ignore_ascii_case(given))
                .or_else(|| nearest(given, supported.iter().copied()));
            match meant {
                Some(meant) => say("lint.did-you-mean").with("name", meant),
                None => say("lint.refused.one-of").with("values", supported.join(", ")),
            }
        }
        Kind::Required => say("lint.refused.add").with("field", field),
        Kind::Duplicate => say("lint.refused.duplicate"),
        Kind::NotFound => say("lint.refused.not-found"),
        Kind::Forbidden => say("lint.refused.remove").with("field", field),
        Kind::TooLong | Kind::TooMany => say("lint.refused.shorten").with("field", field),
        Kind::Invalid => match behaviour::of(path).and_then(|known| known.values.as_ref()) {
            Some(_) => say("lint.refused.accepts")
                .with("field", field)
                .with("values", Message::ValuesOf(path.to_owned())),
            None => say("lint.refused.change").with("field", field),
        },
    }
}

/// What the API server accepts with a warning.
fn warned(path: &str, words: &str) -> Lint {
    let (severity, what, help) = match words.strip_prefix("has no effect here: ") {
        // It is the emulator's own: other nodes may have what it lacks.
        Some(why) => (
            Severity::Note,
            say("lint.emulator").with("why", why),
            say("lint.emulator.help"),
        ),
        None => (
            Severity::Warning,
            say("lint.warned").with("words", words),
            say("lint.warned.help"),
        ),
    };
    Lint {
        severity,
        path: path.to_owned(),
        at: At::Field(path.to_owned()),
        refusal: None,
        what,
        help,
    }
}

/// The field that a warning begins with, and the rest; no field where it is about the pod as a whole.
fn split(warning: &str) -> (&str, &str) {
    match warning.split_once(": ") {
        Some((path, words)) if !path.contains(' ') => (path, words),
        _ => ("", warning),
    }
}

/// Whether one path is the other or leads to it: `limits[cpu]` and `limits.cpu` are the same.
fn is_same_field(one: &str, other: &str) -> bool {
    let (one, other) = (segments(one), segments(other));
    !one.is_empty() && !other.is_empty() && one.iter().zip(&other).all(|(one, other)| one == other)
}

fn segments(path: &str) -> Vec<&str> {
    let parts = path.split(['.', '[', ']']);
    parts.filter(|part| !part.is_empty()).collect()
}

fn last_segment(path: &str) -> String {
    let end = path.rsplit('.').next().unwrap_or(path);
    match end.split_once('[') {
        // `limits[cpu]` is the field cpu, `containers[0]` an item of containers.
        Some((_, key)) if !key.starts_with(|first: char| first.is_ascii_digit()) => {
            key.trim_end_matches(']').to_owned()
        }
        Some((list, _)) => list.to_owned(),
        None => end.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodSpec;
    use k8s_openapi::jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    fn found(spec: &Value) -> Vec<Lint> {
        let typed: PodSpec = serde_json::from_value(spec.clone()).unwrap();
        let mut lints = super::super::of(&typed);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
        add(
            &mut lints,
            &emulator::simulation::review(&pod, &[], Timestamp::UNIX_EPOCH),
            &[],
        );
        lints.retain(|lint| lint.severity > Severity::Note);
        lints
    }

    fn container(more: Value) -> Value {
        let mut container = json!({"name": "app", "image": "registry.example/app:1"});
        for (key, value) in more.as_object().unwrap() {
            container[key] = value.clone();
        }
        json!({"containers": [container]})
    }

    #[test]
    fn every_refusal_is_found_once_at_servers_field() {
        for (spec, field) in [
            (
                container(json!({"imagePullPolicy": "always"})),
                "spec.containers[0].imagePullPolicy",
            ),
            (container(json!({"name": "My_App"})), "spec.containers[0].name"),
            (
                container(json!({"ports": [{"containerPort": 80, "protocol": "tcp"}]})),
                "spec.containers[0].ports[0].protocol",
            ),
            (
                container(json!({"ports": [{"containerPort": 70000}]})),
                "spec.containers[0].ports[0].containerPort",
            ),
            (
                container(json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]})),
                "spec.containers[0].volumeMounts[0].name",
            ),
            (
                container(json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}})),
                "spec.containers[0].resources.requests",
            ),
            (
                container(json!({"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}})),
                "spec.containers[0].livenessProbe.tcpSocket",
            ),
            (
                container(json!({"livenessProbe": {"periodSeconds": 1}})),
                "spec.containers[0].livenessProbe",
            ),
            (
                json!({"dnsPolicy": "None", "containers": [{"name": "a", "image": "registry.example/a:1"}]}),
                "spec.dnsConfig",
            ),
            (
                json!({"containers": [{"name": "a", "image": "registry.example/a:1"}, {"name": "a", "image": "registry.example/a:1"}]}),
                "spec.containers[1].name",
            ),
            (
                json!({"initContainers": [{"name": "a", "image": "registry.example/a:1"}],
                    "containers": [{"name": "a", "image": "registry.example/a:1"}]}),
                "spec.initContainers[0].name",
            ),
        ] {
            let lints = found(&spec);
            let fields: Vec<&str> = lints.iter().map(|lint| lint.path.as_str()).collect();
            assert_eq!(fields, [field], "{lints:?}");
            assert!(
                lints[0]
                    .refusal
                    .as_deref()
                    .is_some_and(|words| words.starts_with(field))
            );
        }
    }

    #[test]
    fn accepted_values_are_named() {
        let help = |spec: &Value| found(spec)[0].help.to_string();
        assert_eq!(
            help(&container(json!({"imagePullPolicy": "always"}))),
            "did you mean Always?"
        );
        assert_eq!(
            help(&container(json!({"imagePullPolicy": "Sometimes"}))),
            "write one of: Always, IfNotPresent, Never"
        );
    }

    #[test]
    fn warnings_are_told_once() {
        let twice = container(json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}));
        assert_eq!(found(&twice).len(), 1);
        assert_eq!(
            found(&container(json!({"resources": {"limits": {"memory": "64m"}}}))).len(),
            1
        );
        let negative = json!({"terminationGracePeriodSeconds": -1, "containers": [{"name": "a", "image": "registry.example/a:1"}]});
        let lints = found(&negative);
        assert_eq!(lints[0].path, "spec.terminationGracePeriodSeconds");
        assert!(lints[0].refusal.is_none() && lints[0].severity == Severity::Warning);
    }

    #[test]
    fn warning_without_field_is_about_the_whole_pod() {
        assert_eq!(
            split("would violate PodSecurity \"restricted:latest\": x"),
            ("", "would violate PodSecurity \"restricted:latest\": x")
        );
        assert_eq!(split("spec.a[b/c]: deprecated: x"), ("spec.a[b/c]", "deprecated: x"));
    }
}
