//! `fields.yaml` as it is written.

use serde_json::Value;

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Supported(Option<String>),
    Differs(String),
    Warned { words: String, with: Value },
    Reported { words: String, with: Value },
    Refused { words: String, with: Value },
    Set(Option<String>),
    Unset(String),
    As(String),
}

impl Verdict {
    /// Whether it may be said of a whole object with all of its fields.
    pub(super) fn covers_what_is_below(&self) -> bool {
        !matches!(self, Self::Supported(_) | Self::Differs(_) | Self::Set(_))
    }

    fn read(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some("supported") => return Some(Self::Supported(None)),
            Some("set") => return Some(Self::Set(None)),
            Some(_) => return None,
            None => {}
        }
        let (name, words) = value.as_object()?.iter().next()?;
        let words = words.as_str()?.to_owned();
        let with = value["with"].clone();
        match (name.as_str(), with.is_object()) {
            ("supported", false) => Some(Self::Supported(Some(words))),
            ("differs", false) => Some(Self::Differs(words)),
            ("warned", true) => Some(Self::Warned { words, with }),
            ("reported", true) => Some(Self::Reported { words, with }),
            ("refused", true) => Some(Self::Refused { words, with }),
            ("set", false) => Some(Self::Set(Some(words))),
            ("unset", false) => Some(Self::Unset(words)),
            ("as", false) => Some(Self::As(words)),
            _ => None,
        }
    }
}

/// A part of the table.
pub(super) struct Section {
    pub(super) title: String,
    /// Field and verdict.
    pub(super) rows: Vec<(String, Verdict)>,
}

/// The whole file, in its order.
pub(super) fn sections() -> Vec<Section> {
    let file: Value = serde_saphyr::from_str(include_str!("fields.yaml")).unwrap();
    let sections = file.as_object().unwrap().iter();
    sections
        .map(|(title, rows)| Section {
            title: title.clone(),
            rows: rows
                .as_object()
                .unwrap()
                .iter()
                .map(|(field, verdict)| {
                    let read = Verdict::read(verdict).unwrap_or_else(|| panic!("{field}: {verdict}"));
                    (field.clone(), read)
                })
                .collect(),
        })
        .collect()
}
