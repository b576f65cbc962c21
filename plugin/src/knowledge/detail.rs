//! What usually causes a reason, where to look, and what mends it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::language::Language;

/// More about an entry that stands for trouble.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// What usually causes it.
    pub causes: String,
    /// Where to look.
    pub look: String,
    /// What mends it, where the entry itself does not say.
    #[serde(default)]
    pub fix: String,
}

/// The details of an entry, by its name. Each stands in a line of its own, and no other line is read.
pub fn of(language: Language, name: &str) -> Option<Detail> {
    let line = text(language)
        .lines()
        .find(|line| key(line).is_some_and(|key| key.eq_ignore_ascii_case(name)))?;
    read(line)
}

fn text(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("details.en.yaml"),
        Language::Korean => include_str!("details.ko.yaml"),
    }
}

/// The name that a line is about.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(": {")?;
    Some(key.trim_matches('"'))
}

fn read(line: &str) -> Option<Detail> {
    let lines: Map<String, Value> = serde_saphyr::from_str(line).ok()?;
    let (_, detail) = lines.into_iter().next()?;
    serde_json::from_value(detail).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Catalogue;

    fn names(language: Language) -> Vec<&'static str> {
        text(language).lines().filter_map(key).collect()
    }

    #[test]
    fn every_line_is_read_and_both_languages_have_the_same() {
        assert_eq!(names(Language::English), names(Language::Korean));
        for language in [Language::English, Language::Korean] {
            for name in names(language) {
                let detail = of(language, name).unwrap_or_else(|| panic!("{name} cannot be read"));
                assert!(!detail.causes.is_empty() && !detail.look.is_empty(), "{name}");
                assert!(
                    Catalogue::of(Language::English).find(name).is_some(),
                    "{name} is no entry"
                );
            }
        }
    }

    #[test]
    fn every_reason_has_causes_a_place_to_look_and_a_way_to_mend_it() {
        for language in [Language::English, Language::Korean] {
            for (name, entry) in Catalogue::of(language).entries() {
                let is_trouble = matches!(entry.group.as_str(), "reason" | "scheduler message" | "condition")
                    || (entry.group == "exit code" && name.parse::<u8>().is_ok_and(|code| code > 0));
                // A pod that has ended is no trouble by that alone.
                if !is_trouble || name == "PodCompleted" {
                    continue;
                }
                let detail = of(language, name).unwrap_or_else(|| panic!("{name} has no details"));
                assert!(!entry.fix.is_empty() || !detail.fix.is_empty(), "{name} has no fix");
            }
        }
    }
}
