//! What was typed before the word to complete.

use std::ffi::OsString;
use std::sync::OnceLock;

use clap::FromArgMatches;

use crate::cli;
use crate::cli::connection::Connection;

/// Flags whose values are paths of files.
const FILE_FLAGS: [&str; 12] = [
    "-f",
    "--filename",
    "--kubeconfig",
    "--certificate-authority",
    "--client-certificate",
    "--client-key",
    "--record",
    "--image-archive",
    "--data-dir",
    "--static-pod-path",
    "--cache-dir",
    "--kuberc",
];

/// What was typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// The connection that the flags ask for.
    pub(super) connection: Connection,
    /// The words that are no flags, after the command.
    pub(super) positionals: Vec<String>,
    /// The word to complete.
    pub(super) current: String,
    /// Whether that is the path of a file.
    pub(super) wants_file: bool,
}

static TYPED: OnceLock<Typed> = OnceLock::new();

/// Keeps what was typed for who completes a part of it: clap tells a completer of nothing but the part.
pub(super) fn remember(typed: Typed) {
    // A process completes one command line.
    let _ = TYPED.set(typed);
}

/// What was typed.
pub(super) fn recall() -> Typed {
    TYPED.get().cloned().unwrap_or_default()
}

impl Typed {
    /// Reads what was typed, as far as it can be.
    pub(super) fn of(words: &[OsString]) -> Self {
        let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let (current, before) = match words.split_last() {
            Some((current, before)) => (current.clone(), before),
            None => (String::new(), &[][..]),
        };
        let flag = match current.split_once('=') {
            Some((flag, _)) => flag,
            None => before.last().map_or("", String::as_str),
        };
        let command = cli::command().ignore_errors(true);
        let arguments = std::iter::once("kubectl-pod").chain(before.iter().map(String::as_str));
        let matches = command.try_get_matches_from(arguments).ok();
        let connection = matches
            .as_ref()
            .and_then(|matches| Connection::from_arg_matches(matches).ok())
            .unwrap_or_default();
        let positionals = matches
            .as_ref()
            .and_then(|matches| matches.subcommand())
            .map(|(_, inner)| positionals(inner))
            .unwrap_or_default();
        Self {
            connection,
            positionals,
            wants_file: FILE_FLAGS.contains(&flag),
            current,
        }
    }
}

/// The names that a command took: pods, topics.
fn positionals(matches: &clap::ArgMatches) -> Vec<String> {
    ["names", "topic"]
        .into_iter()
        .filter_map(|id| matches.try_get_many::<String>(id).ok().flatten())
        .flatten()
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Typed {
        Typed::of(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_before_the_word_count() {
        let typed = typed(&["describe", "-n", "team", "pods", "web", "--context=x", "d"]);
        assert_eq!(typed.connection.namespace.as_deref(), Some("team"));
        assert_eq!(typed.connection.context.as_deref(), Some("x"));
        assert_eq!(typed.positionals, ["pods", "web"]);
        assert_eq!(typed.current, "d");
    }

    #[test]
    fn half_a_command_line_is_no_error() {
        assert_eq!(typed(&[]).current, "");
        assert_eq!(typed(&["describe", "--nonsense", "web", ""]).current, "");
    }
}
