//! Explanations for programs, in the schema's version `kubectl-pod/v1`; what is a pod is described.

use emulator::api::admission::pod_security::Level;
use k8s_openapi::api::core::v1::PodSpec;
use serde::Serialize;
use serde_json::{Value, json};

use super::describe::record::API_VERSION;
use super::machine::without_empty;
use crate::cluster::survey::Survey;
use crate::findings::{Severity, Verdict, failed_create};
use crate::knowledge::behaviour;
use crate::knowledge::field::{Field, Member};
use crate::knowledge::handbook::{Heading, Page};
use crate::knowledge::language::Language;
use crate::lint;
use crate::manifest::effects;
use crate::manifest::{OwnerOfFile, PodOfFile};
use crate::pod::Facts;

/// The kind of the list of what there is to explain.
pub const TOPIC_LIST_KIND: &str = "TopicList";
/// The kind of the list of pods that are not well, which says how many there are of each verdict in `verdicts`.
pub const SURVEY_KIND: &str = "PodSurvey";
/// The kind of a list of what files hold: of manifests and of saved pods.
pub const FILE_LIST_KIND: &str = "ManifestList";

/// A page of the handbook; `body` is its Markdown, with what it leaves open filled in.
pub fn topic(page: &Page, title: &str, body: &str, language: Language) -> Value {
    let text = page.text(language);
    let section = |heading| text.section(heading, language);
    without_empty(json!({
        "apiVersion": API_VERSION,
        "kind": "Topic",
        "name": page.name(),
        "group": page.kind,
        "also": page.aliases(),
        "title": title,
        "text": text.summary(),
        "causes": section(Heading::Causes),
        "look": section(Heading::Look),
        "fix": section(Heading::Fix),
        "since": page.since,
        "body": body,
        "see": page.see,
        "source": page.source,
        "example": page.example.as_ref().map(|example| example.manifest),
    }))
}

/// A field of a Pod.
pub fn field(field: &Field, language: Language) -> Value {
    let behaviour = behaviour::of(&field.path);
    without_empty(json!({
        "apiVersion": API_VERSION,
        "kind": "Field",
        "path": field.path,
        "type": field.kind,
        "isRequired": field.is_required,
        "effect": behaviour.map(|known| known.told(language)),
        "default": behaviour.and_then(|known| known.default.as_ref()).map(|fact| fact.told(language)),
        "values": behaviour.and_then(|known| known.values.as_ref()).map(|fact| fact.told(language)),
        "since": behaviour.and_then(|known| known.since.as_ref()).map(|fact| fact.told(language)),
        "example": behaviour.and_then(|known| known.example.as_ref()),
        "description": field.description,
        "fields": field.members.iter().map(member).collect::<Vec<_>>(),
    }))
}

fn member(member: &Member) -> Value {
    without_empty(json!({
        "name": member.name,
        "type": member.kind,
        "isRequired": member.is_required,
        "summary": member.summary,
        "fields": member.members.iter().map(self::member).collect::<Vec<_>>(),
    }))
}

/// How many pods got each verdict.
pub fn verdicts(survey: &Survey) -> Value {
    let counts = survey.counts.iter().map(|(verdict, count)| {
        let name = serde_json::to_value(verdict).unwrap_or_default();
        (name.as_str().unwrap_or_default().to_owned(), json!(count))
    });
    Value::Object(counts.collect())
}

#[derive(Serialize)]
struct LintRecord {
    severity: Severity,
    field: String,
    line: usize,
    column: usize,
    #[serde(rename = "isRefused", skip_serializing_if = "std::ops::Not::not")]
    is_refused: bool,
    what: String,
    help: String,
}

/// An object whose pods cannot be created.
pub fn owner(owner: &OwnerOfFile) -> Value {
    let told = failed_create::newest(&owner.events);
    let finding = told.map(|told| failed_create::finding(&owner.namespace, &owner.kind, &owner.name, told));
    json!({
        "apiVersion": API_VERSION,
        "kind": "OwnerDescription",
        "ownerKind": owner.kind,
        "name": owner.name,
        "namespace": owner.namespace,
        "verdict": Verdict::Broken,
        "findings": finding.into_iter().collect::<Vec<_>>(),
    })
}

/// A manifest: what its lines do, what holds for what it leaves out, and what is odd in it.
pub fn manifest(pod: &PodOfFile<'_>, facts: &Facts, language: Language) -> Value {
    let effects = effects::effects(&pod.document.node, language).into_iter();
    let lines =
        effects.map(|effect| json!({"line": effect.line, "field": pod.path(&effect.path), "effect": effect.told}));
    let none = PodSpec::default();
    let spec = facts.spec().unwrap_or(&none);
    let defaults = effects::defaults(spec, language);
    let defaults = defaults.into_iter().map(|default| {
        without_empty(json!({"field": pod.path(&default.path), "value": default.value, "effect": default.told}))
    });
    let lints = lint::of_manifest(pod, spec).into_iter().map(|lint| {
        let place = pod.place_of(&lint.at);
        LintRecord {
            severity: lint.severity,
            field: pod.path(&lint.path),
            line: place.line,
            column: place.column,
            is_refused: lint.refusal.is_some(),
            what: lint.what.in_language(language),
            help: lint.help.in_language(language),
        }
    });
    without_empty(json!({
        "apiVersion": API_VERSION,
        "kind": "Manifest",
        "name": facts.name,
        "namespace": facts.namespace,
        "source": pod.source.name,
        "madeBy": pod.maker.as_ref().map(|maker| format!("{}/{}", maker.kind, maker.name)),
        "lines": lines.collect::<Vec<_>>(),
        "defaults": defaults.collect::<Vec<_>>(),
        "starts": facts.containers.iter().map(|container| &container.name).collect::<Vec<_>>(),
        "lints": lints.collect::<Vec<_>>(),
        "podSecurity": pod_security(pod, facts, language),
    }))
}

/// Which level of the Pod Security Standards a pod meets, and what the next one asks for.
fn pod_security(pod: &PodOfFile<'_>, facts: &Facts, language: Language) -> Value {
    let assessment = lint::pod_security::assess(&facts.pod);
    let (next, requirements) = assessment.next.unzip();
    let requirements = requirements.into_iter().flatten().map(|requirement| {
        let place = pod.document.node.place_of(&requirement.field);
        json!({
            "check": requirement.check,
            "field": pod.path(&requirement.field),
            "line": place.line,
            "column": place.column,
            "otherFields": requirement.others,
            "what": requirement.what.in_language(language),
        })
    });
    json!({
        "level": assessment.level.name(),
        "nextLevel": next.map(Level::name),
        "requirements": requirements.collect::<Vec<_>>(),
    })
}
