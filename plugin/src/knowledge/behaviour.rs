//! What the schema does not say about a field: its default, what it may hold, since when it is there, and what is done with it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::language::Language;

/// What is known of one field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// What holds where it is left out.
    #[serde(default)]
    pub default: Option<Fact>,
    /// What it may hold.
    #[serde(default)]
    pub values: Option<Fact>,
    /// The version since which it is there, where it is not from the beginning.
    #[serde(default)]
    pub since: Option<Fact>,
    /// A line of a manifest.
    #[serde(default)]
    pub example: Option<String>,
    en: String,
    ko: String,
}

/// What is said of a field in a word or two.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// As a manifest has it, in every language.
    Literal(String),
    /// In words.
    Words {
        /// English.
        en: String,
        /// Korean.
        ko: String,
    },
}

impl Fact {
    /// In a language.
    pub fn told(&self, language: Language) -> &str {
        match (self, language) {
            (Self::Literal(text), _) => text,
            (Self::Words { en, .. }, Language::English) => en,
            (Self::Words { ko, .. }, Language::Korean) => ko,
        }
    }
}

impl Behaviour {
    /// What is done with it, in a language.
    pub fn told(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Korean => &self.ko,
        }
    }
}

/// What is known of the field at a path such as `spec.initContainers[0].readinessProbe.periodSeconds`.
pub fn of(path: &str) -> Option<&'static Behaviour> {
    let plain = without_indices(path);
    candidates(&plain).into_iter().find_map(|path| all().get(&path))
}

/// All fields that something is known of.
pub fn paths() -> impl Iterator<Item = &'static str> {
    all().keys().map(String::as_str)
}

fn all() -> &'static BTreeMap<String, Behaviour> {
    static ALL: OnceLock<BTreeMap<String, Behaviour>> = OnceLock::new();
    // A test reads the file: what is built in can be read.
    ALL.get_or_init(|| serde_saphyr::from_str(include_str!("fields.yaml")).unwrap_or_default())
}

fn without_indices(path: &str) -> String {
    let parts = path.split('.').map(|part| part.split('[').next().unwrap_or(part));
    parts.collect::<Vec<_>>().join(".")
}

/// The field itself, and the fields that it is of one kind with: what the probes and hooks share is told once.
fn candidates(path: &str) -> Vec<String> {
    let mut found = vec![path.to_owned()];
    let Some(rest) = ["spec.containers.", "spec.initContainers.", "spec.ephemeralContainers."]
        .iter()
        .find_map(|list| path.strip_prefix(list))
    else {
        return found;
    };
    found.push(format!("spec.containers.{rest}"));
    let probe = ["livenessProbe.", "readinessProbe.", "startupProbe."]
        .iter()
        .find_map(|probe| rest.strip_prefix(probe));
    if let Some(rest) = probe {
        found.push(format!("spec.containers.probe.{rest}"));
        found.push(format!("spec.containers.handler.{rest}"));
    }
    let hook = ["lifecycle.postStart.", "lifecycle.preStop."]
        .iter()
        .find_map(|hook| rest.strip_prefix(hook));
    if let Some(rest) = hook {
        found.push(format!("spec.containers.handler.{rest}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::field;

    #[test]
    fn every_field_is_told_in_both_languages_and_exists() {
        assert!(all().len() > 100);
        for (path, behaviour) in all() {
            assert!(!behaviour.en.is_empty(), "{path}");
            assert!(
                behaviour.ko.chars().any(|letter| ('가'..='힣').contains(&letter)),
                "{path} is not in Korean"
            );
            let real = match path {
                path if path.ends_with(".handler.sleep") => "spec.containers.lifecycle.preStop.sleep".to_owned(),
                path => path
                    .replace(".probe.", ".livenessProbe.")
                    .replace(".handler.", ".livenessProbe."),
            };
            assert!(field::explain(&real, false).is_ok(), "{real} is no field of a Pod");
        }
    }

    #[test]
    fn what_is_said_in_words_is_said_in_both_languages() {
        let is_literal = |part: &str| {
            let part = part.trim();
            let value = part.split_once(": ").map_or(part, |(_, value)| value);
            let value = value.trim_end_matches(" (beta)").trim_end_matches(" (alpha)");
            !value.contains(' ') && !["none", "empty"].contains(&value)
        };
        for (path, behaviour) in all() {
            for fact in [&behaviour.default, &behaviour.values, &behaviour.since]
                .into_iter()
                .flatten()
            {
                match fact {
                    Fact::Literal(text) => assert!(text.split(',').all(is_literal), "{path}: {text:?} is in words"),
                    Fact::Words { en, ko } => assert!(!en.is_empty() && !ko.is_ascii(), "{path}: {ko:?}"),
                }
            }
        }
    }

    #[test]
    fn what_containers_and_probes_share_is_told_once() {
        let period = of("spec.initContainers[1].startupProbe.periodSeconds").unwrap();
        let default = period.default.as_ref().map(|fact| fact.told(Language::Korean));
        assert_eq!(default, Some("10"));
        assert!(of("spec.containers[0].lifecycle.preStop.exec.command").is_some());
        assert!(of("spec.nonsense").is_none());
    }
}
