//! Topics, fields and exit codes: what is known without a cluster.

use std::borrow::Cow;
use std::process::ExitCode;

use serde_json::Value;

use super::Arguments;
use crate::cli::usage::UsageError;
use crate::failure::Failure;
use crate::knowledge::handbook::{self, Page};
use crate::knowledge::language::Language;
use crate::knowledge::{behaviour, field};
use crate::view;
use crate::view::explanation::{self, TOPIC_LIST_KIND};
use crate::view::machine::Records;
use crate::view::machine::go_template::Unfilled;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// A word that is part of the names of more pages than this is too general to list them.
const MAX_LISTED: usize = 12;

/// Explains a topic or a field, or shows the index.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let language = arguments.language();
    let topic = arguments.topic.join(" ");
    let columns = view::width::columns(printer.is_terminal());
    if let Some(words) = &arguments.search {
        return search(words, arguments, printer);
    }
    if topic.is_empty() {
        if let Some(records) = arguments.records(TOPIC_LIST_KIND) {
            let mut records = records.always_a_list();
            for page in handbook::PAGES {
                let found = Found {
                    language,
                    page,
                    topic: page.name(),
                };
                printer.document(&records.add(found.value()));
            }
            printer.document(&records.end(None)?);
        } else if arguments.list {
            handbook::PAGES
                .iter()
                .for_each(|page| printer.line(&Line::from(page.name())));
        } else {
            printer.lines(&view::handbook::index(language));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(found) = find(language, &topic, arguments.lang) {
        if arguments.example {
            return example(found.page, printer);
        }
        match arguments.records(TOPIC_LIST_KIND) {
            Some(records) => alone(records, found.value(), printer)?,
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
        Err(error) if error.parent == "Pod" => Err(unknown(&topic, error.suggestion).into()),
        Err(error) => Err(UsageError::new(error.to_string()).suggest(error.suggestion).into()),
    }
}

/// The error for a topic that does not exist: with the nearest one, or with those whose names contain it.
fn unknown(topic: &str, field: Option<String>) -> UsageError {
    let unknown = format!("there is no topic or field {topic:?}");
    let nearest = handbook::suggest(topic).map(str::to_owned).or(field);
    let containing = handbook::containing(topic);
    match containing.as_slice() {
        [] => UsageError::new(unknown).suggest(nearest.or_else(|| pod(topic))),
        [only] => UsageError::new(unknown).suggest(Some(only.name())),
        several if nearest.is_none() && several.len() <= MAX_LISTED => {
            let names: Vec<&str> = several.iter().map(|page| page.name()).collect();
            UsageError::new(format!("{unknown}; these topics contain it: {}", names.join(", ")))
        }
        _ if nearest.is_some() => UsageError::new(unknown).suggest(nearest),
        _ => UsageError::new(format!(
            "{unknown}; find topics with: kubectl pod explain --search {topic:?}"
        )),
    }
}

/// Lists the pages that have all the words.
fn search(words: &str, arguments: &Arguments, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let language = arguments.language();
    let found = handbook::search(words, language);
    if let Some(records) = arguments.records(TOPIC_LIST_KIND) {
        let mut records = records.always_a_list();
        for hit in &found {
            let found = Found {
                language,
                page: hit.page,
                topic: hit.page.name(),
            };
            printer.document(&records.add(found.value()));
        }
        printer.document(&records.end(None)?);
    } else if found.is_empty() {
        return Err(UsageError::new(format!("no page contains {words:?}")).into());
    } else {
        printer.lines(&view::handbook::hits(
            &found,
            view::width::columns(printer.is_terminal()),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the manifest of a page, to be piped into another command.
fn example(page: &Page, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let Some(example) = &page.example else {
        return Err(UsageError::new(format!("the page {:?} has no example", page.name())).into());
    };
    printer.document(example.manifest);
    Ok(ExitCode::SUCCESS)
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

/// A page, the language that it is shown in, and what was asked for.
struct Found<'a> {
    language: Language,
    page: &'static Page,
    topic: &'a str,
}

impl Found<'_> {
    fn value(&self) -> Value {
        let text = self.page.text(self.language);
        explanation::topic(
            self.page,
            &self.filled(text.title),
            &self.filled(text.body()),
            self.language,
        )
    }

    fn lines(&self, columns: Option<usize>) -> Vec<Line> {
        let text = self.page.text(self.language);
        let (title, body) = (self.filled(text.title), self.filled(text.body()));
        view::handbook::page(self.page, &title, &body, self.language, columns)
    }

    /// The pages on exit codes in general leave room for the code.
    fn filled(&self, text: &'static str) -> Cow<'static, str> {
        if !text.contains("{code}") && !text.contains("{signal}") {
            return text.into();
        }
        let (code, signal) = match self.topic.parse::<u8>() {
            Ok(code) => (code.to_string(), code.saturating_sub(128).to_string()),
            Err(_) => ("N".to_owned(), "N-128".to_owned()),
        };
        text.replace("{code}", &code).replace("{signal}", &signal).into()
    }
}

/// Finds a page by a name of any language, and answers in the language of the name unless another one was asked for.
fn find<'a>(language: Language, topic: &'a str, asked: Option<Language>) -> Option<Found<'a>> {
    let page = handbook::find(topic).or_else(|| exit_code(topic))?;
    let language = match handbook::language_of(page, topic) {
        Language::Korean if asked.is_none() => Language::Korean,
        _ => language,
    };
    Some(Found { language, page, topic })
}

/// The page on an exit code that has none of its own: a signal's, or the application's own choice.
fn exit_code(topic: &str) -> Option<&'static Page> {
    let code: u8 = topic.parse().ok()?;
    handbook::find(if (129..=192).contains(&code) {
        "exit code of a signal"
    } else {
        "exit code of the application"
    })
}
