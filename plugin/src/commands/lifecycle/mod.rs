//! `kubectl pod lifecycle`: what happened to a pod, when, and what comes next.

mod form;
mod tell;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap_complete::ArgValueCompleter;
use k8s_openapi::jiff::Timestamp;

pub use self::form::Form;
use self::tell::Told;
pub(super) use self::tell::{finish, print};
use super::follow::{Follow, follow};
use crate::cli::connection::Connection;
use crate::cli::containers::Containers;
use crate::cli::duration;
use crate::cli::selection::{Choice, Selection};
use crate::cli::switch;
use crate::cli::usage::UsageError;
use crate::cluster::Cluster;
use crate::cluster::pods::{Along, PodAndEvents};
use crate::cluster::watch::Query;
use crate::commands::block_on;
use crate::completion;
use crate::failure::Failure;
use crate::manifest;
use crate::pod::Facts;
use crate::pod::event;
use crate::pod::history::History;
use crate::pod::outcome::Until;
use crate::recording;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// What `lifecycle` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl pod lifecycle web                       # what happened so far, and what comes next
  kubectl pod lifecycle web -w                    # and what happens from now on
  kubectl pod lifecycle web --until Ready --timeout 2m
  kubectl pod lifecycle -l app=web                # several pods, and how long each stage took in all of them
  kubectl pod lifecycle web -o html > web.html    # one page to attach to an incident
  kubectl pod lifecycle web -w --record web.life  # keep what happens, to read it later: -f web.life
  kubectl pod lifecycle -f saved.yaml             # a pod that was saved with its events (kubectl get pod,events -o yaml)
  kubectl pod lifecycle --emulate -f pod.yaml --until Ready   # run the file in an emulator of its own
  kubectl pod lifecycle --simulate -f pod.yaml --assume 'app: start 40s' --assume 'node: delete at 10m'   # what if

Exit codes: 0 what was waited for has come; 1 an error; 2 it cannot come any more; 3 it has not come in time;
130 interrupted.")]
pub struct Arguments {
    /// Which pods.
    #[command(flatten)]
    pub selection: Selection,
    /// The form of the story, told at the end with --until: text, wide, json, yaml, name, svg, html, jsonpath=TEMPLATE,
    /// jsonpath-as-json=, jsonpath-file=, custom-columns=HEADER:PATH,..., custom-columns-file=,
    /// go-template=TEMPLATE, go-template-file=
    #[arg(
        short,
        long,
        value_name = "FORM",
        default_value = "text",
        hide_default_value = true,
        value_parser = Form::parse,
        add = ArgValueCompleter::new(completion::flags::story_forms)
    )]
    pub output: Form,
    /// With -o custom-columns: without the line of headers
    #[arg(
        long,
        value_parser = switch::parse,
        value_name = switch::VALUE
    )]
    pub no_headers: bool,
    /// Go on telling what happens
    #[arg(
        short,
        long,
        value_parser = switch::parse,
        value_name = switch::VALUE
    )]
    pub watch: bool,
    /// Go on until the pods are there
    #[arg(long, value_enum, value_name = "STATE", ignore_case = true)]
    pub until: Option<Until>,
    /// Wait this long at most (e.g. 30s, 2m)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
    /// Keep what the watch tells in a file that -f can read later; with -w or --until
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Show what the containers write, or those that -c names; with -w, --until or --emulate
    #[arg(long)]
    pub logs: bool,
    /// Whose output.
    #[command(flatten)]
    pub containers: Containers,
    /// Run the file in an emulator that lives as long as this command
    #[arg(long, requires = "filename")]
    pub emulate: bool,
    /// Tell the life that the file would have, in virtual time: nothing is run, and --timeout says how far to look (1h)
    #[arg(long, requires = "filename", conflicts_with_all = ["emulate", "watch", "record", "logs"])]
    pub simulate: bool,
    /// With --simulate: what to take for granted, such as 'app: start 40s, run 5m, exit 1', 'app: ready after 90s',
    /// 'app: hang after 10m', 'app: stop 20s', 'node: delete at 10m', 'node: cpu 2, memory 4Gi'
    #[arg(long, value_name = "WHAT", requires = "simulate")]
    pub assume: Vec<String>,
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
    if arguments.watch && arguments.until.is_none() && arguments.output.is_document() {
        let name = arguments.output.name();
        return Err(UsageError::new(format!("-o {name} tells the end: with -w, it needs --until")).into());
    }
    if arguments.logs && !is_live && !arguments.emulate {
        return Err(UsageError::new("--logs follows what containers write: add -w or --until").into());
    }
    if !arguments.logs && arguments.containers.is_some() {
        return Err(UsageError::new("-c says whose output --logs shows: add --logs").into());
    }
    if arguments.timeout.is_some() && !is_live && !arguments.emulate && !arguments.simulate {
        return Err(UsageError::new("--timeout says how long to watch: add -w or --until").into());
    }
    match &choice {
        Choice::Files(names) if arguments.simulate => super::simulate::run(arguments, names, printer),
        Choice::Files(names) if arguments.emulate => super::emulate::run(arguments, names, printer),
        Choice::Files(_) if is_live => Err(UsageError::new(
            "a file does not change: -w and --until need a cluster, --emulate or --simulate",
        )
        .into()),
        _ if arguments.record.is_some() && !is_live => {
            Err(UsageError::new("--record keeps what a watch tells: add -w or --until").into())
        }
        Choice::Files(names) => {
            let histories = from_files(names, arguments.selection.recursive, printer)?;
            print(arguments, &histories, printer)?;
            Ok(ExitCode::SUCCESS)
        }
        choice if is_live => live(arguments, choice, connection, printer),
        choice => once(arguments, choice, connection, printer),
    }
}

/// Reads manifests, saved pods, and recordings.
fn from_files(names: &[String], is_recursive: bool, printer: &mut Printer) -> Result<Vec<History>, Failure> {
    let mut sources = manifest::source::read(names, is_recursive)?;
    let mut histories = Vec::new();
    for recorded in sources.extract_if(.., |source| recording::is_recording(source)) {
        if !recorded.text.ends_with('\n') {
            let words = format!("{}: the last line is torn, and left out", recorded.name);
            printer.note(&words);
        }
        histories.extend(recording::replay(&recorded)?);
    }
    if !sources.is_empty() || histories.is_empty() {
        let contents = super::from_files(&sources, printer)?;
        let newest = contents.related.newest();
        for saved in contents.pods {
            let now = manifest::saved_at(&saved.pod, newest).unwrap_or_else(Timestamp::now);
            let mut history = read(saved.pod, now);
            history.facts.is_saved = true;
            history.facts.newest = newest;
            histories.push(history);
        }
    }
    Ok(histories)
}

fn read(fetched: PodAndEvents, now: Timestamp) -> History {
    let facts = Facts::of(fetched.pod, now);
    let events = event::about(&facts, &fetched.events);
    History::of(facts, events)
}

/// Tells what happened so far, page by page.
fn once(
    arguments: &Arguments,
    choice: &Choice,
    connection: &Connection,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    let mut told = Told::new(arguments, printer);
    let mut failures = Vec::new();
    let mut unread = None;
    let mut found = 0_usize;
    let along = match arguments.output {
        Form::Name => Along::Nothing,
        _ => Along::Events,
    };
    let has_findings = matches!(arguments.output, Form::Html);
    block_on(async {
        let cluster = Cluster::connect(connection).await?;
        cluster
            .selected_in_pages(choice, along, async |page| {
                let now = Timestamp::now();
                found += page.len();
                let mut histories = Vec::with_capacity(page.len());
                for one in page {
                    match one {
                        Ok(fetched) => {
                            if unread.is_none() {
                                unread.clone_from(&fetched.events_error);
                            }
                            histories.push(read(fetched, now));
                        }
                        Err(error) => failures.push(Failure::from(error)),
                    }
                }
                if has_findings {
                    cluster.look_around_stories(&mut histories).await;
                }
                for history in &histories {
                    told.take(history, printer);
                }
                Ok::<_, Failure>(printer.page_end())
            })
            .await?;
        if found == 0 {
            printer.error_line(&Line::from(cluster.nothing_found(choice)));
        }
        Ok(())
    })?;
    if let Some(why) = unread {
        printer.note(&format!("events are not shown: {why}"));
    }
    told.end(printer)?;
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
            containers: arguments.containers.clone(),
            is_silent: arguments.output.is_document(),
            record: arguments.record.clone(),
            ..of_choice(choice, &cluster).await?
        };
        let mut followed = follow(&cluster, &request, printer).await?;
        if matches!(arguments.output, Form::Html) {
            cluster.look_around_stories(&mut followed.pods).await;
        }
        Ok(finish(arguments, &followed, printer)?)
    })
}

/// What to follow.
async fn of_choice(choice: &Choice, cluster: &Cluster) -> Result<Follow, Failure> {
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
            _ => Err(UsageError::new("one pod by its name, or several by -l, can be watched").into()),
        },
        Choice::Of(_) => {
            let found: Result<Vec<Query>, _> = cluster.queries(choice).await.into_iter().collect();
            match found?.as_slice() {
                [query] => Ok(Follow {
                    query: query.clone(),
                    ..Follow::default()
                }),
                [] => Err(UsageError::new("there are no pods to watch").into()),
                _ => Err(UsageError::new("the pods of one object at a time can be watched").into()),
            }
        }
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
        Choice::Files(_) => Err(UsageError::new("a file does not change").into()),
    }
}
