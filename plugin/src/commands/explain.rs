//! `kubectl pod explain`: what a concept, field, reason or exit code means, or what is going on in a pod.

use std::process::ExitCode;

use clap::Args;
use clap_complete::ArgValueCompleter;
use k8s_openapi::jiff::Timestamp;

use crate::cli::connection::Connection;
use crate::cli::selection::{Choice, Selection};
use crate::cli::usage::UsageError;
use crate::cluster::Cluster;
use crate::commands::block_on;
use crate::completion;
use crate::failure::Failure;
use crate::findings::reading::Reading;
use crate::knowledge::language::Language;
use crate::knowledge::{Catalogue, field};
use crate::view::printer::Printer;
use crate::view::text::Line;
use crate::{manifest, view};

/// What `explain` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl pod explain                          # what there is to explain
  kubectl pod explain CrashLoopBackOff         # a reason, condition, phase or concept
  kubectl pod explain 137                      # an exit code
  kubectl pod explain spec.containers.livenessProbe   # any field of a Pod, without a cluster
  kubectl pod explain pod/web                  # what is going on in a pod
  kubectl pod explain -f saved.yaml            # the same of a pod that was saved with its events
  kubectl pod explain --lang ko 파드")]
pub struct Arguments {
    /// A topic, a field's path, or pod/NAME
    #[arg(value_name = "TOPIC | FIELD.PATH | pod/NAME", add = ArgValueCompleter::new(completion::fields::topics))]
    topic: Vec<String>,
    /// The pods with these labels (e.g. app=web,tier!=cache)
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// The pods of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// The pods of a file or directory, or - for standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    filename: Vec<String>,
    /// Also read the directories below those given with -f
    #[arg(short = 'R', long)]
    recursive_files: bool,
    /// Show the fields of the fields, all the way down
    #[arg(long)]
    recursive: bool,
    /// The language; that of the locale by default
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Option<Language>,
}

/// Runs it.
///
/// # Errors
/// What keeps it from being explained; a topic that is not known, with the nearest one that is.
pub fn run(arguments: &Arguments, connection: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let is_pod = |word: &String| ["pod/", "pods/", "po/"].iter().any(|kind| word.starts_with(kind));
    let names_pods = arguments.topic.first().is_some_and(is_pod);
    if names_pods || arguments.selector.is_some() || arguments.all_namespaces || !arguments.filename.is_empty() {
        return pods(arguments, connection, printer);
    }
    let language = arguments.lang.unwrap_or_else(language);
    let catalogue = Catalogue::of(language);
    let topic = arguments.topic.join(" ");
    if topic.is_empty() {
        printer.lines(&view::knowledge::index(catalogue));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(entry) = find(catalogue, &topic, arguments.lang) {
        printer.lines(&view::knowledge::entry(&entry));
        return Ok(ExitCode::SUCCESS);
    }
    match field::explain(&topic, arguments.recursive) {
        Ok(field) => {
            printer.lines(&view::knowledge::field(&field));
            // Some fields are concepts too, and the concept says what the kubelet does with them.
            let last = field.path.rsplit('.').next().unwrap_or_default();
            if let Some(entry) = find(catalogue, last, arguments.lang) {
                printer.line(&Line::new());
                printer.lines(&view::knowledge::entry(&entry));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.parent == "Pod" => Err(UsageError::new(format!("there is no topic or field {topic:?}"))
            .suggest(catalogue.suggest(&topic).map(str::to_owned).or(error.suggestion))
            .into()),
        Err(error) => Err(UsageError::new(error.to_string()).suggest(error.suggestion).into()),
    }
}

/// Finds an entry by a name of any language. Who asks in a language and names no other gets the answer in it.
fn find(catalogue: &Catalogue, topic: &str, asked: Option<Language>) -> Option<crate::knowledge::Entry> {
    if let Some(entry) = catalogue.find(topic) {
        return Some(entry.clone());
    }
    [Language::English, Language::Korean].into_iter().find_map(|language| {
        let other = Catalogue::of(language);
        let name = other.name_of(topic)?;
        match asked {
            Some(_) => catalogue.find(name).cloned(),
            None => other.find(name).cloned(),
        }
    })
}

fn language() -> Language {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    Language::of_locale(&locale.unwrap_or_default())
}

fn pods(arguments: &Arguments, connection: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let selection = Selection {
        names: arguments.topic.clone(),
        selector: arguments.selector.clone(),
        field_selector: None,
        all_namespaces: arguments.all_namespaces,
        filename: arguments.filename.clone(),
        recursive: arguments.recursive_files,
    };
    let language = arguments.lang.unwrap_or_else(language);
    let mut failures = Vec::new();
    let mut readings = Vec::new();
    match selection.choice()? {
        Choice::Files(names) => {
            let sources = manifest::source::read(&names, arguments.recursive_files)?;
            readings.extend(manifest::pods(&sources)?.into_iter().map(Reading::of_saved));
        }
        choice => {
            let found = block_on(async {
                let cluster = Cluster::connect(connection).await?;
                let found = cluster.selected(&choice).await;
                let now = Timestamp::now();
                let read = found.into_iter().map(|one| async {
                    match one {
                        Ok(fetched) => Ok(cluster.look_around(Reading::of(fetched, now)).await),
                        Err(error) => Err(error),
                    }
                });
                Ok(futures::future::join_all(read).await)
            })?;
            for one in found {
                match one {
                    Ok(reading) => readings.push(reading),
                    Err(error) => failures.push(Failure::from(error)),
                }
            }
        }
    }
    // The worst first: a whole namespace is read from the top.
    readings.sort_by_key(|reading| std::cmp::Reverse(reading.worst()));
    for (number, reading) in readings.iter().enumerate() {
        if number > 0 {
            printer.line(&Line::new());
        }
        printer.lines(&judged(reading, language));
    }
    failures.iter().for_each(|failure| failure.report(printer));
    Ok(if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn judged(reading: &Reading, language: Language) -> Vec<Line> {
    let facts = &reading.facts;
    let mut lines = vec![view::lifecycle::headline(facts)];
    if facts.is_manifest() {
        lines.push(Line::from(
            "a manifest without mistakes in its fields; it starts, in this order:",
        ));
        lines.extend(
            facts
                .containers
                .iter()
                .map(|container| Line::from(format!("  {}", crate::pod::timeline::title(facts, container)))),
        );
        return lines;
    }
    lines.extend(view::findings::lines_in(
        language,
        reading.verdict,
        &reading.findings,
        &reading.around.unread,
    ));
    if language == Language::English {
        lines.extend(view::lifecycle::next_lines(facts));
    }
    lines
}
