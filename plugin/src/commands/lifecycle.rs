//! `kubectl pod lifecycle`: what happened to a pod, when, and what comes next.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use k8s_openapi::jiff::Timestamp;

use super::follow::{End, Follow, Followed, follow};
use crate::cli::connection::Connection;
use crate::cli::duration;
use crate::cli::output::Output;
use crate::cli::selection::{Choice, Selection};
use crate::cli::usage::UsageError;
use crate::cluster::Cluster;
use crate::cluster::pods::PodAndEvents;
use crate::cluster::watch::Query;
use crate::commands::block_on;
use crate::failure::Failure;
use crate::manifest;
use crate::pod::Facts;
use crate::pod::event::{self, Event};
use crate::pod::outcome::Until;
use crate::view::lifecycle::{self, LifecycleRecord};
use crate::view::machine;
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};

/// What `lifecycle` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl pod lifecycle web                       # what happened so far, and what comes next
  kubectl pod lifecycle web -w                    # and what happens from now on
  kubectl pod lifecycle web --until Ready --timeout 2m
  kubectl pod lifecycle -f saved.yaml             # a pod that was saved with its events
  kubectl pod lifecycle --emulate -f pod.yaml --until Ready   # run the file in an emulator of its own

Exit codes: 0 what was waited for has come; 1 an error; 2 it cannot come any more; 3 it has not come in time;
130 interrupted.")]
pub struct Arguments {
    /// Which pods.
    #[command(flatten)]
    pub selection: Selection,
    /// The form of the story; with --until, told at the end
    #[arg(short, long, value_enum, default_value = "text", hide_default_value = true)]
    pub output: Output,
    /// Go on telling what happens
    #[arg(
        short,
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "BOOL"
    )]
    pub watch: bool,
    /// Go on until the pods are there
    #[arg(long, value_enum, value_name = "STATE", ignore_case = true)]
    pub until: Option<Until>,
    /// Wait this long at most (e.g. 30s, 2m)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
    /// Show what the containers write
    #[arg(long)]
    pub logs: bool,
    /// Run the file in an emulator that lives as long as this command
    #[arg(long, requires = "filename")]
    pub emulate: bool,
    /// With --emulate: containers that ask for the image FROM get TO; FROM may be * for all, TO localhost/host for this
    /// machine's own filesystem
    #[arg(long, value_name = "FROM=TO", requires = "emulate")]
    pub map_image: Vec<String>,
    /// With --emulate: an OCI archive with images to run
    #[arg(long, value_name = "TAR", requires = "emulate")]
    pub image_archive: Vec<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// What keeps the story from being told.
pub fn run(arguments: &Arguments, connection: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let choice = arguments.selection.choice()?;
    let is_live = arguments.watch || arguments.until.is_some();
    let is_record = matches!(arguments.output, Output::Json | Output::Yaml);
    if arguments.watch && arguments.until.is_none() && is_record {
        return Err(UsageError::new("-o json and -o yaml tell the end: with -w, they need --until").into());
    }
    match &choice {
        Choice::Files(names) if arguments.emulate => super::emulate::run(arguments, names, printer),
        Choice::Files(_) if is_live => {
            Err(UsageError::new("a file does not change: -w and --until need a cluster, or --emulate").into())
        }
        Choice::Files(names) => {
            let sources = manifest::source::read(names, arguments.selection.recursive)?;
            let told: Vec<(Facts, Vec<Event>)> = manifest::pods(&sources)?.into_iter().map(saved).collect();
            print(arguments.output, &told, printer);
            Ok(ExitCode::SUCCESS)
        }
        choice if is_live => live(arguments, choice, connection, printer),
        choice => once(arguments, choice, connection, printer),
    }
}

fn saved(saved: PodAndEvents) -> (Facts, Vec<Event>) {
    let now = manifest::saved_at(&saved).unwrap_or_else(Timestamp::now);
    read(saved, now)
}

fn read(fetched: PodAndEvents, now: Timestamp) -> (Facts, Vec<Event>) {
    let facts = Facts::of(fetched.pod, now);
    let events = event::about(&facts, &fetched.events);
    (facts, events)
}

fn once(
    arguments: &Arguments,
    choice: &Choice,
    connection: &Connection,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    let found = block_on(async {
        let cluster = Cluster::connect(connection).await?;
        Ok(cluster.selected(choice).await)
    })?;
    let now = Timestamp::now();
    let mut told = Vec::new();
    let mut failures = Vec::new();
    for one in found {
        match one {
            Ok(fetched) => told.push(read(fetched, now)),
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    if told.is_empty() && failures.is_empty() {
        printer.error_line(&Line::from("No resources found."));
    }
    print(arguments.output, &told, printer);
    failures.iter().for_each(|failure| failure.report(printer));
    Ok(if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn live(
    arguments: &Arguments,
    choice: &Choice,
    connection: &Connection,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    block_on(async {
        let cluster = Cluster::connect(connection).await?;
        let request = Follow {
            until: arguments.until,
            timeout: arguments.timeout,
            shows_logs: arguments.logs,
            is_silent: matches!(arguments.output, Output::Json | Output::Yaml | Output::Name),
            ..of_choice(choice, &cluster)?
        };
        let followed = follow(&cluster, &request, printer).await?;
        Ok(finish(arguments, &followed, printer))
    })
}

/// What to follow.
fn of_choice(choice: &Choice, cluster: &Cluster) -> Result<Follow, UsageError> {
    let here = Some(cluster.namespace().to_owned());
    match choice {
        Choice::Named(names) => match names.as_slice() {
            [name] => Ok(Follow {
                query: Query {
                    namespace: here,
                    labels: None,
                    fields: Some(format!("metadata.name={name}")),
                },
                name: Some(name.clone()),
                ..Follow::default()
            }),
            _ => Err(UsageError::new("one pod by its name, or several by -l, can be watched")),
        },
        Choice::Matching {
            labels,
            fields,
            everywhere,
        } => Ok(Follow {
            query: Query {
                namespace: if *everywhere { None } else { here },
                labels: labels.clone(),
                fields: fields.clone(),
            },
            ..Follow::default()
        }),
        Choice::Files(_) => Err(UsageError::new("a file does not change")),
    }
}

/// Tells the end, and makes it the exit code.
pub(super) fn finish(arguments: &Arguments, followed: &Followed, printer: &mut Printer) -> ExitCode {
    if matches!(arguments.output, Output::Text | Output::Wide) {
        for (facts, events) in &followed.pods {
            let goes_on = !arguments.emulate && arguments.until != Some(Until::Deleted);
            printer.lines(&lifecycle::summary(facts, events, goes_on));
        }
    } else {
        print(arguments.output, &followed.pods, printer);
    }
    let state = arguments.until.map(|until| format!("{until:?}")).unwrap_or_default();
    let mut complain = |words: String| {
        printer.error_line(&Line::new().tone(Tone::Bad, "error:").plain(" ").plain(words));
    };
    match &followed.end {
        End::Reached => ExitCode::SUCCESS,
        End::Lost(why) => {
            complain(format!("{state} cannot be reached any more: {why}"));
            ExitCode::from(2)
        }
        End::TimedOut => {
            let names: Vec<String> = followed
                .pods
                .iter()
                .map(|(facts, _)| format!("pods/{}", facts.name))
                .collect();
            complain(format!("timed out waiting for the condition on {}", names.join(", ")));
            ExitCode::from(3)
        }
        End::Interrupted => ExitCode::from(130),
    }
}

fn print(output: Output, told: &[(Facts, Vec<Event>)], printer: &mut Printer) {
    let write = match output {
        Output::Json => machine::json::<serde_json::Value>,
        Output::Yaml => machine::yaml::<serde_json::Value>,
        Output::Name => {
            for (facts, _) in told {
                printer.line(&Line::from(format!("pod/{}", facts.name)));
            }
            return;
        }
        Output::Text | Output::Wide => {
            for (number, (facts, events)) in told.iter().enumerate() {
                if number > 0 {
                    printer.line(&Line::new());
                }
                printer.lines(&lifecycle::lines(facts, events));
            }
            return;
        }
    };
    let records: Vec<LifecycleRecord> = told
        .iter()
        .map(|(facts, events)| LifecycleRecord::of(facts, events))
        .collect();
    let value = match records.as_slice() {
        [record] => serde_json::to_value(record),
        records => serde_json::to_value(serde_json::json!({
            "apiVersion": crate::view::describe::record::API_VERSION,
            "kind": "PodLifecycleList",
            "items": records,
        })),
    };
    printer.document(&write(&value.unwrap_or_default()));
}
