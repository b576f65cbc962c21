//! `kubectl pod lifecycle`: what happened to a pod, when, and what comes next.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap_complete::ArgValueCompleter;
use k8s_openapi::jiff::Timestamp;

use super::follow::{End, Follow, Followed, follow};
use crate::cli::connection::Connection;
use crate::cli::containers::Containers;
use crate::cli::duration;
use crate::cli::output::{self, Template};
use crate::cli::selection::{Choice, Selection};
use crate::cli::switch;
use crate::cli::usage::UsageError;
use crate::cluster::Cluster;
use crate::cluster::pods::PodAndEvents;
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
use crate::view::lifecycle::html::{self, Chapter};
use crate::view::lifecycle::record::{LifecycleListRecord, LifecycleRecord};
use crate::view::lifecycle::{self, several, svg};
use crate::view::machine;
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};
use crate::view::width;
use crate::{findings, view};

/// The forms of the story.
#[derive(Clone, Debug, Default)]
pub enum Form {
    /// For people; several pods in one table.
    #[default]
    Text,
    /// For people; several pods with all their stories.
    Wide,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
    /// `pod/NAME`, one a line.
    Name,
    /// The chart as a picture.
    Svg,
    /// One web page, to attach to an incident.
    Html,
    /// What a template takes out of the story for programs.
    Template(Template),
}

impl Form {
    /// Reads the value of `-o`.
    ///
    /// # Errors
    /// What is wrong with it, in kubectl's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" | "" => Ok(Self::Text),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "name" => Ok(Self::Name),
            "svg" => Ok(Self::Svg),
            "html" => Ok(Self::Html),
            other => match Template::parse(other) {
                Some(template) => template.map(Self::Template),
                None => Err(output::no_form(
                    other,
                    &["text", "wide", "json", "yaml", "name", "svg", "html"],
                )),
            },
        }
    }

    /// What it is called.
    fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Wide => "wide",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Name => "name",
            Self::Svg => "svg",
            Self::Html => "html",
            Self::Template(Template::JsonPath(_)) => "jsonpath",
            Self::Template(Template::JsonPathAsJson(_)) => "jsonpath-as-json",
            Self::Template(_) => "custom-columns",
        }
    }

    /// Whether the story is told at its end alone.
    pub fn is_document(&self) -> bool {
        !matches!(self, Self::Text | Self::Wide)
    }
}

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
    /// jsonpath-as-json=, jsonpath-file=, custom-columns=HEADER:PATH,..., custom-columns-file=
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
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        hide_default_value = true,
        value_parser = switch::parse,
        value_name = "BOOL"
    )]
    pub no_headers: bool,
    /// Go on telling what happens
    #[arg(
        short,
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "false",
        hide_default_value = true,
        value_parser = switch::parse,
        value_name = "BOOL"
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
    /// 'app: hang after 10m', 'app: stop 20s', 'node: delete at 10m'
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
            print(arguments, &histories, printer);
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
            printer.error_line(&Line::new().tone(Tone::Warning, "note:").plain(" ").plain(words));
        }
        histories.extend(recording::replay(&recorded)?);
    }
    if !sources.is_empty() || histories.is_empty() {
        for saved in manifest::pods(&sources)? {
            let now = manifest::saved_at(&saved).unwrap_or_else(Timestamp::now);
            histories.push(read(saved, now));
        }
    }
    Ok(histories)
}

fn read(fetched: PodAndEvents, now: Timestamp) -> History {
    let facts = Facts::of(fetched.pod, now);
    let events = event::about(&facts, &fetched.events);
    History::of(facts, events)
}

fn once(
    arguments: &Arguments,
    choice: &Choice,
    connection: &Connection,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    let found = block_on(async {
        let cluster = Cluster::connect(connection).await?;
        let found = cluster.selected(choice).await;
        if found.is_empty() {
            printer.error_line(&Line::from(cluster.nothing_found(choice)));
        }
        Ok(found)
    })?;
    let now = Timestamp::now();
    let mut told = Vec::new();
    let mut failures = Vec::new();
    let mut unread = None;
    for one in found {
        match one {
            Ok(fetched) => {
                unread = unread.or(fetched.events_error.clone());
                told.push(read(fetched, now));
            }
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    if let Some(why) = unread {
        let line = Line::new()
            .tone(Tone::Warning, "note:")
            .plain(format!(" events are not shown: {why}"));
        printer.error_line(&line);
    }
    print(arguments, &told, printer);
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
        let followed = follow(&cluster, &request, printer).await?;
        Ok(finish(arguments, &followed, printer))
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

/// Tells the end, and makes it the exit code.
pub(super) fn finish(arguments: &Arguments, followed: &Followed, printer: &mut Printer) -> ExitCode {
    let columns = width::columns(printer.is_terminal());
    match followed.pods.as_slice() {
        pods if arguments.output.is_document() => print(arguments, pods, printer),
        [history] => {
            let goes_on = !arguments.emulate && history.gone.is_none();
            printer.lines(&lifecycle::summary(history, columns, goes_on));
        }
        several => {
            printer.line(&Line::new());
            printer.lines(&several::lines(several, columns));
            printer.lines(&several::percentile_lines(several));
        }
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
                .map(|history| format!("pods/{}", history.facts.name))
                .collect();
            complain(format!("timed out waiting for the condition on {}", names.join(", ")));
            ExitCode::from(3)
        }
        End::Interrupted => ExitCode::from(130),
    }
}

pub(super) fn print(arguments: &Arguments, histories: &[History], printer: &mut Printer) {
    let columns = width::columns(printer.is_terminal());
    match &arguments.output {
        Form::Template(template) => {
            printer.document(&machine::templated(template, &record(histories), !arguments.no_headers));
        }
        Form::Json => printer.document(&machine::json(&record(histories))),
        Form::Yaml => printer.document(&machine::yaml(&record(histories))),
        Form::Svg => printer.document(&svg::document(histories)),
        Form::Html => printer.document(&page(histories)),
        Form::Name => {
            for history in histories {
                printer.line(&Line::from(format!("pod/{}", history.facts.name)));
            }
        }
        form @ (Form::Text | Form::Wide) => {
            let is_overview = histories.len() > 1;
            if is_overview {
                printer.lines(&several::lines(histories, columns));
                printer.lines(&several::percentile_lines(histories));
            }
            if is_overview && matches!(form, Form::Text) {
                return;
            }
            for (number, history) in histories.iter().enumerate() {
                if number > 0 || is_overview {
                    printer.line(&Line::new());
                }
                printer.lines(&lifecycle::lines(history, columns, matches!(form, Form::Wide)));
            }
        }
    }
}

fn record(histories: &[History]) -> serde_json::Value {
    let value = match histories {
        [history] => serde_json::to_value(LifecycleRecord::of(history)),
        histories => serde_json::to_value(LifecycleListRecord::of(histories)),
    };
    value.unwrap_or_default()
}

fn page(histories: &[History]) -> String {
    let chapters: Vec<Chapter<'_>> = histories
        .iter()
        .map(|history| {
            let facts = &history.facts;
            let found = findings::of(facts, &history.events);
            let lines = match facts.is_manifest() || history.gone.is_some() {
                true => Vec::new(),
                false => view::findings::lines(findings::verdict(facts, &found), &found),
            };
            Chapter {
                history,
                title: "Findings",
                findings: lines,
            }
        })
        .collect();
    html::page(&chapters, Timestamp::now())
}
