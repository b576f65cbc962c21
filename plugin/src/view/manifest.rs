//! A manifest explained: what each line does, what holds for what it leaves out, what starts when, and what is odd.

use annotate_snippets::Level;
use k8s_openapi::api::core::v1::PodSpec;

use super::text::{Line, Tone};
use super::wrap::wrap;
use crate::findings::Severity;
use crate::findings::message::say;
use crate::knowledge::language::Language;
use crate::lint::pod_security::{Assessment, Requirement};
use crate::lint::{self, Lint};
use crate::manifest::effects::{self, Effect};
use crate::manifest::{PodOfFile, problem};
use crate::pod::Facts;
use crate::pod::container::{Container, Role};

/// What is said of a line stands at this column at most.
const WIDEST: usize = 58;
/// The width of what is said.
const ROOM: usize = 66;

/// Explains a manifest.
pub fn lines(pod: &PodOfFile<'_>, facts: &Facts, language: Language) -> Vec<Line> {
    let told = |key| Line::new().tone(Tone::Heading, say(key).in_language(language));
    let heading = Line::new()
        .tone(Tone::Heading, format!("{}/{}", facts.namespace, facts.name))
        .tone(Tone::Faint, format!("  {}", pod.source.name));
    let heading = match &pod.maker {
        Some(maker) => {
            let made = say("view.made-by")
                .with("kind", maker.kind.as_str())
                .with("path", maker.path.as_str());
            heading.tone(Tone::Faint, format!("  {}", made.in_language(language)))
        }
        None => heading,
    };
    let mut lines = vec![heading, told("view.line-by-line")];
    lines.extend(text(pod, &effects::effects(&pod.document.node, language)));
    let none = PodSpec::default();
    let spec = facts.spec().unwrap_or(&none);
    lines.push(Line::new());
    lines.push(told("view.left-out"));
    let defaults = effects::defaults(spec, language);
    let width = defaults
        .iter()
        .map(|default| pod.path(&default.path).len() + default.value.len() + 4)
        .max()
        .unwrap_or(0)
        .min(WIDEST);
    for default in defaults {
        let left = Line::from("  ")
            .plain(pod.path(&default.path))
            .plain(": ")
            .tone(Tone::Heading, default.value);
        lines.extend(beside(left, width + 2, &default.told));
    }
    lines.push(Line::new());
    lines.push(told("view.starts"));
    lines.extend(
        facts
            .containers
            .iter()
            .map(|container| Line::from("  ").plain(title(facts, container, language))),
    );
    lines.push(Line::new());
    lines.push(told("view.lints"));
    let lints = lint::of_manifest(pod, spec);
    if lints.is_empty() {
        lines.push(Line::from("  ").tone(Tone::Good, say("view.no-lints").in_language(language)));
    }
    lines.extend(lints.iter().flat_map(|lint| remark(pod, lint, language)));
    lines.push(Line::new());
    lines.push(told("view.pod-security"));
    lines.extend(pod_security(pod, facts, language));
    lines
}

/// Which level of the Pod Security Standards the pod meets, and the lines that keep it from the next one.
fn pod_security(pod: &PodOfFile<'_>, facts: &Facts, language: Language) -> Vec<Line> {
    let Assessment { level, next } = lint::pod_security::assess(&facts.pod);
    let Some((next, requirements)) = next else {
        let met = say("view.meets-strictest").with("level", level.name());
        return vec![Line::from("  ").tone(Tone::Good, met.in_language(language))];
    };
    let met = say("view.meets").with("level", level.name()).with("next", next.name());
    let left = |requirement: &Requirement| {
        let line = pod.document.node.place_of(&requirement.field).line;
        format!("  {line}: {}", pod.path(&requirement.field))
    };
    let width = requirements
        .iter()
        .map(|one| left(one).len())
        .max()
        .unwrap_or(0)
        .min(WIDEST + 12);
    let mut lines = vec![Line::from("  ").plain(met.in_language(language))];
    for requirement in &requirements {
        let what = requirement.what.in_language(language);
        let told = match requirement.others {
            0 => what,
            others => say("view.in-others")
                .with("what", what)
                .with("count", others.to_string())
                .in_language(language),
        };
        lines.extend(beside(Line::from(left(requirement)), width, &told));
    }
    lines
}

/// A container, and in which place it starts.
fn title(facts: &Facts, container: &Container, language: Language) -> String {
    let total = facts
        .containers
        .iter()
        .filter(|other| other.spec_path().contains(".initContainers["));
    let message = match container.role {
        Role::Init => say("view.init-container"),
        Role::Sidecar => say("view.sidecar"),
        Role::Regular => say("view.container"),
        Role::Ephemeral => say("view.ephemeral-container"),
    };
    message
        .with("name", container.name.as_str())
        .with("number", (container.position + 1).to_string())
        .with("total", total.count().to_string())
        .in_language(language)
}

/// The lines of the text, each with what it does beside it.
fn text(pod: &PodOfFile<'_>, effects: &[Effect]) -> Vec<Line> {
    let first = effects.first().map_or(1, |effect| effect.line);
    // What stands above the template of a pod says whose it is.
    let first = if pod.maker.is_some() {
        first.min(pod.begins_at.line)
    } else {
        first
    };
    let last = effects.last().map_or(0, |effect| effect.line);
    let text: Vec<(usize, &str)> = pod
        .source
        .text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line))
        .skip(first.saturating_sub(1))
        .take_while(|(number, line)| *number <= last || !line.starts_with("---"))
        .collect();
    let width = text
        .iter()
        .map(|(_, line)| Line::from(*line).width())
        .max()
        .unwrap_or(0)
        .min(WIDEST);
    text.into_iter()
        .flat_map(|(number, line)| {
            let left = Line::new()
                .tone(Tone::Faint, format!("{number:>4}  "))
                .plain(line.trim_end());
            let told: Vec<&str> = effects
                .iter()
                .filter(|effect| effect.line == number)
                .map(|effect| effect.told.as_str())
                .collect();
            beside(left, width + 6, &told.join(" | "))
        })
        .collect()
}

/// What is said, beside what it is said of, or below it where that is too wide.
fn beside(left: Line, width: usize, told: &str) -> Vec<Line> {
    if told.is_empty() {
        return vec![left];
    }
    let column = width + 2;
    let mut lines = Vec::new();
    let mut left = if left.width() > width {
        lines.push(left);
        Line::new()
    } else {
        left
    };
    for part in wrap(told, ROOM) {
        lines.push(std::mem::take(&mut left).pad_to(column).tone(Tone::Faint, part));
    }
    lines
}

fn remark(pod: &PodOfFile<'_>, lint: &Lint, language: Language) -> Vec<Line> {
    let level = match lint.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let place = pod.place_of(&lint.at);
    let shown = problem::snippet(
        level,
        &lint.what.in_language(language),
        pod.source,
        place,
        &pod.path(&lint.path),
        Some(&lint.help.in_language(language)),
    );
    shown.lines().map(Line::from).collect()
}
