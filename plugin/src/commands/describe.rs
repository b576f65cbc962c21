//! `kubectl pod describe`: all that is known of a pod, and what is wrong with it.

use std::process::ExitCode;

use clap::Args;
use clap_complete::ArgValueCompleter;

use crate::cli::connection::Connection;
use crate::cli::containers::Containers;
use crate::cli::output::{self, Output};
use crate::cli::selection::{Choice, Selection};
use crate::cluster::Cluster;
use crate::cluster::error::ClusterError;
use crate::commands::block_on;
use crate::completion;
use crate::failure::Failure;
use crate::findings::Verdict;
use crate::findings::reading::Reading;
use crate::manifest;
use crate::view::describe;
use crate::view::describe::record::PodRecord;
use crate::view::machine;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// What `describe` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl pod describe web                  # one pod
  kubectl pod describe deploy/web           # all pods of a Deployment
  kubectl pod describe -l app=web           # all pods with a label
  kubectl pod describe web -c app           # without the other containers
  kubectl pod describe web -o json          # for programs: the schema is kubectl-pod/v1
  kubectl pod describe -A -o custom-columns=POD:.name,STATUS:.status
  kubectl pod describe -A --exit-code -o name   # for scripts: is any pod not well?
  kubectl get pod,events -o yaml | kubectl pod describe -f -   # a pod that was saved, with its events")]
pub struct Arguments {
    /// Which pods.
    #[command(flatten)]
    pub selection: Selection,
    /// Which containers.
    #[command(flatten)]
    pub containers: Containers,
    #[arg(
        short,
        long,
        value_name = "FORM",
        default_value = "text",
        hide_default_value = true,
        value_parser = output::parse,
        add = ArgValueCompleter::new(completion::flags::forms),
        help = output::HELP
    )]
    #[expect(missing_docs, reason = "its help is the one of every command")]
    pub output: Output,
    /// With -o custom-columns: without the line of headers
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        hide_default_value = true,
        value_parser = crate::cli::switch::parse,
        value_name = "BOOL"
    )]
    pub no_headers: bool,
    /// Show this many of the newest events; 0 shows none
    #[arg(long, value_name = "N")]
    pub events: Option<usize>,
    /// Show the events at all
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "true",
        hide_default_value = true,
        value_parser = crate::cli::switch::parse,
        value_name = "BOOL"
    )]
    pub show_events: bool,
    /// End with 0 if the pods are well, 2 if something is wrong, 3 if that cannot be told yet, 1 on errors
    #[arg(long)]
    pub exit_code: bool,
}

/// Runs it.
///
/// # Errors
/// What keeps all pods from being described; pods that are not there are reported while the others are shown.
pub fn run(arguments: &Arguments, connection: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let choice = arguments.selection.choice()?;
    let found = match &choice {
        Choice::Files(names) => from_files(names, arguments.selection.recursive)?,
        choice => from_cluster(choice, connection, printer)?,
    };
    let mut failures = Vec::new();
    let mut readings = Vec::new();
    for one in found {
        match one {
            Ok(mut reading) => {
                let names = reading.facts.containers.iter().map(|container| container.name.as_str());
                arguments.containers.check(&reading.facts.name, names)?;
                reading
                    .facts
                    .containers
                    .retain(|container| arguments.containers.has(&container.name));
                readings.push(reading);
            }
            Err(error) => failures.push(error),
        }
    }
    print(arguments, &readings, printer);
    let is_complete = failures.is_empty();
    for failure in failures {
        Failure::from(failure).report(printer);
    }
    Ok(match (is_complete, arguments.exit_code) {
        (false, _) => ExitCode::FAILURE,
        (true, false) => ExitCode::SUCCESS,
        (true, true) => exit_code(&readings),
    })
}

/// The exit code that tells of the worst pod.
pub(super) fn exit_code(readings: &[Reading]) -> ExitCode {
    let judged = readings.iter().filter(|reading| !reading.facts.is_manifest());
    let worst = judged.map(|reading| reading.verdict).max();
    ExitCode::from(worst.map_or(0, Verdict::exit_code))
}

fn from_files(names: &[String], is_recursive: bool) -> Result<Vec<Result<Reading, ClusterError>>, Failure> {
    let sources = manifest::source::read(names, is_recursive)?;
    let saved = manifest::pods(&sources)?;
    Ok(saved.into_iter().map(|saved| Ok(Reading::of_saved(saved))).collect())
}

fn from_cluster(
    choice: &Choice,
    connection: &Connection,
    printer: &mut Printer,
) -> Result<Vec<Result<Reading, ClusterError>>, Failure> {
    block_on(async {
        let cluster = Cluster::connect(connection).await?;
        let mut found = cluster.selected(choice).await;
        if let (Choice::Named(names), [Err(error)]) = (choice, found.as_slice())
            && let [prefix] = names.as_slice()
            && error.is_not_found()
        {
            // As in kubectl, what is no pod's name may be the beginning of some.
            let pods = cluster.pods_with_prefix(prefix).await.unwrap_or_default();
            if !pods.is_empty() {
                found = pods.into_iter().map(Ok).collect();
            }
        }
        if found.is_empty() {
            printer.error_line(&Line::from(cluster.nothing_found(choice)));
        }
        Ok(cluster.read(found, &connection.as_typed()).await)
    })
}

fn print(arguments: &Arguments, readings: &[Reading], printer: &mut Printer) {
    let mut records = Vec::new();
    for (number, reading) in readings.iter().enumerate() {
        match &arguments.output {
            Output::Name => printer.line(&Line::from(format!("pod/{}", reading.facts.name))),
            Output::Json | Output::Yaml | Output::Template(_) => records.push(PodRecord::of(reading)),
            Output::Text | Output::Wide => {
                if number > 0 {
                    printer.lines(&[Line::new(), Line::new()]);
                }
                let events_limit = if arguments.show_events {
                    arguments.events
                } else {
                    Some(0)
                };
                printer.lines(&describe::lines(reading, events_limit));
            }
        }
    }
    if matches!(arguments.output, Output::Text | Output::Wide | Output::Name) {
        return;
    }
    let value = match records.as_slice() {
        [record] => serde_json::to_value(record),
        records => serde_json::to_value(serde_json::json!({
            "apiVersion": describe::record::API_VERSION,
            "kind": "PodDescriptionList",
            "items": records,
        })),
    };
    let value = value.unwrap_or_default();
    printer.document(&match &arguments.output {
        Output::Template(template) => machine::templated(template, &value, !arguments.no_headers),
        Output::Yaml => machine::yaml(&value),
        _ => machine::json(&value),
    });
}
