//! What can be typed: subcommands and flags, as kubectl names them.

pub mod connection;
pub mod containers;
pub mod duration;
pub mod kubectl_only;
pub mod number;
pub mod output;
pub mod selection;
pub mod switch;
pub mod target;
pub mod usage;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::commands::Command;
use connection::Connection;
use usage::UsageError;

/// What a pod is doing, why, and what happens next.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-pod",
    bin_name = "kubectl pod",
    version,
    about = "What a pod is doing, why, and what happens next",
    max_term_width = 120,
    disable_help_subcommand = true,
    infer_subcommands = false,
    subcommand_required = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Which API server, and as whom.
    #[command(flatten)]
    pub connection: Connection,
}

/// All that can be typed, as clap has it.
pub fn command() -> clap::Command {
    // Of a flag that is given again the last value counts, as for kubectl.
    switch::as_go_has_them(Cli::command()).args_override_self(true)
}

/// What the command line came to.
pub enum Parsed {
    /// A command to run.
    Command(Box<Cli>),
    /// Text that was asked for: help, or the version.
    Help(String),
}

/// Reads the command line; `arguments` begins with the program's name.
///
/// # Errors
/// What is wrong with it, in kubectl's words.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, UsageError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.len() <= 1 {
        return Ok(Parsed::Help(command().render_help().to_string()));
    }
    let read = command()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match read {
        Ok(cli) => {
            cli.connection.kubectl_only.check()?;
            Ok(Parsed::Command(Box::new(cli)))
        }
        Err(error) if !error.use_stderr() => Ok(Parsed::Help(error.to_string())),
        Err(error) => Err(UsageError::from_clap(&error, &arguments, &command())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flag_that_is_given_again_the_last_value_counts_and_of_a_list_all() {
        let line = "kubectl-pod describe -n a -n b --as-group x --as-group y -A --all-namespaces=false";
        let Ok(Parsed::Command(cli)) = parse(line.split(' ').map(OsString::from)) else {
            panic!("{line} is refused");
        };
        assert_eq!(cli.connection.namespace.as_deref(), Some("b"));
        assert_eq!(cli.connection.impersonate_groups, ["x", "y"]);
    }

    #[test]
    fn a_value_that_is_overridden_is_read_all_the_same() {
        let line = "kubectl-pod describe --all-namespaces=x -A";
        let Err(error) = parse(line.split(' ').map(OsString::from)) else {
            panic!("{line} is taken");
        };
        assert!(error.to_string().contains("invalid argument \"x\""), "{error}");
    }
}
