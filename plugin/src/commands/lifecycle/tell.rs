//! Tells stories in the form that was asked for, and makes an end an exit code.

use std::process::ExitCode;

use k8s_openapi::jiff::Timestamp;

use super::{Arguments, Form};
use crate::commands::follow::{End, Followed};
use crate::pod::history::History;
use crate::view::lifecycle::html::{self, Chapter};
use crate::view::lifecycle::record::{LifecycleListRecord, LifecycleRecord};
use crate::view::lifecycle::{self, several, svg};
use crate::view::machine;
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};
use crate::view::width;
use crate::{findings, view};

/// Tells the end, and makes it the exit code.
pub(in crate::commands) fn finish(arguments: &Arguments, followed: &Followed, printer: &mut Printer) -> ExitCode {
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

pub(in crate::commands) fn print(arguments: &Arguments, histories: &[History], printer: &mut Printer) {
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
