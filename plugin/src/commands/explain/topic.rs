//! Topics, fields and exit codes: what is known without a cluster.

use std::process::ExitCode;

use serde_json::Value;

use super::Arguments;
use crate::cli::usage::UsageError;
use crate::failure::Failure;
use crate::knowledge::detail::{self, Detail};
use crate::knowledge::language::Language;
use crate::knowledge::{Catalogue, Entry, behaviour, field};
use crate::view;
use crate::view::explanation::{self, TOPIC_LIST_KIND};
use crate::view::machine::Records;
use crate::view::machine::go_template::Unfilled;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// Explains what was asked for, or shows what there is.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let language = arguments.language();
    let catalogue = Catalogue::of(language);
    let topic = arguments.topic.join(" ");
    let columns = view::width::columns(printer.is_terminal());
    if topic.is_empty() {
        if let Some(records) = arguments.records(TOPIC_LIST_KIND) {
            let mut records = records.always_a_list();
            for (name, entry) in catalogue.entries() {
                let detail = detail::of(language, name);
                printer.document(&records.add(explanation::topic(name, entry, detail.as_ref())));
            }
            printer.document(&records.end(None)?);
        } else {
            printer.lines(&view::knowledge::index(catalogue, language));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(found) = find(language, &topic, arguments.lang) {
        match arguments.records(TOPIC_LIST_KIND) {
            Some(records) => alone(records, found.value(&topic), printer)?,
            None => printer.lines(&found.lines(columns)),
        }
        return Ok(ExitCode::SUCCESS);
    }
    match field::explain(&topic, arguments.recursive) {
        Ok(field) => {
            if let Some(records) = arguments.records(TOPIC_LIST_KIND) {
                alone(records, explanation::field(&field, language), printer)?;
                return Ok(ExitCode::SUCCESS);
            }
            printer.lines(&view::knowledge::field(&field, language, columns));
            // Some fields are concepts too, and the concept says more.
            let last = field.path.rsplit('.').next().unwrap_or_default();
            if behaviour::of(&field.path).is_none()
                && let Some(found) = find(language, last, arguments.lang)
            {
                printer.line(&Line::new());
                printer.lines(&found.lines(columns));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.parent == "Pod" => Err(UsageError::new(format!("there is no topic or field {topic:?}"))
            .suggest(
                catalogue
                    .suggest(&topic)
                    .map(str::to_owned)
                    .or(error.suggestion)
                    .or_else(|| pod(&topic)),
            )
            .into()),
        Err(error) => Err(UsageError::new(error.to_string()).suggest(error.suggestion).into()),
    }
}

/// How the pod of this name is asked for, where it may be one.
fn pod(name: &str) -> Option<String> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-.".contains(letter);
    (name.contains(|letter: char| letter.is_ascii_lowercase()) && name.chars().all(is_name))
        .then(|| format!("pod/{name}"))
}

/// One answer for programs.
fn alone(mut records: Records<'_>, value: Value, printer: &mut Printer) -> Result<(), Unfilled> {
    printer.document(&records.add(value));
    printer.document(&records.end(None)?);
    Ok(())
}

/// An entry, and the language that it is in.
struct Found {
    language: Language,
    entry: Entry,
    detail: Option<Detail>,
}

impl Found {
    /// The entry that one of its names stands for. What is known of this very name goes before what is known of all.
    fn of(language: Language, topic: &str) -> Option<Self> {
        let catalogue = Catalogue::of(language);
        let entry = filled(catalogue.find(topic)?, "N", "N-128");
        let detail = detail::of(language, topic).or_else(|| detail::of(language, catalogue.name_of(topic)?));
        Some(Self {
            language,
            entry,
            detail,
        })
    }

    fn value(&self, topic: &str) -> Value {
        let name = Catalogue::of(self.language).name_of(topic).unwrap_or(topic);
        explanation::topic(name, &self.entry, self.detail.as_ref())
    }

    fn lines(&self, columns: Option<usize>) -> Vec<Line> {
        view::knowledge::entry(&self.entry, self.detail.as_ref(), self.language, columns)
    }
}

/// Finds an entry by a name of any language. Who asks in a language and names no other gets the answer in it.
fn find(language: Language, topic: &str, asked: Option<Language>) -> Option<Found> {
    let other = || {
        [Language::English, Language::Korean].into_iter().find_map(|other| {
            let name = Catalogue::of(other).name_of(topic)?;
            Found::of(if asked.is_some() { language } else { other }, name)
        })
    };
    let code = || {
        exit_code(Catalogue::of(language), topic).map(|entry| Found {
            language,
            entry,
            detail: None,
        })
    };
    Found::of(language, topic).or_else(other).or_else(code)
}

/// An exit code that has no entry of its own: a signal's, or the application's own choice.
fn exit_code(catalogue: &Catalogue, topic: &str) -> Option<Entry> {
    let code: u8 = topic.parse().ok()?;
    let name = if (129..=192).contains(&code) {
        "exit code of a signal"
    } else {
        "exit code of the application"
    };
    let mut entry = filled(catalogue.find(name)?, topic, &code.saturating_sub(128).to_string());
    entry.also.clear();
    Some(entry)
}

/// The entries about exit codes in general leave room for the code.
fn filled(entry: &Entry, code: &str, signal: &str) -> Entry {
    let mut entry = entry.clone();
    for text in [&mut entry.title, &mut entry.text] {
        *text = text.replace("{code}", code).replace("{signal}", signal);
    }
    entry
}
