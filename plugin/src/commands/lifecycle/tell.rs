//! Tells stories in the form that was asked for, and makes an end an exit code.

use std::process::ExitCode;

use k8s_openapi::jiff::Timestamp;

use super::{Arguments, Form};
use crate::commands::follow::{End, Followed};
use crate::knowledge::language::Language;
use crate::pod::history::History;
use crate::pod::percentiles::Lengths;
use crate::view::lifecycle::html::{self, Chapter};
use crate::view::lifecycle::record::{LIST_KIND, LifecycleRecord};
use crate::view::lifecycle::several::{self, Overview};
use crate::view::lifecycle::{self, svg};
use crate::view::machine::Records;
use crate::view::machine::go_template::Unfilled;
use crate::view::machine::items::{Items, Notation};
use crate::view::machine::templated::Templated;
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};
use crate::view::width;
use crate::{findings, view};

/// Tells the end, and makes it the exit code.
///
/// # Errors
/// What a template asks for that the stories do not have.
pub(in crate::commands) fn finish(
    arguments: &Arguments,
    followed: &Followed,
    printer: &mut Printer,
) -> Result<ExitCode, Unfilled> {
    let columns = width::columns(printer.is_terminal());
    match followed.pods.as_slice() {
        pods if arguments.output.is_document() => print(arguments, pods, printer)?,
        [history] => {
            let goes_on = !arguments.emulate && history.gone.is_none();
            printer.lines(&lifecycle::summary(history, columns, goes_on));
        }
        several => {
            printer.line(&Line::new());
            printer.lines(&several::lines_and_stages(several, columns));
        }
    }
    let state = arguments.until.map(|until| format!("{until:?}")).unwrap_or_default();
    let mut complain = |words: String| {
        printer.error_line(&Line::new().tone(Tone::Bad, "error:").plain(" ").plain(words));
    };
    Ok(match &followed.end {
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
    })
}

pub(in crate::commands) fn print(
    arguments: &Arguments,
    histories: &[History],
    printer: &mut Printer,
) -> Result<(), Unfilled> {
    let mut told = Told::new(arguments, printer);
    histories.iter().for_each(|history| told.take(history, printer));
    told.end(printer)
}

/// Stories while they come: of each, no more is kept than its form needs.
pub(super) struct Told<'a> {
    form: &'a Form,
    columns: Option<usize>,
    kept: Kept<'a>,
}

enum Kept<'a> {
    /// The overview of all; of one alone, its story is told.
    Overview {
        first: Option<Box<History>>,
        overview: Overview,
    },
    /// For programs.
    Records { records: Records<'a>, lengths: Lengths },
    /// What is drawn whole.
    Whole(Vec<History>),
    /// Nothing: it has been told.
    Nothing,
}

impl<'a> Told<'a> {
    /// Nothing yet.
    pub(super) fn new(arguments: &'a Arguments, printer: &Printer) -> Self {
        let columns = width::columns(printer.is_terminal());
        let records = |records| Kept::Records {
            records,
            lengths: Lengths::default(),
        };
        let written = |notation| records(Records::Written(Items::new(notation, LIST_KIND)));
        Self {
            form: &arguments.output,
            columns,
            kept: match &arguments.output {
                Form::Text => Kept::Overview {
                    first: None,
                    overview: Overview::new(columns),
                },
                Form::Json => written(Notation::Json),
                Form::Yaml => written(Notation::Yaml),
                Form::Template(template) => {
                    let has_headers = !arguments.no_headers;
                    records(Records::Templated(Templated::new(template, has_headers, LIST_KIND)))
                }
                Form::Wide | Form::Svg | Form::Html => Kept::Whole(Vec::new()),
                Form::Name => Kept::Nothing,
            },
        }
    }

    /// Tells a story, or keeps what is needed of it.
    pub(super) fn take(&mut self, history: &History, printer: &mut Printer) {
        match &mut self.kept {
            Kept::Overview { first, overview } => {
                if overview.is_empty() {
                    *first = Some(Box::new(history.clone()));
                }
                overview.add(history);
            }
            Kept::Records { records, lengths } => {
                lengths.add(history);
                printer.document(&records.add(LifecycleRecord::of(history).value()));
            }
            Kept::Whole(histories) => histories.push(history.clone()),
            Kept::Nothing => printer.line(&Line::from(format!("pod/{}", history.facts.name))),
        }
    }

    /// Tells the rest.
    ///
    /// # Errors
    /// What a template asks for that they do not have.
    pub(super) fn end(self, printer: &mut Printer) -> Result<(), Unfilled> {
        match self.kept {
            Kept::Overview { first, overview } => match first {
                Some(history) if overview.is_one() => printer.lines(&lifecycle::lines(&history, self.columns, false)),
                Some(_) => printer.lines(&overview.lines()),
                None => {}
            },
            Kept::Records { records, lengths } => {
                let spreads = serde_json::to_value(lengths.spreads()).unwrap_or_default();
                printer.document(&records.end(Some(("percentiles", spreads)))?);
            }
            Kept::Whole(histories) => match self.form {
                Form::Svg => printer.document(&svg::document(&histories)),
                Form::Html => printer.document(&page(&histories)),
                _ => wide(&histories, self.columns, printer),
            },
            Kept::Nothing => {}
        }
        Ok(())
    }
}

/// The overview, and each story below it.
fn wide(histories: &[History], columns: Option<usize>, printer: &mut Printer) {
    let is_overview = histories.len() > 1;
    if is_overview {
        printer.lines(&several::lines_and_stages(histories, columns));
    }
    for (number, history) in histories.iter().enumerate() {
        if number > 0 || is_overview {
            printer.line(&Line::new());
        }
        printer.lines(&lifecycle::lines(history, columns, true));
    }
}

fn page(histories: &[History]) -> String {
    let chapters: Vec<Chapter<'_>> = histories
        .iter()
        .map(|history| {
            let facts = &history.facts;
            let around = &history.around;
            let found = findings::within(facts, &history.events, around);
            let verdict = (!facts.is_manifest() && history.gone.is_none()).then(|| findings::verdict(facts, &found));
            Chapter {
                history,
                title: "Findings",
                verdict: verdict.map(|verdict| view::findings::verdict(verdict, Language::English)),
                findings: verdict.map_or_else(Vec::new, |verdict| {
                    view::findings::lines_in(Language::English, verdict, &found, &around.unread, None)
                }),
            }
        })
        .collect();
    html::page(&chapters, Timestamp::now())
}
