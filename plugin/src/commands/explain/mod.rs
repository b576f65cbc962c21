//! `kubectl pod explain`: what a concept, field, reason or exit code means, or what is going on in a pod.

mod manifests;
mod pods;
mod topic;

use std::process::ExitCode;

use clap::Args;
use clap_complete::ArgValueCompleter;

use crate::cli::connection::Connection;
use crate::cli::output::{self, Output};
use crate::cli::selection::{Choice, Selection};
use crate::cli::switch;
use crate::cli::target::TargetKind;
use crate::completion;
use crate::failure::Failure;
use crate::knowledge::handbook;
use crate::knowledge::language::Language;
use crate::view::machine::Records;
use crate::view::printer::Printer;

/// What `explain` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kubectl pod explain                          # what there is to explain
  kubectl pod explain CrashLoopBackOff         # a reason, condition, phase or concept
  kubectl pod explain 137                      # an exit code
  kubectl pod explain --search 'back-off'      # the topics that mention it
  kubectl pod explain init-containers --example | kubectl pod lifecycle --emulate -f - --until Ready
  kubectl pod explain spec.containers.livenessProbe   # any field of a Pod, without a cluster
  kubectl pod explain pod/web                  # what is going on in a pod
  kubectl pod explain deploy/web               # in the pods of a Deployment, the worst first
  kubectl pod explain -A                       # what is wrong in the whole cluster
  kubectl pod explain -f pod.yaml              # what each line of a manifest does, and what is odd in it
  kubectl pod explain -f deployment.yaml       # the same of the pods that a Deployment, Job and the like makes
  kubectl pod explain -f saved.yaml            # the verdict on a pod that was saved with its events
  kubectl pod explain -A -o json               # for programs: the schema is kubectl-pod/v1
  kubectl pod explain --lang ko 파드")]
pub struct Arguments {
    /// A topic, a field's path, or pods as pod/NAME or of TYPE/NAME
    #[arg(value_name = "TOPIC | FIELD.PATH | TYPE/NAME", add = ArgValueCompleter::new(completion::fields::topics))]
    topic: Vec<String>,
    /// The pods with these labels (e.g. app=web,tier!=cache)
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Selector (field query) to filter on, e.g. status.phase=Running,spec.nodeName=node1
    #[arg(long, value_name = "FIELDS", add = ArgValueCompleter::new(completion::flags::selectable_fields))]
    field_selector: Option<String>,
    /// The pods of all namespaces
    #[arg(
        short = 'A',
        long,
        value_parser = switch::parse,
        value_name = switch::VALUE
    )]
    all_namespaces: bool,
    /// The pods of a file or directory, or - for standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    filename: Vec<String>,
    /// Also read the directories below those given with -f
    #[arg(short = 'R', long)]
    recursive_files: bool,
    /// Print the manifest that shows the topic, to be piped into apply or lifecycle
    #[arg(long)]
    example: bool,
    /// List the topics that mention all these words, the best first
    #[arg(long, value_name = "WORDS", conflicts_with = "topic")]
    search: Option<String>,
    /// List the names of all topics
    #[arg(long, conflicts_with = "topic")]
    list: bool,
    /// Show the fields of the fields, all the way down
    #[arg(long)]
    recursive: bool,
    /// The form of the answer: text, json, yaml, jsonpath=TEMPLATE, jsonpath-as-json=, jsonpath-file=,
    /// custom-columns=HEADER:PATH,..., custom-columns-file=, go-template=TEMPLATE,
    /// go-template-file=
    #[arg(
        short,
        long,
        value_name = "FORM",
        default_value = "text",
        hide_default_value = true,
        value_parser = form,
        add = ArgValueCompleter::new(completion::flags::explanation_forms)
    )]
    output: Output,
    /// With -o custom-columns: without the line of headers
    #[arg(
        long,
        value_parser = switch::parse,
        value_name = switch::VALUE
    )]
    no_headers: bool,
    /// The language; that of the locale by default, and English for programs
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Option<Language>,
}

impl Arguments {
    /// The language to answer in.
    fn language(&self) -> Language {
        self.lang.unwrap_or_else(|| {
            // What a program reads does not change with who runs it.
            if !matches!(self.output, Output::Text) {
                return Language::English;
            }
            let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
                .into_iter()
                .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
            Language::of_locale(&locale.unwrap_or_default())
        })
    }

    /// The answer for programs, where one was asked for; several objects are a list of `kind`.
    fn records(&self, kind: &'static str) -> Option<Records<'_>> {
        Records::of(&self.output, !self.no_headers, kind)
    }

    /// Whether pods are meant, and not what is known.
    fn names_pods(&self) -> bool {
        let has_selector = self.selector.is_some() || self.field_selector.is_some();
        // `pod web` and `pod/web` are pods, `pod infra container` and `Init:N/M` are topics.
        let begins_with_kind = self.topic.len() > 1 && TargetKind::named(&self.topic[0]).is_some();
        let has_slash = self.topic.first().is_some_and(|word| word.contains('/'));
        let topic = self.topic.join(" ");
        let is_topic = || handbook::find(&topic).is_some();
        let names_one = (begins_with_kind || has_slash) && !is_topic();
        names_one || has_selector || self.all_namespaces || !self.filename.is_empty()
    }
}

/// Reads the value of `-o`.
fn form(text: &str) -> Result<Output, String> {
    match output::parse(text)? {
        Output::Wide | Output::Name => Err(output::no_form(text, &["text", "json", "yaml"])),
        form => Ok(form),
    }
}

/// Runs it.
///
/// # Errors
/// What keeps it from being explained; a topic that is not known, with the nearest one that is.
pub fn run(arguments: &Arguments, connection: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    if !arguments.names_pods() {
        return topic::run(arguments, printer);
    }
    let selection = Selection {
        names: arguments.topic.clone(),
        selector: arguments.selector.clone(),
        field_selector: arguments.field_selector.clone(),
        all_namespaces: arguments.all_namespaces,
        filename: arguments.filename.clone(),
        recursive: arguments.recursive_files,
    };
    match selection.choice()? {
        Choice::Files(names) => manifests::run(arguments, &names, printer),
        choice @ Choice::Named(_) => pods::named(arguments, &choice, connection, printer),
        choice => pods::survey(arguments, &choice, connection, printer),
    }
}
