//! The documents of a source, with the place of each key and value.

pub use emulator::yaml::{Content, Key, Node, Parsed, Place};

use super::problem::Problem;
use super::source::Source;

/// Reads all documents of a source; empty ones are left out.
///
/// # Errors
/// The first place that is neither YAML nor JSON as kubectl takes it.
pub fn parse(source: &Source) -> Result<Vec<Parsed>, Problem> {
    emulator::yaml::documents(&source.text).map_err(|error| {
        let place = error.place.unwrap_or_default();
        let problem = Problem::new(source, format!("no valid YAML: {error}")).at(place);
        match source.text.lines().nth(place.line.saturating_sub(1)) {
            Some(line) if line.contains('\t') => problem.help("YAML is indented with blanks, never with tabs"),
            _ => problem,
        }
    })
}
