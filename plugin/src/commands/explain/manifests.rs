//! Files: manifests line by line, and saved pods with the same verdict as live ones.

use std::process::ExitCode;

use super::pods;
use crate::cluster::survey::Survey;
use crate::failure::Failure;
use crate::findings::reading::Reading;
use crate::knowledge::language::Language;
use crate::manifest;
use crate::view;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// So many saved pods are shown in full; of more, a list is read sooner.
const FEW: usize = 3;

/// Explains the pods of files.
pub(super) fn run(
    names: &[String],
    is_recursive: bool,
    language: Language,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    let sources = manifest::source::read(names, is_recursive)?;
    let mut saved = Vec::new();
    let mut is_first = true;
    let mut gap = |printer: &mut Printer| {
        if !std::mem::replace(&mut is_first, false) {
            printer.line(&Line::new());
        }
    };
    for pod in manifest::read(&sources)? {
        let reading = Reading::of_saved(pod.pod.clone());
        if reading.facts.is_manifest() {
            gap(printer);
            printer.lines(&view::manifest::lines(&pod, &reading.facts, language));
        } else {
            saved.push(reading);
        }
    }
    if saved.len() > FEW {
        let mut survey = Survey::default();
        saved.into_iter().for_each(|reading| survey.add(reading));
        survey.rank();
        gap(printer);
        pods::show(&survey, survey.unwell.first(), language, printer);
        return Ok(ExitCode::SUCCESS);
    }
    saved.sort_by_key(|reading| std::cmp::Reverse((reading.verdict, reading.worst())));
    for reading in &saved {
        gap(printer);
        printer.lines(&pods::judged(reading, language));
    }
    Ok(ExitCode::SUCCESS)
}
