//! A manifest or a saved pod, as `explain -f` reads it, and as the API server takes it: in YAML, JSON or protobuf.

use k8s_openapi::api::core::v1::Pod;
use kubectl_pod::failure::Failure;
use kubectl_pod::findings::reading::Reading;
use kubectl_pod::knowledge::language::Language;
use kubectl_pod::lint;
use kubectl_pod::manifest::{self, PodOfFile, Problem, Source};
use kubectl_pod::pod::Facts;
use kubectl_pod::pod::history::History;
use kubectl_pod::view::describe::{self, record};
use kubectl_pod::view::lifecycle::{self, record::LifecycleRecord, svg};
use kubectl_pod::view::{explanation, findings, machine, manifest as explained};
use serde_json::{Value, json};

use crate::api_server::{JSON, PODS, YAML, ask, ask_for_warnings};
use crate::screen;

/// Nothing that is printed of a file commands the terminal; a pod that was accepted is accepted again, as it is; and
/// whoever reads it from the API server can.
pub fn check(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data)
        && let Err(problem) = explain(text)
    {
        Failure::from(problem).report(&mut screen::printer());
    }
    for content_type in [JSON, YAML] {
        create(data, content_type);
    }
}

/// Everything that the plugin says of a file.
fn explain(text: &str) -> Result<(), Problem> {
    let sources = [Source {
        name: "pod.yaml".to_owned(),
        text: text.to_owned(),
    }];
    let mut printer = screen::printer();
    for pod in &manifest::read(&sources)?.pods {
        let reading = Reading::of_saved(pod.pod.clone());
        if reading.facts.is_manifest() {
            same_verdict(pod, &reading.facts);
        }
        for language in [Language::English, Language::Korean] {
            printer.lines(&explained::lines(pod, &reading.facts, language));
            printer.lines(&findings::lines_in(
                language,
                reading.verdict,
                &reading.findings,
                &[],
                None,
            ));
            printer.lines(&describe::lines(&reading, None, language, Some(80)));
        }
        is_json(&machine::json(&record::of(&reading)));
        is_json(&machine::json(&explanation::manifest(
            pod,
            &reading.facts,
            Language::English,
        )));
        let history = History::of(reading.facts, reading.events);
        printer.lines(&lifecycle::lines(&history, Some(80), true));
        printer.lines(&lifecycle::summary(&history, None, false));
        is_json(&machine::json(&LifecycleRecord::of(&history).value()));
        let picture = svg::document(&[history]);
        assert!(!picture.to_lowercase().contains("<script"), "a script in {picture}");
    }
    Ok(())
}

/// What the API server refuses, `explain -f` refuses with the same field, and it refuses nothing else; what the server warns
/// of is told at its field.
fn same_verdict(pod: &PodOfFile<'_>, facts: &Facts) {
    let spec = facts.spec().cloned().unwrap_or_default();
    let value = &pod.document.value;
    // `explain -f` takes what the pod names in the cluster to exist; this server has nothing.
    let is_elsewhere = !matches!(value["metadata"]["namespace"].as_str(), None | Some("" | "default"));
    let named = [
        "serviceAccountName",
        "serviceAccount",
        "priorityClassName",
        "runtimeClassName",
        "overhead",
    ];
    if is_elsewhere || named.iter().any(|field| !value["spec"][*field].is_null()) {
        return;
    }
    let lints = lint::of_manifest(pod, &spec);
    let refused: Vec<&str> = lints
        .iter()
        .filter(|lint| lint.refusal.is_some())
        .map(|lint| lint.path.as_str())
        .collect();
    let path = format!("{PODS}?dryRun=All&fieldValidation=Strict");
    let (code, answer, warnings) = ask_for_warnings("POST", &path, JSON, value.to_string().as_bytes());
    match code {
        201 => assert!(refused.is_empty(), "{refused:?} of a pod that is taken: {value}"),
        422 => {
            for cause in answer["details"]["causes"].as_array().into_iter().flatten() {
                let field = cause["field"].as_str().unwrap_or_default();
                assert!(
                    refused.contains(&field),
                    "{field} is refused, told are {refused:?}: {value}"
                );
            }
        }
        400 => assert!(!refused.is_empty(), "{answer} is not told: {value}"),
        _ => {}
    }
    for warning in warnings {
        // What is said of a limit is said of the request that comes from it too.
        let field = warning.split(": ").next().unwrap_or_default();
        let field = field.replace(".requests[", ".limits[");
        let is_told = |lint: &lint::Lint| {
            let plain = |path: &str| path.replace('[', ".").replace(']', "");
            plain(&lint.path.replace(".requests", ".limits")).starts_with(&plain(&field))
                || plain(&field).starts_with(&plain(&lint.path.replace(".requests", ".limits")))
        };
        assert!(lints.iter().any(is_told), "{warning} is not told: {value}");
    }
}

fn is_json(text: &str) {
    assert!(serde_json::from_str::<Value>(text).is_ok(), "no JSON: {text}");
}

/// Creates the pod, without storing it, twice: the second time from the answer to the first.
fn create(data: &[u8], content_type: &str) {
    let path = format!("{PODS}?dryRun=All");
    let (code, mut pod) = ask("POST", &path, content_type, data);
    if code != 201 {
        return;
    }
    let read = serde_json::from_value::<Pod>(pod.clone());
    assert!(read.is_ok(), "no client can read {pod}: {}", read.unwrap_err());
    let (code, mut again) = ask(
        "POST",
        &format!("{path}&fieldValidation=Strict"),
        JSON,
        pod.to_string().as_bytes(),
    );
    assert_eq!(code, 201, "{pod} is refused: {again}");
    for pod in [&mut pod, &mut again] {
        for own in ["uid", "creationTimestamp", "managedFields"] {
            pod["metadata"][own] = json!(null);
        }
        for condition in pod["status"]["conditions"].as_array_mut().into_iter().flatten() {
            condition["lastTransitionTime"] = json!(null);
        }
    }
    assert_eq!(pod, again, "it is changed when it is created anew");
    let sources = [Source {
        name: "pod.json".to_owned(),
        text: pod.to_string(),
    }];
    let read = manifest::read(&sources);
    assert!(read.is_ok(), "kubectl pod can't read {pod}: {}", read.unwrap_err());
}
