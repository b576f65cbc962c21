//! `kubectl pod lifecycle --simulate`: the life that one file would have, in virtual time.

use std::process::ExitCode;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::jiff::Timestamp;

use super::emulate;
use super::lifecycle::{Arguments, Form, print};
use crate::failure::Failure;
use crate::lint;
use crate::manifest::{self, Maker, Problem, Source};
use crate::pod::Facts;
use crate::pod::outcome::Progress;
use crate::simulation::assume::Assumption;
use crate::simulation::scenario::{self, START};
use crate::simulation::{self, HORIZON, Simulated};
use crate::view::lifecycle::html::{self, Chapter};
use crate::view::lifecycle::record::{LIST_KIND, LifecycleRecord};
use crate::view::lifecycle::{self, answer_lines};
use crate::view::machine;
use crate::view::machine::go_template::Unfilled;
use crate::view::machine::templated::Templated;
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};
use crate::view::width;

/// What may stand beside the pod and matters to its life.
const COMPANIONS: [&str; 6] = [
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "PriorityClass",
    "LimitRange",
    "Namespace",
];

/// Runs it.
///
/// # Errors
/// What is wrong with the file or the assumptions.
pub fn run(arguments: &Arguments, names: &[String], printer: &mut Printer) -> Result<ExitCode, Failure> {
    let assumptions = arguments
        .assume
        .iter()
        .map(|text| Assumption::parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    let sources = manifest::source::read(names, arguments.selection.recursive)?;
    let play = emulate::read(&sources)?;
    check(&sources)?;
    let mut left_out = Vec::new();
    let mut companions = Vec::new();
    for document in play.companions {
        if COMPANIONS.contains(&document.kind.as_str()) {
            companions.push(document.value);
        } else {
            left_out.push(format!(
                "the file's {} is left out: it changes nothing of the pod's life here",
                document.kind
            ));
        }
    }
    let horizon = arguments.timeout.unwrap_or(HORIZON);
    let mut plan = scenario::plan(&play.pod, companions, &assumptions, horizon)?;
    plan.assumed.extend(play.maker.as_ref().map(Maker::told));
    plan.assumed.extend(left_out);
    let simulated = simulation::run(plan, arguments.until)?;
    tell(arguments, &simulated, printer)?;
    Ok(ended(arguments, &simulated, printer))
}

/// Says of a manifest that the API server would refuse what `explain -f` says of it.
fn check(sources: &[Source]) -> Result<(), Problem> {
    let mut problems = Vec::new();
    for pod in &manifest::read(sources)?.pods {
        let facts = Facts::of(pod.pod.pod.clone(), START);
        if !facts.is_manifest() {
            continue;
        }
        let none = PodSpec::default();
        let lints = lint::of_manifest(pod, facts.spec().unwrap_or(&none));
        for lint in &lints {
            let Some(words) = &lint.refusal else { continue };
            let path = pod.path(&lint.path);
            let words = match words.strip_prefix(&lint.path).filter(|_| !words.is_empty()) {
                Some(rest) => format!("{path}{rest}"),
                // The server stops at a fault before it, and would come to this one next.
                None if words.is_empty() => lint.what.to_string(),
                None => words.clone(),
            };
            let problem = Problem::new(pod.source, words).at(pod.place_of(&lint.at));
            problems.push(problem.field(path).help(lint.help.to_string()));
        }
    }
    let mut problems = problems.into_iter();
    match problems.next() {
        Some(first) => Err(first.and(problems)),
        None => Ok(()),
    }
}

fn tell(arguments: &Arguments, simulated: &Simulated, printer: &mut Printer) -> Result<(), Unfilled> {
    let columns = width::columns(printer.is_terminal());
    let history = &simulated.history;
    let (assumed, answers) = (&simulated.assumed, &simulated.answers);
    let record = || {
        LifecycleRecord::of(history)
            .with_answers(assumed.clone(), answers.clone())
            .value()
    };
    match &arguments.output {
        form @ (Form::Text | Form::Wide) => {
            printer.lines(&lifecycle::lines(history, columns, matches!(form, Form::Wide)));
            printer.lines(&answer_lines(assumed, answers, columns));
        }
        Form::Json => printer.document(&machine::json(&record())),
        Form::Yaml => printer.document(&machine::yaml(&record())),
        Form::Template(template) => {
            let mut templated = Templated::new(template, !arguments.no_headers, LIST_KIND);
            templated.add(record());
            printer.document(&templated.end(None)?);
        }
        Form::Html => {
            let chapter = Chapter {
                history,
                title: "Simulated",
                verdict: None,
                findings: answer_lines(assumed, answers, None).into_iter().skip(1).collect(),
            };
            printer.document(&html::page(&[chapter], Timestamp::now()));
        }
        Form::Svg | Form::Name => print(arguments, std::slice::from_ref(history), printer)?,
    }
    Ok(())
}

/// With --until, the exit code is that of a wait.
fn ended(arguments: &Arguments, simulated: &Simulated, printer: &mut Printer) -> ExitCode {
    let Some(until) = arguments.until else {
        return ExitCode::SUCCESS;
    };
    let mut complain = |words: String| {
        printer.error_line(&Line::new().tone(Tone::Bad, "error:").plain(" ").plain(words));
    };
    match &simulated.progress {
        Progress::Reached => ExitCode::SUCCESS,
        Progress::Lost(why) => {
            complain(format!("{until:?} cannot be reached any more: {why}"));
            ExitCode::from(2)
        }
        Progress::Open => {
            complain(format!("{until:?} has not come in the time that was simulated"));
            ExitCode::from(3)
        }
    }
}
