//! Files: manifests line by line, and saved pods with the same verdict as live ones.

use std::process::ExitCode;

use super::{Arguments, pods};
use crate::cluster::survey::Survey;
use crate::failure::Failure;
use crate::findings::reading::Reading;
use crate::lint;
use crate::manifest;
use crate::view;
use crate::view::describe::record;
use crate::view::explanation::{self, FILE_LIST_KIND};
use crate::view::printer::Printer;
use crate::view::text::Line;

/// So many saved pods are shown in full; of more, a list is read sooner.
const FEW: usize = 3;

/// Explains the pods of files; a manifest that the API server would refuse makes it fail.
pub(super) fn run(arguments: &Arguments, names: &[String], printer: &mut Printer) -> Result<ExitCode, Failure> {
    let language = arguments.language();
    let mut records = arguments.records(FILE_LIST_KIND);
    let sources = manifest::source::read(names, arguments.recursive_files)?;
    let contents = manifest::read_with_owners(&sources)?;
    let mut saved = Vec::new();
    let mut is_first = true;
    let mut gap = |printer: &mut Printer| {
        if !std::mem::replace(&mut is_first, false) {
            printer.line(&Line::new());
        }
    };
    let mut is_refused = false;
    for pod in &contents.pods {
        let reading = Reading::of_file(pod.pod.clone(), &contents.related);
        is_refused |= reading.facts.is_manifest() && lint::is_refused(pod, &reading.facts);
        match &mut records {
            Some(records) if reading.facts.is_manifest() => {
                printer.document(&records.add(explanation::manifest(pod, &reading.facts, language)));
            }
            Some(records) => printer.document(&records.add(record::of(&reading))),
            None if reading.facts.is_manifest() => {
                gap(printer);
                printer.lines(&view::manifest::lines(pod, &reading.facts, language));
            }
            None => saved.push(reading),
        }
    }
    let owners = contents.related.failing_owners();
    if let Some(mut records) = records {
        for owner in &owners {
            printer.document(&records.add(explanation::owner(owner)));
        }
        printer.document(&records.end(None)?);
        contents.passed_over.iter().for_each(|words| printer.note(words));
        return Ok(ExitCode::SUCCESS);
    }
    if saved.len() > FEW {
        let mut survey = Survey::default();
        saved.into_iter().for_each(|reading| survey.add(reading));
        survey.rank();
        gap(printer);
        pods::show(&survey, survey.unwell.first(), language, printer);
    } else {
        saved.sort_by_key(|reading| std::cmp::Reverse((reading.verdict, reading.worst())));
        let columns = view::width::columns(printer.is_terminal());
        for reading in &saved {
            gap(printer);
            printer.lines(&pods::judged(reading, language, columns));
        }
    }
    let columns = view::width::columns(printer.is_terminal());
    for owner in &owners {
        gap(printer);
        printer.lines(&view::survey::owner_lines(owner, language, columns));
    }
    contents.passed_over.iter().for_each(|words| printer.note(words));
    Ok(if is_refused {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
