//! The sentences of findings: kept as a key and its values, said in any language of the catalogue.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};

use crate::knowledge::behaviour;
use crate::knowledge::handbook::{self, Heading, Page};
use crate::knowledge::language::Language;

/// A sentence that is not yet in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A sentence of the data files, with what stands in its braces.
    Sentence {
        /// Its key.
        key: &'static str,
        /// What stands in its braces, by name.
        values: Vec<(&'static str, Message)>,
    },
    /// What the catalogue says about a reason.
    Known {
        /// The file of its page.
        topic: &'static str,
        /// Whether its fix is meant, instead of its meaning.
        is_fix: bool,
    },
    /// What the field at this path may hold, where the catalogue knows it.
    ValuesOf(String),
    /// The same in every language: names, numbers, quotations.
    Plain(String),
}

/// The sentence with this key.
pub fn say(key: &'static str) -> Message {
    Message::Sentence {
        key,
        values: Vec::new(),
    }
}

/// The meaning of a reason that the handbook has a page on.
pub fn meaning(topic: &str) -> Option<Message> {
    known(topic, false)
}

/// The fix of a reason that the handbook has a page on.
pub fn remedy(topic: &str) -> Option<Message> {
    known(topic, true)
}

fn known(topic: &str, is_fix: bool) -> Option<Message> {
    let page = handbook::find(topic)?;
    quoted(page, is_fix, Language::English)?;
    Some(Message::Known {
        topic: page.file,
        is_fix,
    })
}

/// The part of a page that a finding quotes.
fn quoted(page: &Page, is_fix: bool, language: Language) -> Option<String> {
    let text = page.text(language);
    if is_fix {
        text.section(Heading::Fix, language)
    } else {
        Some(text.summary())
    }
}

impl Message {
    /// Puts a value into the braces of this name.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Self>) -> Self {
        if let Self::Sentence { values, .. } = &mut self {
            values.push((name, value.into()));
        }
        self
    }

    /// Whether it is the sentence of one of these keys.
    pub fn is_one_of(&self, keys: &[&str]) -> bool {
        matches!(self, Self::Sentence { key, .. } if keys.contains(key))
    }

    /// The sentence in a language.
    pub fn in_language(&self, language: Language) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::ValuesOf(path) => {
                let values = behaviour::of(path).and_then(|known| known.values.as_ref());
                values
                    .map(|values| values.told(language).to_owned())
                    .unwrap_or_default()
            }
            Self::Known { topic, is_fix } => {
                let page = handbook::find(topic);
                page.and_then(|page| quoted(page, *is_fix, language))
                    .unwrap_or_default()
            }
            Self::Sentence { key, values } => {
                let template = sentences(language).get(*key).map_or(*key, String::as_str);
                let mut rest = template;
                let mut said = String::with_capacity(template.len() + 32);
                // In one pass: a value may hold braces of its own.
                while let Some((before, after)) = rest.split_once('{') {
                    said.push_str(before);
                    let (name, after) = after.split_once('}').unwrap_or((after, ""));
                    if let Some((_, value)) = values.iter().find(|(own, _)| *own == name) {
                        said.push_str(&value.in_language(language));
                    }
                    rest = after;
                }
                said + rest
            }
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.in_language(Language::English))
    }
}

/// For programs it is English.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// All sentences of a language, read when the first one is said. Each stands in a line of its own, in JSON's quotes, so that
/// no reader of YAML has to go over some hundred lines for each command.
fn sentences(language: Language) -> &'static BTreeMap<&'static str, String> {
    static ENGLISH: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    static KOREAN: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    let table = match language {
        Language::English => &ENGLISH,
        Language::Korean => &KOREAN,
    };
    let read = |line: &'static str| {
        let (key, sentence) = line.split_once(": ")?;
        Some((key, serde_json::from_str(sentence).ok()?))
    };
    table.get_or_init(|| text(language).lines().filter_map(read).collect())
}

fn text(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("en.yaml"),
        Language::Korean => include_str!("ko.yaml"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn braces(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|part| part.split('}').next())
            .collect()
    }

    #[test]
    fn every_sentence_is_there_in_both_languages_with_the_same_values() {
        let (english, korean) = (sentences(Language::English), sentences(Language::Korean));
        assert!(english.len() > 100);
        assert_eq!(
            english.keys().collect::<Vec<_>>(),
            korean.keys().collect::<Vec<_>>(),
            "both files have the same keys"
        );
        for (key, sentence) in english {
            assert!(!sentence.trim().is_empty(), "{key}");
            assert_eq!(braces(sentence), braces(&korean[key]), "{key}");
            assert!(
                korean[key].chars().any(|letter| ('가'..='힣').contains(&letter)),
                "{key} is not in Korean"
            );
        }
    }

    #[test]
    fn every_line_of_the_data_is_read_as_the_yaml_that_it_is() {
        for language in [Language::English, Language::Korean] {
            let whole: BTreeMap<String, String> = serde_saphyr::from_str(text(language)).unwrap();
            let read = sentences(language).iter();
            let read: BTreeMap<String, String> = read.map(|(key, said)| ((*key).to_owned(), said.clone())).collect();
            assert_eq!(read, whole);
        }
    }

    #[test]
    fn every_key_in_the_code_is_in_the_data_and_the_other_way_round() {
        let mut used = BTreeSet::new();
        let mut code = String::new();
        for folder in [
            "src/findings",
            "src/lint",
            "src/pod",
            "src/view",
            "src/view/lifecycle",
            "src/commands/explain",
            "src/manifest",
        ] {
            let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
            for file in std::fs::read_dir(folder).unwrap() {
                let Ok(text) = std::fs::read_to_string(file.unwrap().path()) else {
                    continue;
                };
                let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
                code.push_str(&text);
                for part in text.split("say(").skip(1) {
                    let part = part.trim_start();
                    if let Some(part) = part.strip_prefix('"') {
                        used.insert(part.split('"').next().unwrap().to_owned());
                    }
                }
            }
        }
        let known: BTreeSet<String> = sentences(Language::English).keys().map(ToString::to_string).collect();
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "said, and not in the data: {unknown:?}");
        let quoted: BTreeSet<&str> = code.split('"').collect();
        let is_unused = |key: &&String| !quoted.contains(key.as_str());
        let unused: Vec<_> = known.iter().filter(is_unused).collect();
        assert!(unused.is_empty(), "in the data, and never said: {unused:?}");
    }

    #[test]
    fn a_value_is_put_in_as_it_is() {
        let message = Message::Sentence {
            key: "no such key {a}",
            values: vec![("a", "{b}".into()), ("b", "never".into())],
        };
        assert_eq!(message.to_string(), "no such key {b}");
    }
}
