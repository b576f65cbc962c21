//! Tells pods while they come, in the form that was asked for.

use std::process::ExitCode;

use super::Arguments;
use crate::cli::output::Output;
use crate::failure::Failure;
use crate::findings::Verdict;
use crate::findings::reading::Reading;
use crate::view::describe::{self, record};
use crate::view::machine::Records;
use crate::view::printer::Printer;
use crate::view::text::Line;
use crate::view::width;

/// What has been told so far.
pub(super) struct Told<'a> {
    arguments: &'a Arguments,
    records: Option<Records<'a>>,
    /// How many pods.
    count: usize,
    /// The verdict on the worst of those that have one.
    worst: Option<Verdict>,
    /// What could not be had.
    failures: Vec<Failure>,
}

impl<'a> Told<'a> {
    /// Nothing yet.
    pub(super) fn new(arguments: &'a Arguments) -> Self {
        Self {
            records: Records::of(&arguments.output, !arguments.no_headers, record::LIST_KIND),
            arguments,
            count: 0,
            worst: None,
            failures: Vec::new(),
        }
    }

    /// Tells a pod.
    ///
    /// # Errors
    /// A container that was named and that the pod has not.
    pub(super) fn take(&mut self, mut reading: Reading, printer: &mut Printer) -> Result<(), Failure> {
        let chosen = &self.arguments.containers;
        let facts = &mut reading.facts;
        chosen.check(&facts.name, facts.containers.iter().map(|one| one.name.as_str()))?;
        facts.containers.retain(|container| chosen.has(&container.name));
        if !facts.is_manifest() {
            self.worst = self.worst.max(Some(reading.verdict));
        }
        self.count += 1;
        if let Some(records) = &mut self.records {
            printer.document(&records.add(record::of(&reading)));
            return Ok(());
        }
        if matches!(self.arguments.output, Output::Name) {
            printer.line(&Line::from(format!("pod/{}", reading.facts.name)));
            return Ok(());
        }
        if self.count > 1 {
            printer.lines(&[Line::new(), Line::new()]);
        }
        let events_limit = match self.arguments.show_events {
            true => self.arguments.events,
            false => Some(0),
        };
        let columns = width::columns(printer.is_terminal());
        printer.lines(&describe::lines(&reading, events_limit, self.arguments.lang, columns));
        Ok(())
    }

    /// Keeps what could not be had, to be told at the end.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// Ends the answer, and returns the exit code.
    pub(super) fn end(mut self, printer: &mut Printer) -> ExitCode {
        match self.records.take().map(|records| records.end(None)) {
            Some(Ok(document)) => printer.document(&document),
            Some(Err(unfilled)) => self.failures.push(unfilled.into()),
            None => {}
        }
        for failure in &self.failures {
            failure.report(printer);
        }
        match (self.failures.is_empty(), self.arguments.exit_code) {
            (false, _) => ExitCode::FAILURE,
            (true, false) => ExitCode::SUCCESS,
            (true, true) => ExitCode::from(self.worst.map_or(0, Verdict::exit_code)),
        }
    }
}
