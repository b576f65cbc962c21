//! `kubectl pod describe`: all that is known of a pod, and what is wrong with it.

mod tell;

use std::process::ExitCode;

use clap::Args;
use clap_complete::ArgValueCompleter;
use k8s_openapi::jiff::Timestamp;

use self::tell::Told;
use crate::cli::connection::Connection;
use crate::cli::containers::Containers;
use crate::cli::output::{self, Output};
use crate::cli::selection::{Choice, Selection};
use crate::cluster::Cluster;
use crate::cluster::error::ClusterError;
use crate::cluster::pods::{Along, PodAndEvents};
use crate::commands::{block_on, from_files};
use crate::completion;
use crate::failure::Failure;
use crate::findings::reading::Reading;
use crate::knowledge::language::Language;
use crate::manifest;
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
        value_parser = crate::cli::switch::parse,
        value_name = crate::cli::switch::VALUE
    )]
    pub no_headers: bool,
    /// Show this many of the newest events; 0 shows none
    #[arg(long, value_name = "N")]
    pub events: Option<usize>,
    /// Show the events at all
    #[arg(
        long,
        default_value = "true",
        value_parser = crate::cli::switch::parse,
        value_name = crate::cli::switch::VALUE
    )]
    pub show_events: bool,
    /// The language of the verdict and the findings
    #[arg(
        long,
        value_enum,
        value_name = "LANGUAGE",
        default_value = "en",
        hide_default_value = true
    )]
    pub lang: Language,
    /// End with 0 if the pods are well, 2 if something is wrong, 3 if that cannot be told yet, 1 on errors
    #[arg(long)]
    pub exit_code: bool,
}

/// Runs it: what comes is told page by page.
///
/// # Errors
/// What keeps all pods from being described; pods that are not there are reported while the others are shown.
pub fn run(arguments: &Arguments, connection: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let mut told = Told::new(arguments);
    match arguments.selection.choice()? {
        Choice::Files(names) => {
            let sources = manifest::source::read(&names, arguments.selection.recursive)?;
            let contents = from_files(&sources, printer)?;
            for read in contents.pods {
                told.take(Reading::of_file(read.pod, &contents.related), printer)?;
            }
        }
        choice => block_on(of_cluster(&choice, arguments, connection, &mut told, printer))?,
    }
    Ok(told.end(printer))
}

async fn of_cluster(
    choice: &Choice,
    arguments: &Arguments,
    connection: &Connection,
    told: &mut Told<'_>,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let cluster = Cluster::connect(connection).await?;
    let flags = connection.as_typed();
    // A name is told without a look at how the pod is.
    let is_judged = !matches!(arguments.output, Output::Name) || arguments.exit_code;
    let along = if is_judged { Along::Events } else { Along::Nothing };
    let mut found = 0_usize;
    cluster
        .selected_in_pages(
            choice,
            along,
            async |mut page: Vec<Result<PodAndEvents, ClusterError>>| {
                if let (Choice::Named(names), [Err(error)]) = (choice, page.as_slice())
                    && let [prefix] = names.as_slice()
                    && error.is_not_found()
                {
                    // As in kubectl, what is no pod's name may be the beginning of some.
                    let pods = cluster.pods_with_prefix(prefix).await.unwrap_or_default();
                    if !pods.is_empty() {
                        page = pods.into_iter().map(Ok).collect();
                    }
                }
                found += page.len();
                let readings = match is_judged {
                    true => cluster.read(page, &flags).await,
                    false => {
                        let now = Timestamp::now();
                        page.into_iter().map(|one| Ok(Reading::of(one?, now))).collect()
                    }
                };
                for one in readings {
                    match one {
                        Ok(reading) => told.take(reading, printer)?,
                        Err(error) => told.fail(error.into()),
                    }
                }
                Ok::<_, Failure>(printer.page_end())
            },
        )
        .await?;
    if found == 0 {
        printer.error_line(&Line::from(cluster.nothing_found(choice)));
    }
    Ok(())
}
