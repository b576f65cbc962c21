//! Pods of a cluster: one in full, many in a list.

use std::process::ExitCode;

use super::Arguments;
use crate::cli::connection::Connection;
use crate::cli::selection::Choice;
use crate::cluster::Cluster;
use crate::cluster::survey::Survey;
use crate::commands::block_on;
use crate::failure::Failure;
use crate::findings::message::say;
use crate::findings::reading::Reading;
use crate::knowledge::language::Language;
use crate::pod::{Facts, age};
use crate::view;
use crate::view::describe::record;
use crate::view::explanation::{self, SURVEY_KIND};
use crate::view::printer::Printer;
use crate::view::text::{Line, Tone};

/// Pods that were named: each in full, the worst first.
pub(super) fn named(
    arguments: &Arguments,
    choice: &Choice,
    connection: &Connection,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    let found = block_on(async {
        let cluster = Cluster::connect(connection).await?;
        let found = cluster.selected(choice).await;
        Ok(cluster.read(found, &connection.as_typed()).await)
    })?;
    let (mut readings, mut failures) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Ok(reading) => readings.push(reading),
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    readings.sort_by_key(|reading: &Reading| std::cmp::Reverse((reading.verdict, reading.worst())));
    if let Some(mut records) = arguments.records(record::LIST_KIND) {
        for reading in &readings {
            printer.document(&records.add(record::of(reading)));
        }
        if !readings.is_empty() || failures.is_empty() {
            printer.document(&records.end(None)?);
        }
        return Ok(ended(&failures, printer));
    }
    let language = arguments.language();
    let columns = view::width::columns(printer.is_terminal());
    for (number, reading) in readings.iter().enumerate() {
        if number > 0 {
            printer.line(&Line::new());
        }
        printer.lines(&judged(reading, language, columns));
    }
    Ok(ended(&failures, printer))
}

/// Many pods: a ranked list, and the worst of them in full.
pub(super) fn survey(
    arguments: &Arguments,
    choice: &Choice,
    connection: &Connection,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    let (survey, errors, worst) = block_on(async {
        let cluster = Cluster::connect(connection).await?;
        let (mut survey, errors) = cluster.survey(choice).await;
        let flags = connection.as_typed();
        survey.unwell = std::mem::take(&mut survey.unwell)
            .into_iter()
            .map(|reading| reading.with_flags(&flags))
            .collect();
        let worst = match survey.unwell.first() {
            Some(worst) => Some(cluster.look_around(worst.clone()).await),
            None => None,
        };
        Ok((survey, errors, worst))
    })?;
    let failures: Vec<Failure> = errors.into_iter().map(Failure::from).collect();
    if let Some(records) = arguments.records(SURVEY_KIND) {
        let mut records = records.always_a_list();
        for reading in &survey.unwell {
            printer.document(&records.add(record::of(reading)));
        }
        printer.document(&records.end(Some(("verdicts", explanation::verdicts(&survey))))?);
        return Ok(ended(&failures, printer));
    }
    let language = arguments.language();
    if !survey.counts.is_empty() || failures.is_empty() {
        show(&survey, worst.as_ref(), language, printer);
    }
    Ok(ended(&failures, printer))
}

/// The list, the worst pod, and how to see another.
pub(super) fn show(survey: &Survey, worst: Option<&Reading>, language: Language, printer: &mut Printer) {
    let columns = view::width::columns(printer.is_terminal());
    printer.lines(&view::survey::lines(survey, language));
    let Some(worst) = worst else {
        return;
    };
    printer.line(&Line::new());
    printer.line(&Line::new().tone(Tone::Heading, say("survey.worst").in_language(language)));
    printer.lines(&judged(worst, language, columns));
    if let Some(next) = survey.unwell.get(1) {
        let command = next.command(&["pod", "explain", &format!("pod/{}", next.facts.name)]);
        printer.line(&Line::new());
        printer.line(
            &Line::new()
                .tone(Tone::Faint, say("survey.details").in_language(language))
                .plain(" ")
                .plain(command),
        );
    }
}

/// One pod: its verdict, what was found, and what comes next.
pub(super) fn judged(reading: &Reading, language: Language, columns: Option<usize>) -> Vec<Line> {
    let facts = &reading.facts;
    let mut lines = vec![headline(facts, language)];
    lines.extend(view::findings::lines_in(
        language,
        reading.verdict,
        &reading.findings,
        &reading.around.unread,
        columns,
    ));
    if let Some(error) = &reading.events_error {
        lines.push(
            Line::from("  ")
                .tone(Tone::Faint, say("view.unread").in_language(language))
                .plain(" ")
                .tone(Tone::Faint, error.as_str()),
        );
    }
    lines.extend(view::lifecycle::next_lines(facts, &reading.events, language, columns));
    lines
}

fn headline(facts: &Facts, language: Language) -> Line {
    if language == Language::English {
        return view::lifecycle::headline(facts);
    }
    let computed = &facts.computed;
    let words = say("view.headline")
        .with("ready", computed.ready.to_string())
        .with("total", computed.total.to_string())
        .with(
            "age",
            facts
                .created()
                .map(|created| age::between(created, facts.now))
                .unwrap_or_default(),
        );
    Line::new()
        .tone(Tone::Heading, format!("{}/{}", facts.namespace, facts.name))
        .plain(format!("  {}  ", computed.status))
        .tone(Tone::Faint, words.in_language(language))
}

fn ended(failures: &[Failure], printer: &mut Printer) -> ExitCode {
    failures.iter().for_each(|failure| failure.report(printer));
    if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
